"""Write a ruleset as libnftables JSON (libnftables-json(5)), for ``nft -j -f``.

The commands are those of the script that ``serializer`` writes, in the same order.
"""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING, Any

from ..core.diagnostics import NO_NFT_FORM, Problem
from ..nft import expressions as x
from ..nft import objects as o
from ..nft import statements as s
from ..nft.ast import Map
from ..nft.words import ObjectKind, SetPolicy
from .nft_expression_text import expression_text, interface_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.values import Family
    from ..nft.ast import Chain, CounterObject, Rule, Ruleset, Set, Table
    from ..nft.datatypes import KeyType

Json = dict[str, Any]


def commands(ruleset: Ruleset) -> Json:
    """The commands, for ``json.dumps``. Raises Problem where nft reads some of them as text only.

    Raises ValueError where there are tables whose rules are not read, or objects that only
    its own language can add.
    """
    if ruleset.others:
        raise ValueError("tables of the families bridge, arp and netdev have no JSON here")
    found: list[Json] = [{"metainfo": {"json_schema_version": 1}}]
    for table in ruleset.tables:
        found += _table_commands(table)
    return {"nftables": found}


def _table_commands(table: Table) -> Iterator[Json]:
    family, name = table.family.value, table.name
    itself: Json = {"table": {"family": family, "name": name}}
    filled: Json = {"table": itself["table"] | _comment(table)}
    place = {"family": family, "table": name}
    yield {"add": itself}
    yield {"delete": itself}
    yield {"add": filled}
    for counter in table.counters:
        yield {"add": {"counter": place | _counter(counter)}}
    for found in table.objects:
        yield {"add": {found.kind: place | {"name": found.name} | _object(found)}}
    # Elements of verdict maps name chains, and JSON takes no name that is not there yet.
    for chain in table.chains:
        yield {"add": {"chain": place | _chain(chain)}}
    for set_ in table.sets:
        yield {"add": {"map" if isinstance(set_, Map) else "set": place | _set(set_)}}
    for chain in table.chains:
        for rule in chain.rules:
            yield {"add": {"rule": place | {"chain": chain.name} | _rule(rule)}}


def _comment(commented: Table | Chain | Set | CounterObject) -> Json:
    # nft 1.0.6 takes that of a counter only, and passes over the others.
    return {"comment": commented.comment} if commented.comment else {}


def _counter(counter: CounterObject) -> Json:
    fields: Json = {"name": counter.name} | _comment(counter)
    if counter.packets or counter.bytes:
        fields |= {"packets": counter.packets, "bytes": counter.bytes}
    return fields


def _object(found: o.NamedObject) -> Json:
    """An object as nft 1.0.6 takes it: others it refuses, or loads without what they hold."""
    fields: Json = {"comment": found.comment} if found.comment else {}
    match found:
        case o.NamedStatement(statement=s.Quota(octets, over, used)):
            return fields | {"bytes": octets, "used": used, "inv": over}
        case o.NamedStatement(statement=s.Limit() as limit):
            rate: Json = statement_json(limit)["limit"]
            return fields | rate
        case o.Flowtable(priority=priority, devices=devices):
            return fields | {"hook": "ingress", "prio": priority, "dev": list(devices)}
        case o.CtHelper(helper=helper, protocol=protocol, l3proto=family):
            own = {"l3proto": family.value} if family else {}
            return fields | {"type": helper, "protocol": protocol} | own
        case _:
            raise ValueError(f"nft takes no object “{found.kind}” as JSON")


def _type(key: KeyType, typeof: x.Expression | None = None) -> Any:
    if typeof:
        return {"typeof": expression_json(typeof)}
    names = [type_.name for type_ in key]
    return names if len(names) > 1 else names[0]


