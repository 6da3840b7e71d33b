"""Write a ruleset as a script for ``nft -f``.

The script is one transaction: it adds and deletes each table before it fills it, so that loading
it again gives the same ruleset, and it touches no other table. (``destroy table`` would be
shorter but needs nft 1.0.8 and Linux 6.3.)

Names, comments and prefixes are safe by construction: lowering makes them, and ``quoted`` refuses
what a quoted nft string cannot hold (nft has no escape for a quote).
"""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

from ..nft import expressions as x
from ..nft import objects as o
from ..nft import statements as s
from ..nft.ast import Map
from ..nft.datatypes import declaration
from ..nft.names import checked
from ..nft.words import ObjectKind, SetPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..core.values import Family
    from ..nft.ast import Chain, Counter, Hook, Rule, Ruleset, Set, Table

#: The protocols that nft's own grammar names; others need /etc/protocols, so they are numbers.
PROTOCOL_NAMES = {
    1: "icmp", 6: "tcp", 17: "udp", 33: "dccp", 50: "esp", 51: "ah",
    58: "icmpv6", 108: "comp", 132: "sctp", 136: "udplite",
}  # fmt: skip


#: The texts of a table's comments, and of its statements by id: lowering shares statements.
Texts = dict[int | str, str]


def serialize(ruleset: Ruleset, header: str = "") -> str:
    """The whole script; each line of ``header`` becomes a comment at its top."""
    return "".join(pieces(ruleset, header))


def pieces(ruleset: Ruleset, header: str = "") -> Iterator[str]:
    """The same script chain by chain, each piece with its line ends."""
    yield "".join(f"# {line}\n" for line in header.splitlines())
    for table in ruleset.tables:
        yield from _table_pieces(table)
    for other in ruleset.others:
        name = f"table {other.family} {checked(other.name)}"
        yield _joined((f"add {name}", f"delete {name}", *other.text))


def rule_text(rule: Rule) -> str:
    """A rule as it stands in its chain."""
    return _rule_text(rule, {})


def _rule_text(rule: Rule, texts: Texts) -> str:
    words = []
    for statement in rule.statements:
        text = texts.get(id(statement))
        if text is None:
            text = texts[id(statement)] = statement_text(statement)
        words.append(text)
    if comment := rule.comment:
        text = texts.get(comment)
        if text is None:
            text = texts[comment] = f"comment {quoted(comment)}"
        words.append(text)
    return " ".join(words)


def quoted(text: str) -> str:
    """A quoted string, or ValueError where nft has no way to write it."""
    if '"' in text or not text.isprintable():
        raise ValueError(f"nft cannot write {text!r} as a string")
    return f'"{text}"'


def duration(seconds: int) -> str:
    """A time; nft takes no large number of seconds alone.

    >>> duration(10800), duration(100000000)
    ('10800s', '1157d9h46m40s')
    """
    if seconds < 1_000_000:
        return f"{seconds}s"
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}d{hours}h{minutes}m{seconds}s"


def _table_pieces(table: Table) -> Iterator[str]:
    name = f"table {table.family.value} {checked(table.name)}"
    comment = f"\tcomment {quoted(table.comment)}\n" if table.comment else ""
    if table.flags:
        comment += f"\tflags {','.join(table.flags)}\n"
    yield f"add {name}\ndelete {name}\n{name} {{\n{comment}"
    for counter in table.counters:
        yield _joined(_counter_lines(counter))
    for object_ in table.objects:
        yield _joined(_object_lines(object_))
    for set_ in table.sets:
        yield _joined(_set_lines(set_))
    texts: Texts = {}
    for chain in table.chains:
        yield _joined(_chain_lines(chain, texts))
    yield "}\n"


def _joined(lines: Iterable[str]) -> str:
    return "".join([f"{line}\n" for line in lines])


def _counter_lines(counter: Counter) -> Iterator[str]:
    name = checked(counter.name)
    if not (counter.packets or counter.bytes or counter.comment):
        yield f"\tcounter {name} {{ }}"
        return
    yield f"\tcounter {name} {{"
    if counter.comment:
        yield f"\t\tcomment {quoted(counter.comment)}"
    yield f"\t\tpackets {counter.packets} bytes {counter.bytes}"
    yield "\t}"