def _set(set_: Set) -> Json:
    fields: Json = {"name": set_.name, "type": _type(set_.type, set_.typeof)} | _comment(set_)
    if isinstance(set_, Map):
        # nft 1.0.6 takes one type only here; it cannot read what it lists for several.
        fields["map"] = _type(set_.data, set_.data_typeof)
    # libnftables refuses the word "dynamic", and sets it by itself where a rule updates the set.
    if flags := [flag for flag in set_.flags if flag != "dynamic"]:
        fields["flags"] = flags
    if set_.timeout is not None:
        fields["timeout"] = set_.timeout
    if set_.size is not None:
        fields["size"] = set_.size
    if set_.gc_interval is not None:
        fields["gc-interval"] = set_.gc_interval // 1000
    if set_.policy != SetPolicy.PERFORMANCE:
        fields["policy"] = set_.policy
    if set_.auto_merge:
        fields["auto-merge"] = True
    if set_.counts:
        fields["stmt"] = [{"counter": None}]
    if set_.elements:
        fields["elem"] = [element_json(element) for element in set_.elements]
    return fields


def _chain(chain: Chain) -> Json:
    fields: Json = {"name": chain.name} | _comment(chain)
    if chain.hook:
        fields |= {
            "type": chain.hook.type,
            "hook": chain.hook.name,
            "prio": chain.hook.priority,
            "policy": chain.hook.policy,
        }
    return fields


def _rule(rule: Rule) -> Json:
    fields: Json = {"expr": [statement_json(statement) for statement in rule.statements]}
    if rule.comment:
        fields["comment"] = rule.comment
    return fields


# --- expressions --------------------------------------------------------------------------------


@singledispatch
def expression_json(expression: x.Expression) -> Any:
    """An expression, as libnftables reads it."""
    raise TypeError(f"no JSON for {expression!r}")


@expression_json.register(x.Payload)
def _(e: x.Payload) -> Json:
    return {"payload": {"protocol": e.protocol, "field": e.field}}


@expression_json.register(x.Meta)
def _(e: x.Meta) -> Json:
    return {"meta": {"key": e.key}}


@expression_json.register(x.Ct)
def _(e: x.Ct) -> Json:
    return {"ct": {"key": e.key, "dir": e.direction} if e.direction else {"key": e.key}}


@expression_json.register(x.ExtensionHeader)
def _(e: x.ExtensionHeader) -> Json:
    return {"exthdr": {"name": e.name, "field": e.field} if e.field else {"name": e.name}}


@expression_json.register(x.RawPayload)
def _(e: x.RawPayload) -> Json:
    return {"payload": {"base": e.base, "offset": e.offset, "len": e.length}}


@expression_json.register(x.TcpOption)
def _(e: x.TcpOption) -> Json:
    if e.name.isdecimal():
        # An option without a name here is its first byte, which is its number.
        return {"tcp option": {"base": int(e.name), "offset": 0, "len": 8}}
    field = {"field": e.field} if e.field else {}
    return {"tcp option": {"name": e.name} | field}


@expression_json.register(x.RawTcpOption)
def _(e: x.RawTcpOption) -> Json:
    return {"tcp option": {"base": e.number, "offset": e.offset, "len": e.length}}


@expression_json.register(x.SctpChunk)
def _(e: x.SctpChunk) -> Json:
    return {"sctp chunk": {"name": e.name} | ({"field": e.field} if e.field else {})}


@expression_json.register(x.IpOption)
def _(e: x.IpOption) -> Json:
    return {"ip option": {"name": e.name} | ({"field": e.field} if e.field else {})}


@expression_json.register(x.Inner)
def _(e: x.Inner) -> Json:
    inside = (
        {"protocol": e.tunnel, "field": e.inside}
        if isinstance(e.inside, str)
        else {"tunnel": e.tunnel, "protocol": e.inside.protocol, "field": e.inside.field}
    )
    return {"payload": inside}


@expression_json.register(x.Fib)
def _(e: x.Fib) -> Json:
    return {"fib": {"result": e.result, "flags": list(e.flags)}}


@expression_json.register(x.Rt)
def _(e: x.Rt) -> Json:
    *family, key = e.key.split(" ")
    return {"rt": {"key": key} | ({"family": family[0]} if family else {})}


@expression_json.register(x.Socket)
def _(e: x.Socket) -> Json:
    return {"socket": {"key": e.key}}


@expression_json.register(x.Ipsec)
def _(e: x.Ipsec) -> Json:
    *family, key = e.key.split(" ")
    fields: Json = {"key": key, "dir": e.direction, "spnum": e.number}
    return {"ipsec": fields | ({"family": family[0]} if family else {})}


@expression_json.register(x.Osf)
def _(e: x.Osf) -> Json:
    return {"osf": {"key": e.key} | ({"ttl": e.ttl} if e.ttl else {})}


@expression_json.register(x.Hash)
def _(e: x.Hash) -> Json:
    fields: Json = {"mod": e.modulus, "expr": expression_json(e.key)}
    if e.seed is not None:
        fields["seed"] = e.seed
    return {"jhash": fields | _offset(e)}


@expression_json.register(x.SymmetricHash)
def _(e: x.SymmetricHash) -> Json:
    return {"symhash": {"mod": e.modulus} | _offset(e)}


def _offset(e: x.Hash | x.SymmetricHash) -> Json:
    return {"offset": e.offset} if e.offset else {}


@expression_json.register(x.Numgen)
def _(e: x.Numgen) -> Json:
    return {"numgen": {"mode": e.mode, "mod": e.modulus, "offset": e.offset}}


@expression_json.register(x.Binary)
def _(e: x.Binary) -> Json:
    return {e.operator: [expression_json(e.left), expression_json(e.right)]}


@expression_json.register(x.Concat)
def _(e: x.Concat) -> Json:
    return {"concat": [element_json(part) for part in e.parts]}


@expression_json.register(x.Lookup)
def _(e: x.Lookup) -> Json:
    return {"map": {"key": expression_json(e.key), "data": expression_json(e.map)}}


@expression_json.register(x.Number)
@expression_json.register(x.Hex)
def _(e: x.Number | x.Hex) -> int | str:
    # The library that nft reads JSON with has signed numbers of 64 bits.
    return e.value if e.value < 1 << 63 else str(e.value)


@expression_json.register(x.String)
@expression_json.register(x.Mac)
def _(e: x.String | x.Mac) -> str:
    return expression_text(e).strip('"')


@expression_json.register(x.Symbol)
def _(e: x.Symbol) -> Any:
    # The words for "there is an answer" and "there is none" are booleans in JSON.
    return {"exists": True, "missing": False}.get(e.name, e.name)


@expression_json.register(x.Protocol)
def _(e: x.Protocol) -> int:
    # A name would need /etc/protocols here, even the names that nft's own grammar has.
    return e.number


@expression_json.register(x.Host)
def _(e: x.Host) -> str:
    return str(e.address)


@expression_json.register(x.Prefix)
def _(e: x.Prefix) -> Json:
    return {"prefix": {"addr": str(e.address), "len": e.length}}


@expression_json.register(x.Range)
def _(e: x.Range) -> Json:
    return {"range": [expression_json(e.low), expression_json(e.high)]}


@expression_json.register(x.Interface)
def _(e: x.Interface) -> str:
    return interface_pattern(e)


@expression_json.register(x.Flags)
def _(e: x.Flags) -> Any:
    return list(e.names) if len(e.names) > 1 else e.names[0]


@expression_json.register(x.AnonymousSet)
def _(e: x.AnonymousSet) -> Json:
    return {"set": [element_json(element) for element in e.elements]}


def element_json(element: x.Expression) -> Any:
    """An element of a set, where an array would be several elements or a pair."""
    if isinstance(element, x.Flags) and len(element.names) > 1:
        return {"|": list(element.names)}
    return expression_json(element)