def _object_lines(found: o.NamedObject) -> Iterator[str]:
    yield f"\t{found.kind} {checked(found.name)} {{"
    if found.comment:
        yield f"\t\tcomment {quoted(found.comment)}"
    match found:
        case o.NamedStatement(statement=statement):
            # The word for what it is stands before its name.
            yield f"\t\t{statement_text(statement).split(' ', 1)[1]}"
        case o.Flowtable(devices=devices):
            yield f"\t\thook ingress priority {found.priority}"
            if devices:
                yield f"\t\tdevices = {{ {', '.join(map(quoted, devices))} }}"
            yield from ("\t\tflags offload",) if found.offload else ()
            yield from ("\t\tcounter",) if found.counts else ()
        case o.CtHelper(helper=helper, protocol=protocol):
            yield f"\t\ttype {quoted(helper)} protocol {protocol}"
        case o.CtTimeout(protocol=protocol, policy=policy):
            times = ", ".join(f"{state} : {time}" for state, time in policy)
            yield f"\t\tprotocol {protocol}"
            yield from (f"\t\tpolicy = {{ {times} }}",) if times else ()
        case o.CtExpectation(protocol=protocol, dport=port, timeout=time, size=size):
            yield f"\t\tprotocol {protocol}\n\t\tdport {port}"
            yield f"\t\ttimeout {duration(time)}\n\t\tsize {size}"
    if isinstance(found, o.CtHelper | o.CtTimeout | o.CtExpectation) and found.l3proto:
        yield f"\t\tl3proto {found.l3proto.value}"
    yield "\t}"


def _declared(set_: Set) -> str:
    if set_.typeof:
        return f"typeof {expression_text(set_.typeof)}"
    return f"type {declaration(set_.type)}"


def _set_lines(set_: Set) -> Iterator[str]:
    name = checked(set_.name)
    if isinstance(set_, Map):
        yield f"\tmap {name} {{"
        intervals = "interval " if set_.data_intervals else ""
        data = declaration(set_.data)
        if set_.data_typeof:
            data = expression_text(set_.data_typeof)
        yield f"\t\t{_declared(set_)} : {intervals}{data}"
    else:
        yield f"\tset {name} {{"
        yield f"\t\t{_declared(set_)}"
    if set_.size is not None:
        yield f"\t\tsize {set_.size}"
    if set_.flags:
        yield f"\t\tflags {','.join(set_.flags)}"
    if set_.timeout is not None:
        yield f"\t\ttimeout {duration(set_.timeout)}"
    if set_.gc_interval is not None:
        seconds, rest = divmod(set_.gc_interval, 1000)
        yield f"\t\tgc-interval {duration(seconds) if seconds else ''}{f'{rest}ms' if rest else ''}"
    if set_.policy != SetPolicy.PERFORMANCE:
        yield f"\t\tpolicy {set_.policy}"
    if set_.auto_merge:
        yield "\t\tauto-merge"
    if set_.counts:
        yield "\t\tcounter"
    if set_.comment:
        yield f"\t\tcomment {quoted(set_.comment)}"
    if set_.elements:
        yield f"\t\telements = {{ {', '.join(map(element_text, set_.elements))} }}"
    yield "\t}"


def _chain_lines(chain: Chain, texts: Texts) -> Iterator[str]:
    yield f"\tchain {checked(chain.name)} {{"
    if chain.comment:
        yield f"\t\tcomment {quoted(chain.comment)}"
    if hook := chain.hook:
        place = f"type {hook.type} hook {hook.name}{_devices(hook)} priority {hook.priority}"
        yield f"\t\t{place}; policy {hook.policy};"
    yield from [f"\t\t{_rule_text(rule, texts)}" for rule in chain.rules]
    yield "\t}"


def _devices(hook: Hook) -> str:
    """The devices of a hook that is one of devices."""
    names = ", ".join(map(quoted, hook.devices))
    return (
        f" devices = {{ {names} }}" if len(hook.devices) > 1 else f" device {names}" * bool(names)
    )


# --- expressions --------------------------------------------------------------------------------


@singledispatch
def expression_text(expression: x.Expression) -> str:
    """An expression, as nft reads it."""
    raise TypeError(f"no text for {expression!r}")


@expression_text.register(x.Payload)
def _(e: x.Payload) -> str:
    return f"{e.protocol} {e.field}"


@expression_text.register(x.Meta)
def _(e: x.Meta) -> str:
    # The interfaces' names are keywords of their own; other keys want the word before them.
    return e.key if e.key in {"iifname", "oifname"} else f"meta {e.key}"


@expression_text.register(x.Ct)
def _(e: x.Ct) -> str:
    return f"ct {e.direction} {e.key}" if e.direction else f"ct {e.key}"


@expression_text.register(x.ExtensionHeader)
def _(e: x.ExtensionHeader) -> str:
    return f"{e.name} {e.field}" if e.field else f"exthdr {e.name}"


@expression_text.register(x.RawPayload)
def _(e: x.RawPayload) -> str:
    return f"@{e.base},{e.offset},{e.length}"


@expression_text.register(x.TcpOption)
def _(e: x.TcpOption) -> str:
    return f"tcp option {e.name} {e.field}".rstrip()


@expression_text.register(x.RawTcpOption)
def _(e: x.RawTcpOption) -> str:
    return f"tcp option @{e.number},{e.offset},{e.length}"


@expression_text.register(x.SctpChunk)
def _(e: x.SctpChunk) -> str:
    return f"sctp chunk {e.name} {e.field}".rstrip()


@expression_text.register(x.IpOption)
def _(e: x.IpOption) -> str:
    return f"ip option {e.name} {e.field}".rstrip()


@expression_text.register(x.Inner)
def _(e: x.Inner) -> str:
    inside = e.inside if isinstance(e.inside, str) else expression_text(e.inside)
    return f"{e.tunnel} {inside}"


@expression_text.register(x.Fib)
def _(e: x.Fib) -> str:
    return f"fib {' . '.join(e.flags)} {e.result}"


@expression_text.register(x.Rt)
def _(e: x.Rt) -> str:
    return f"rt {e.key}"


@expression_text.register(x.Socket)
def _(e: x.Socket) -> str:
    return f"socket {e.key}"


@expression_text.register(x.Ipsec)
def _(e: x.Ipsec) -> str:
    number = f" spnum {e.number}" if e.number else ""
    return f"ipsec {e.direction}{number} {e.key}"


@expression_text.register(x.Osf)
def _(e: x.Osf) -> str:
    return f"osf ttl {e.ttl} {e.key}" if e.ttl else f"osf {e.key}"


@expression_text.register(x.Hash)
def _(e: x.Hash) -> str:
    seed = "" if e.seed is None else f" seed {e.seed:#x}"
    return f"jhash {expression_text(e.key)} mod {e.modulus}{seed}{_offset(e)}"


@expression_text.register(x.SymmetricHash)
def _(e: x.SymmetricHash) -> str:
    return f"symhash mod {e.modulus}{_offset(e)}"


@expression_text.register(x.Numgen)
def _(e: x.Numgen) -> str:
    return f"numgen {e.mode} mod {e.modulus}{_offset(e)}"


def _offset(e: x.Hash | x.SymmetricHash | x.Numgen) -> str:
    return f" offset {e.offset}" if e.offset else ""


@expression_text.register(x.Binary)
def _(e: x.Binary) -> str:
    left = expression_text(e.left)
    if isinstance(e.left, x.Binary) and e.left.operator.binding < e.operator.binding:
        left = f"({left})"
    return f"{left} {e.operator} {_operand(e.right)}"


def _operand(expression: x.Expression) -> str:
    if isinstance(expression, x.Flags) and len(expression.names) > 1:
        return f"({' | '.join(expression.names)})"
    return expression_text(expression)


@expression_text.register(x.Concat)
def _(e: x.Concat) -> str:
    return " . ".join(map(element_text, e.parts))


@expression_text.register(x.Lookup)
def _(e: x.Lookup) -> str:
    return f"{expression_text(e.key)} map {expression_text(e.map)}"


@expression_text.register(x.Number)
def _(e: x.Number) -> str:
    return str(e.value)


@expression_text.register(x.Hex)
def _(e: x.Hex) -> str:
    return f"{e.value:#x}"


@expression_text.register(x.Symbol)
def _(e: x.Symbol) -> str:
    return e.name


@expression_text.register(x.String)
def _(e: x.String) -> str:
    # nft would take a star at the end for a wildcard.
    text = f"{e.value[:-1]}\\*" if e.value.endswith("*") else e.value
    return quoted(text)


@expression_text.register(x.Mac)
def _(e: x.Mac) -> str:
    return e.value.to_bytes(6, "big").hex(":")


@expression_text.register(x.Protocol)
def _(e: x.Protocol) -> str:
    return PROTOCOL_NAMES.get(e.number, str(e.number))


@expression_text.register(x.Host)
def _(e: x.Host) -> str:
    return str(e.address)


@expression_text.register(x.Prefix)
def _(e: x.Prefix) -> str:
    return f"{e.address}/{e.length}"


@expression_text.register(x.Range)
def _(e: x.Range) -> str:
    if isinstance(e.low, x.Protocol) and isinstance(e.high, x.Protocol):
        # A name swallows the dash.
        return f"{e.low.number}-{e.high.number}"
    return f"{expression_text(e.low)}-{expression_text(e.high)}"


@expression_text.register(x.Interface)
def _(e: x.Interface) -> str:
    return quoted(interface_pattern(e))