@expression_json.register(x.CatchAll)
def _(_catch_all: x.CatchAll) -> str:
    return "*"


@expression_json.register(x.Element)
def _(e: x.Element) -> Json:
    fields: Json = {"val": element_json(e.key)}
    if e.counter is not None:
        fields["counter"] = dict(zip(("packets", "bytes"), e.counter, strict=True))
    if e.timeout is not None:
        fields["timeout"] = e.timeout
    if e.expires is not None:
        fields["expires"] = e.expires // 1000  # JSON has whole seconds only
    if e.comment:
        fields["comment"] = e.comment
    return {"elem": fields}


@expression_json.register(x.Pair)
def _(e: x.Pair) -> list[Any]:
    value = e.value
    as_value = statement_json(value) if isinstance(value, s.Verdict) else element_json(value)
    return [element_json(e.key), as_value]


@expression_json.register(x.SetReference)
def _(e: x.SetReference) -> str:
    return f"@{e.name}"


# --- statements ---------------------------------------------------------------------------------


@singledispatch
def statement_json(statement: s.Statement) -> Json:
    """A statement, as libnftables reads it."""
    raise TypeError(f"no JSON for {statement!r}")


@statement_json.register(s.Match)
def _(match: s.Match) -> Json:
    return {
        "match": {
            "op": match.operator,
            "left": expression_json(match.left),
            "right": expression_json(match.right),
        }
    }


@statement_json.register(s.Counter)
def _(counter: s.Counter) -> Json:
    return {"counter": {"packets": counter.packets, "bytes": counter.bytes}}


@statement_json.register(s.UseObject)
def _(use: s.UseObject) -> Json:
    if use.kind == ObjectKind.FLOWTABLE:
        return {"flow": {"op": "add", "flowtable": f"@{use.name}"}}
    return {use.kind: use.name}


@statement_json.register(s.NamedCounter)
def _(counter: s.NamedCounter) -> Json:
    return {"counter": counter.name}


@statement_json.register(s.Accept)
def _(_accept: s.Accept) -> Json:
    return {"accept": None}


@statement_json.register(s.Drop)
def _(_drop: s.Drop) -> Json:
    return {"drop": None}


@statement_json.register(s.Return)
def _(_return: s.Return) -> Json:
    return {"return": None}


@statement_json.register(s.Continue)
def _(_continue: s.Continue) -> Json:
    return {"continue": None}


@statement_json.register(s.Jump)
def _(jump: s.Jump) -> Json:
    return {"jump": {"target": jump.chain}}


@statement_json.register(s.Goto)
def _(goto: s.Goto) -> Json:
    return {"goto": {"target": goto.chain}}


@statement_json.register(s.VerdictMap)
def _(statement: s.VerdictMap) -> Json:
    return {"vmap": {"key": expression_json(statement.key), "data": expression_json(statement.map)}}


@statement_json.register(s.Limit)
def _(limit: s.Limit) -> Json:
    fields: Json = {"rate": limit.rate, "burst": limit.burst, "per": limit.per}
    if limit.unit != "packets":
        fields |= {"rate_unit": limit.unit, "burst_unit": limit.unit}
    return {"limit": fields | ({"inv": True} if limit.over else {})}


@statement_json.register(s.CtCount)
def _(count: s.CtCount) -> Json:
    return {"ct count": {"val": count.count} | ({"inv": True} if count.over else {})}


@statement_json.register(s.Last)
def _(last: s.Last) -> Json:
    return {"last": None if last.used is None else {"used": last.used}}


@statement_json.register(s.ResetOption)
def _(reset: s.ResetOption) -> Json:
    return {"reset": expression_json(x.TcpOption(reset.name))}