def interface_pattern(interface: x.Interface) -> str:
    """The name as nft matches it: a star at the end is a wildcard unless it is escaped."""
    if interface.wildcard:
        return f"{interface.name}*"
    if interface.name.endswith("*"):
        return f"{interface.name[:-1]}\\*"
    return interface.name


@expression_text.register(x.Flags)
def _(e: x.Flags) -> str:
    return ",".join(e.names)


@expression_text.register(x.AnonymousSet)
def _(e: x.AnonymousSet) -> str:
    return f"{{ {', '.join(map(element_text, e.elements))} }}"


def element_text(element: x.Expression) -> str:
    """An element of a set, where a comma would end it."""
    if isinstance(element, x.Flags):
        return " | ".join(element.names)
    return expression_text(element)


@expression_text.register(x.CatchAll)
def _(_catch_all: x.CatchAll) -> str:
    return "*"


@expression_text.register(x.Element)
def _(e: x.Element) -> str:
    words = [element_text(e.key)]
    if e.counter is not None:
        words.append("counter packets {} bytes {}".format(*e.counter))
    if e.timeout is not None:
        words.append(f"timeout {duration(e.timeout)}")
    if e.expires is not None:
        seconds, milliseconds = divmod(e.expires, 1000)
        words.append(f"expires {seconds}s{milliseconds}ms")
    if e.comment:
        words.append(f"comment {quoted(e.comment)}")
    return " ".join(words)


@expression_text.register(x.Pair)
def _(e: x.Pair) -> str:
    value = e.value
    text = statement_text(value) if isinstance(value, s.Verdict) else element_text(value)
    return f"{element_text(e.key)} : {text}"


@expression_text.register(x.SetReference)
def _(e: x.SetReference) -> str:
    return f"@{e.name}"


# --- statements ---------------------------------------------------------------------------------


@singledispatch
def statement_text(statement: s.Statement) -> str:
    """A statement, as nft reads it."""
    raise TypeError(f"no text for {statement!r}")


@statement_text.register(s.Match)
def _(match: s.Match) -> str:
    # A comparison without a sign is an equality, or for a bit mask "some of these bits".
    bare = match.operator == "in" or (
        match.operator == "=="
        and not isinstance(match.left, x.Binary)
        and (match.left not in MASKS or isinstance(match.right, _SETS))
    )
    sign = "" if bare else f"{match.operator} "
    return f"{expression_text(match.left)} {sign}{_compared(match)}"


#: Expressions whose values are bit masks.
MASKS = frozenset({x.Ct("state"), x.Ct("status"), x.Payload("tcp", "flags")})
_SETS = (x.AnonymousSet, x.SetReference)


def _compared(match: s.Match) -> str:
    if isinstance(match.right, x.Flags) and match.operator in {"==", "!="}:
        return _operand(match.right)
    return expression_text(match.right)


@statement_text.register(s.Counter)
def _(counter: s.Counter) -> str:
    if counter.packets or counter.bytes:
        return f"counter packets {counter.packets} bytes {counter.bytes}"
    return "counter"


@statement_text.register(s.NamedCounter)
def _(counter: s.NamedCounter) -> str:
    return f"counter name {quoted(counter.name)}"


@statement_text.register(s.Accept)
def _(_accept: s.Accept) -> str:
    return "accept"


@statement_text.register(s.Drop)
def _(_drop: s.Drop) -> str:
    return "drop"


@statement_text.register(s.Return)
def _(_return: s.Return) -> str:
    return "return"


@statement_text.register(s.Continue)
def _(_continue: s.Continue) -> str:
    return "continue"


@statement_text.register(s.Jump)
def _(jump: s.Jump) -> str:
    return f"jump {jump.chain}"


@statement_text.register(s.Goto)
def _(goto: s.Goto) -> str:
    return f"goto {goto.chain}"


@statement_text.register(s.VerdictMap)
def _(statement: s.VerdictMap) -> str:
    return f"{expression_text(statement.key)} vmap {expression_text(statement.map)}"


@statement_text.register(s.UseObject)
def _(use: s.UseObject) -> str:
    if use.kind == ObjectKind.FLOWTABLE:
        return f"flow add @{use.name}"
    return f"{use.kind} {'set' if use.kind.startswith('ct ') else 'name'} {quoted(use.name)}"


@statement_text.register(s.Limit)
def _(limit: s.Limit) -> str:
    over = "over " if limit.over else ""
    if limit.unit == "packets":
        return f"limit rate {over}{limit.rate}/{limit.per} burst {limit.burst} packets"
    burst = f" burst {limit.burst} bytes" if limit.burst else ""
    return f"limit rate {over}{limit.rate} bytes/{limit.per}{burst}"


@statement_text.register(s.CtCount)
def _(count: s.CtCount) -> str:
    return f"ct count over {count.count}" if count.over else f"ct count {count.count}"


@statement_text.register(s.Last)
def _(last: s.Last) -> str:
    if last.used is None:
        return "last"
    seconds, milliseconds = divmod(last.used, 1000)
    return f"last used {duration(seconds)}{milliseconds}ms"


@statement_text.register(s.ResetOption)
def _(reset: s.ResetOption) -> str:
    return f"reset tcp option {reset.name}"


@statement_text.register(s.Quota)
def _(quota: s.Quota) -> str:
    over = "over " if quota.over else ""
    used = f" used {quota.used} bytes" if quota.used else ""
    return f"quota {over}{quota.bytes} bytes{used}"


@statement_text.register(s.Set)
def _(statement: s.Set) -> str:
    # Flags with commas would be a list here.
    return f"{expression_text(statement.key)} set {element_text(statement.value)}"


@statement_text.register(s.Nat)
def _(nat: s.Nat) -> str:
    place = _nat_address(nat.address) if nat.address else ""
    if nat.port:
        place += f":{expression_text(nat.port)}"
    words = [nat.kind, *_family(nat.family), *(("prefix",) if nat.prefix else ())]
    if place:
        words += ["to", place]
    if nat.flags:
        words.append(",".join(nat.flags))
    return " ".join(words)


def _nat_address(address: x.Expression) -> str:
    """An address or a range; IPv6 needs brackets before a port and takes them without one."""
    if isinstance(address, x.Range):
        return f"{_nat_address(address.low)}-{_nat_address(address.high)}"
    text = expression_text(address)
    return f"[{text}]" if isinstance(address, x.Host) and ":" in text else text


@statement_text.register(s.Reject)
def _(reject: s.Reject) -> str:
    if reject.protocol == "tcp":
        return f"reject with tcp {reject.reason}"
    return f"reject with {reject.protocol} type {reject.reason}"


@statement_text.register(s.Log)
def _(log: s.Log) -> str:
    words = ["log"]
    if log.prefix:
        words += ["prefix", quoted(log.prefix)]
    if log.level:
        words += ["level", log.level]
    for flag in log.flags:
        words += ["flags", flag]
    for key, number in _group(log):
        words += [key, str(number)]
    return " ".join(words)


def _group(log: s.Log) -> Iterator[tuple[str, int]]:
    """What a log statement says to nfnetlink_log, in nft's words."""
    if log.group is not None:
        yield "group", log.group
    if log.snaplen is not None:
        yield "snaplen", log.snaplen
    if log.threshold is not None:
        yield "queue-threshold", log.threshold


@statement_text.register(s.Queue)
def _(queue: s.Queue) -> str:
    # nft takes this form from 1.0.0 on, and lists it.
    flags = f" flags {','.join(queue.flags)}" if queue.flags else ""
    last = f"-{queue.last}" if queue.last != queue.first else ""
    return f"queue{flags} to {queue.first}{last}"


@statement_text.register(s.Dup)
def _(dup: s.Dup) -> str:
    device = f" device {quoted(dup.device)}" if dup.device else ""
    return f"dup to {expression_text(dup.address)}{device}"


@statement_text.register(s.Tproxy)
def _(tproxy: s.Tproxy) -> str:
    address = _nat_address(tproxy.address) if tproxy.address else ""
    port = "" if tproxy.port is None else f":{tproxy.port}"
    return " ".join(("tproxy", *_family(tproxy.family), "to", f"{address}{port}"))


def _family(family: Family | None) -> tuple[str, ...]:
    """The word for the family of an address, which only tables of both families have."""
    return (family.value,) if family else ()


@statement_text.register(s.Synproxy)
def _(synproxy: s.Synproxy) -> str:
    words = ["synproxy"]
    if synproxy.mss is not None:
        words.append(f"mss {synproxy.mss}")
    if synproxy.wscale is not None:
        words.append(f"wscale {synproxy.wscale}")
    return " ".join((*words, *synproxy.flags))


@statement_text.register(s.Notrack)
def _(_notrack: s.Notrack) -> str:
    return "notrack"


@statement_text.register(s.UpdateSet)
def _(update: s.UpdateSet) -> str:
    words = [element_text(update.key)]
    if update.timeout is not None:
        words.append(f"timeout {duration(update.timeout)}")
    if update.limit:
        words.append(statement_text(update.limit))
    if update.value:
        words += [":", element_text(update.value)]
    return f"{update.operation} @{update.set} {{ {' '.join(words)} }}"