@statement_json.register(s.Quota)
def _(quota: s.Quota) -> Json:
    fields: Json = {"val": quota.bytes, "val_unit": "bytes"}
    if quota.used:
        fields |= {"used": quota.used, "used_unit": "bytes"}
    return {"quota": fields | ({"inv": True} if quota.over else {})}


@statement_json.register(s.Assign)
def _(statement: s.Assign) -> Json:
    if isinstance(statement.value, x.Socket):
        raise Problem(
            NO_NFT_FORM,
            f"nft reads no value “{expression_text(statement.value)}” from JSON",
            hint="write a script for nft -f",
        )
    return {
        "mangle": {
            "key": expression_json(statement.key),
            "value": expression_json(statement.value),
        }
    }


@statement_json.register(s.Nat)
def _(nat: s.Nat) -> Json:
    fields: Json = _family(nat.family)
    if nat.address:
        fields["addr"] = expression_json(nat.address)
    if nat.port:
        fields["port"] = expression_json(nat.port)
    flags = (*nat.flags, "netmap") if nat.prefix else nat.flags
    if flags:
        fields["flags"] = list(flags)
    if nat.prefix:
        fields["type_flags"] = "prefix"
    return {nat.kind: fields or None}


def _family(family: Family | None) -> Json:
    return {"family": family.value} if family else {}


@statement_json.register(s.Reject)
def _(reject: s.Reject) -> Json:
    if reject.protocol == "tcp":
        return {"reject": {"type": f"tcp {reject.reason}"}}
    return {"reject": {"type": reject.protocol, "expr": reject.reason}}


@statement_json.register(s.Log)
def _(log: s.Log) -> Json:
    fields: Json = {}
    if log.prefix:
        fields["prefix"] = log.prefix
    if log.level:
        fields["level"] = log.level
    if log.flags:
        fields["flags"] = list(log.flags)
    if log.group is not None:
        fields["group"] = log.group
    if log.snaplen is not None:
        fields["snaplen"] = log.snaplen
    if log.threshold is not None:
        fields["queue-threshold"] = log.threshold
    return {"log": fields or None}


@statement_json.register(s.Queue)
def _(queue: s.Queue) -> Json:
    several = queue.first != queue.last
    fields: Json = {"num": {"range": [queue.first, queue.last]} if several else queue.first}
    if queue.flags:
        fields["flags"] = list(queue.flags)
    return {"queue": fields}


@statement_json.register(s.Dup)
def _(dup: s.Dup) -> Json:
    fields: Json = {"addr": expression_json(dup.address)}
    if dup.device:
        fields["dev"] = dup.device
    return {"dup": fields}


@statement_json.register(s.Tproxy)
def _(tproxy: s.Tproxy) -> Json:
    fields: Json = _family(tproxy.family)
    if tproxy.address:
        fields["addr"] = expression_json(tproxy.address)
    if tproxy.port is not None:
        fields["port"] = tproxy.port
    return {"tproxy": fields}


@statement_json.register(s.Synproxy)
def _(synproxy: s.Synproxy) -> Json:
    fields: Json = {}
    if synproxy.mss is not None:
        fields["mss"] = synproxy.mss
    if synproxy.wscale is not None:
        fields["wscale"] = synproxy.wscale
    if synproxy.flags:
        fields["flags"] = list(synproxy.flags)
    return {"synproxy": fields or None}


@statement_json.register(s.Notrack)
def _(_notrack: s.Notrack) -> Json:
    return {"notrack": None}


@statement_json.register(s.UpdateSet)
def _(update: s.UpdateSet) -> Json:
    key = expression_json(update.key)
    if update.timeout is not None:
        key = {"elem": {"val": key, "timeout": update.timeout}}
    fields: Json = {"op": update.operation, "elem": key}
    if update.limit:
        fields["stmt"] = [statement_json(update.limit)]
    if update.value is None:
        return {"set": fields | {"set": f"@{update.set}"}}
    return {"map": fields | {"data": expression_json(update.value), "map": f"@{update.set}"}}
