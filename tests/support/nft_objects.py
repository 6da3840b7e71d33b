"""Objects of the nft language, drawn at random: rules, sets, tables and whole rulesets.

Strategies are made once: hypothesis looks through each new one, which takes longer than to draw.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from vpccni_nft import nft
from vpccni_nft.core.values import Address, Family
from vpccni_nft.iptables.protocols import SCTP, TCP, UDP
from vpccni_nft.nft import expressions as x
from vpccni_nft.nft import statements as s
from vpccni_nft.nft.words import HOOKS_OF_TYPE, HookName
from vpccni_nft.simulate.constants import values_in


@functools.cache
def numbers(bits: int) -> SearchStrategy[x.Expression]:
    return st.integers(0, (1 << bits) - 1).map(x.Number)


@functools.cache
def either_base(bits: int) -> SearchStrategy[x.Expression]:
    return st.integers(0, (1 << bits) - 1).flatmap(
        lambda value: st.sampled_from([x.Number(value), x.Hex(value)])
    )


@functools.cache
def addresses(family: Family) -> SearchStrategy[Address]:
    return st.integers(0, family.all_ones).map(lambda value: Address(family, value))


@functools.cache
def prefixes(family: Family) -> SearchStrategy[x.Expression]:
    def build(value: int, length: int) -> x.Expression:
        shift = family.bits - length
        return x.Prefix(Address(family, value >> shift << shift), length)

    return st.builds(build, st.integers(0, family.all_ones), st.integers(0, family.bits - 1))


def ranges(of: SearchStrategy[Any], order: Any) -> SearchStrategy[x.Expression]:
    return st.tuples(of, of).map(lambda ends: x.Range(*sorted(ends, key=order)))


@functools.cache
def networks(family: Family) -> SearchStrategy[x.Expression]:
    hosts = addresses(family).map(x.Host)
    return hosts | prefixes(family) | ranges(hosts, lambda host: host.address.value)


def with_ranges(of: SearchStrategy[x.Expression]) -> SearchStrategy[x.Expression]:
    return of | ranges(of, lambda end: end.number if isinstance(end, x.Protocol) else end.value)


def flags(*names: str) -> SearchStrategy[x.Expression]:
    chosen = st.lists(st.sampled_from(names), min_size=1, unique=True)
    return chosen.map(lambda some: x.Flags(tuple(some)))


def symbols(*names: str) -> SearchStrategy[x.Expression]:
    return st.sampled_from(names).map(x.Symbol)


@st.composite
def interfaces(draw: st.DrawFn) -> x.Interface:
    text = st.text("abz019.-_@ ", min_size=1, max_size=13).filter(str.strip)
    return x.Interface(draw(text) + draw(st.sampled_from(["", "*"])), draw(st.booleans()))


@functools.cache
def plain_interfaces() -> SearchStrategy[x.Expression]:
    # A literal star before a wildcard's star has no spelling.
    return interfaces().filter(lambda one: not (one.wildcard and one.name.endswith("*")))


IP4, IP6 = networks(Family.IP), networks(Family.IP6)
PORTS = with_ranges(numbers(16))
MARKS = with_ranges(st.integers(0, 0xFFFFFFFF).map(x.Hex))
PROTOCOLS = with_ranges(st.integers(0, 255).map(x.Protocol))
ROUTE_TYPES = symbols("unspec", "unicast", "local", "broadcast", "anycast", "prohibit")
STATES = flags("invalid", "established", "related", "new", "untracked")
STATUSES = flags("expected", "seen-reply", "assured", "confirmed", "snat", "dnat", "dying")
TCP_FLAGS = flags("fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr")

#: What is read, and the literals it is compared with.
SELECTORS: list[tuple[x.Expression, SearchStrategy[x.Expression]]] = [
    (x.Payload("ip", "saddr"), IP4),
    (x.Payload("ip", "daddr"), IP4),
    (x.Payload("ip6", "saddr"), IP6),
    (x.Payload("ip", "protocol"), PROTOCOLS),
    (x.Payload("ip", "dscp"), with_ranges(numbers(6))),
    (x.Payload("ip", "length"), with_ranges(either_base(16))),
    (x.Payload("ip6", "hoplimit"), with_ranges(either_base(8))),
    (x.Payload("tcp", "dport"), PORTS),
    (x.Payload("th", "sport"), PORTS),
    (x.Payload("sctp", "dport"), PORTS),
    (x.Payload("icmp", "type"), with_ranges(numbers(8))),
    (x.Payload("icmpv6", "code"), with_ranges(numbers(8))),
    (x.Payload("ip6", "ecn"), with_ranges(numbers(2))),
    (x.Payload("ah", "reserved"), with_ranges(either_base(16))),
    (x.Payload("dccp", "type"), with_ranges(numbers(4))),
    (x.RawPayload("nh", 72, 32), with_ranges(either_base(32))),
    (x.RawPayload("th", 0, 16), with_ranges(either_base(16))),
    (x.TcpOption("maxseg", "size"), with_ranges(either_base(16))),
    (x.TcpOption("30"), symbols("missing", "exists")),
    (x.ExtensionHeader("mh", "type"), with_ranges(numbers(8))),
    (x.ExtensionHeader("rt", "seg-left"), with_ranges(either_base(8))),
    (x.ExtensionHeader("srh", "tag"), with_ranges(either_base(16))),
    (x.ExtensionHeader("srh", "sid[1]"), IP6),
    (x.Meta("mark"), MARKS),
    (x.Meta("l4proto"), PROTOCOLS),
    (x.Meta("iifname"), plain_interfaces()),
    (x.Meta("oifname"), plain_interfaces()),
    (x.Meta("length"), with_ranges(either_base(32))),
    (x.Meta("pkttype"), symbols("host", "broadcast", "multicast", "other")),
    (x.Meta("skuid"), with_ranges(numbers(32))),
    (x.Ct("mark"), MARKS),
    (x.Ct("direction"), symbols("original", "reply")),
    (x.Ct("ip saddr", "original"), IP4),
    (x.Ct("ip6 daddr", "reply"), IP6),
    (x.Ct("protocol", "original"), PROTOCOLS),
    (x.Ct("proto-dst", "reply"), PORTS),
    (x.Fib(("daddr",), "type"), ROUTE_TYPES),
    (x.Fib(("saddr", "mark", "iif"), "oif"), symbols("missing", "exists")),
    (x.ExtensionHeader("frag"), symbols("missing", "exists")),
    (x.ExtensionHeader("frag", "frag-off"), with_ranges(either_base(13))),
    (x.Numgen(7), numbers(3)),
    (x.Numgen(100, "random", 5), numbers(6)),
]
MASKS: list[tuple[x.Expression, SearchStrategy[x.Expression]]] = [
    (x.Ct("state"), STATES),
    (x.Ct("status"), STATUSES),
    (x.Payload("tcp", "flags"), TCP_FLAGS),
]
#: What is masked, with which masks, and the results.
MASKED: list[tuple[x.Expression, SearchStrategy[x.Expression], SearchStrategy[x.Expression]]] = [
    (x.Meta("mark"), st.integers(0, 0xFFFFFFFF).map(x.Hex), MARKS),
    (x.Ct("mark"), st.integers(0, 0xFFFFFFFF).map(x.Hex), MARKS),
    (x.Payload("ip", "saddr"), addresses(Family.IP).map(x.Host), IP4),
    (x.Payload("ip", "frag-off"), st.integers(0, 0xFFFF).map(x.Hex), either_base(16)),
    (x.Meta("random"), either_base(32), either_base(32)),
    (x.Payload("tcp", "flags"), TCP_FLAGS, TCP_FLAGS | st.just(x.Hex(0))),
]

NAMES = st.from_regex(r"[A-Za-z_.][A-Za-z0-9/_.-]{0,20}", fullmatch=True).filter(
    lambda name: name != "."
)
STRINGS = st.text("abz XYZ019-_.,;:#{}()[]'@$&|\\/é→", max_size=30)
SOME = st.integers(0, 2**63)
VERDICTS = st.sampled_from(
    [s.Accept(), s.Drop(), s.Return(), s.Continue()]
) | st.one_of(st.builds(s.Jump, NAMES), st.builds(s.Goto, NAMES))  # fmt: skip
REFERENCES = st.builds(x.SetReference, NAMES)


@functools.cache
def decorated(keys: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Keys, some of them with what a set can keep beside them."""
    dressed = st.builds(
        x.Element,
        keys,
        counter=st.none() | st.tuples(SOME, SOME),
        timeout=st.none() | st.integers(0, 10**8),
        expires=st.none() | st.integers(0, 10**11),
        comment=STRINGS,
    )
    return keys | dressed.filter(lambda element: element != x.Element(element.key))


@functools.cache
def anonymous(elements: SearchStrategy[Any]) -> SearchStrategy[x.AnonymousSet]:
    return st.lists(elements, min_size=1, max_size=5).map(lambda some: x.AnonymousSet(tuple(some)))


@functools.cache
def keys() -> SearchStrategy[tuple[x.Expression, SearchStrategy[Any]]]:
    """An expression alone or several as one, and the elements that it is looked up among."""
    single = st.sampled_from(SELECTORS + MASKS)
    several = st.lists(single, min_size=2, max_size=4).map(
        lambda some: (
            x.Concat(tuple(part for part, _ in some)),
            st.tuples(*(literals for _, literals in some)).map(x.Concat),
        )
    )
    return single | several


@functools.cache
def matches() -> SearchStrategy[s.Statement]:
    equal = st.sampled_from(["==", "!="])
    order = st.sampled_from(["<", ">", "<=", ">="])
    lonely = st.sampled_from(SELECTORS).flatmap(
        lambda one: st.builds(s.Match, st.just(one[0]), equal, one[1])
    )
    ordered = st.builds(s.Match, st.just(x.Meta("length")), order, either_base(32))
    masks = st.sampled_from(MASKS).flatmap(
        lambda one: st.builds(
            s.Match, st.just(one[0]), st.sampled_from(["in", "!", "==", "!="]), one[1]
        )
    )
    masked = st.sampled_from(MASKED).flatmap(
        lambda one: st.builds(
            s.Match, st.builds(x.Binary, st.just("&"), st.just(one[0]), one[1]), equal, one[2]
        )
    )
    looked_up = keys().flatmap(
        lambda one: st.builds(
            s.Match, st.just(one[0]), equal, REFERENCES | anonymous(decorated(one[1]))
        )
    )
    return st.one_of(lonely, ordered, masks, masked, looked_up)


@functools.cache
def pairs(of: SearchStrategy[Any], values: SearchStrategy[Any]) -> SearchStrategy[x.AnonymousSet]:
    return anonymous(st.builds(x.Pair, decorated(of | st.just(x.CatchAll())), values))


@functools.cache
def lookups(values: SearchStrategy[Any]) -> SearchStrategy[x.Expression]:
    return keys().flatmap(
        lambda one: st.builds(x.Lookup, st.just(one[0]), REFERENCES | pairs(one[1], values))
    )


@functools.cache
def marks() -> SearchStrategy[x.Expression]:
    bits = st.integers(0, 0xFFFFFFFF).map(x.Hex)
    chains = st.sampled_from(["&", "^", "|", "&^", "&|", "^|", "&^|"])

    def chain(key: x.Expression, operators: str, values: list[x.Hex]) -> x.Expression:
        for operator, value in zip(operators, values, strict=False):
            key = x.Binary(operator, key, value)
        return key

    keys_ = st.sampled_from([x.Meta("mark"), x.Ct("mark")])
    changed = st.builds(chain, keys_, chains, st.lists(bits, min_size=3, max_size=3))
    return bits | keys_ | changed | lookups(bits)


@functools.cache
def nats(family: Family) -> SearchStrategy[tuple[s.Statement, ...]]:
    """Statements of NAT; ahead of those that may map ports the protocol, without which none do."""
    hosts = addresses(family).map(x.Host)
    places = hosts | ranges(hosts, lambda host: host.address.value)
    some = st.lists(st.sampled_from(["random", "fully-random", "persistent"]), unique=True).map(
        tuple
    )
    kinds = st.sampled_from(["snat", "dnat"])
    local = st.sampled_from(["masquerade", "redirect"])
    of_any = st.one_of(
        st.builds(s.Nat, kinds, places, st.none(), some),
        st.builds(s.Nat, local, st.none(), st.none(), some),
    )
    of_one = st.one_of(
        st.builds(s.Nat, kinds, st.none() | places, PORTS, some),
        # The map that is named may hold ports.
        st.builds(s.Nat, kinds, lookups(hosts), st.none(), some),
        st.builds(s.Nat, local, st.none(), PORTS, some),
    )
    protocol = st.sampled_from([TCP, UDP, SCTP]).map(
        lambda number: s.Match(x.Meta("l4proto"), "==", x.Protocol(number))
    )
    return st.tuples(of_any) | st.tuples(protocol, of_one)


LOG_FLAGS = ["tcp sequence", "tcp options", "ip options", "skuid", "ether"]


REJECTS = {
    Family.IP: (s.Reject("icmp", "port-unreachable"), s.Reject("icmp", "admin-prohibited")),
    Family.IP6: (s.Reject("icmpv6", "port-unreachable"), s.Reject("icmpv6", "no-route")),
}


@functools.cache
def statements(family: Family) -> SearchStrategy[tuple[s.Statement, ...]]:
    """One statement, or one of NAT with what it needs ahead."""
    verdict_maps = keys().flatmap(
        lambda one: st.builds(s.VerdictMap, st.just(one[0]), REFERENCES | pairs(one[1], VERDICTS))
    )
    others = [
        matches(),
        verdict_maps,
        VERDICTS,
        st.builds(s.Counter, SOME, SOME),
        st.builds(s.NamedCounter, NAMES),
        st.builds(s.Assign, st.sampled_from([x.Meta("mark"), x.Ct("mark")]), marks()),
        st.builds(s.Assign, st.just(x.Ct("zone", "original")), either_base(16)),
        st.builds(
            s.Limit,
            st.integers(1, 2**32),
            st.sampled_from(["second", "minute", "hour", "day", "week"]),
            st.integers(0, 2**32 - 1),
            st.booleans(),
        ),
        st.builds(
            s.Log,
            STRINGS,
            st.sampled_from(["", "emerg", "info", "debug"]),
            st.lists(st.sampled_from(LOG_FLAGS), unique=True).map(tuple),
        ),
        st.sampled_from(
            [
                s.Notrack(),
                s.Reject("tcp", "reset"),
                *REJECTS[family],
            ]
        ),
        st.builds(
            s.UpdateSet,
            st.sampled_from(["add", "update", "delete"]),
            NAMES,
            keys().map(lambda one: one[0]),
            st.none() | st.integers(0, 10**8),
        ),
    ]
    return st.one_of(nats(family), *map(st.tuples, others))


@functools.cache
def rules(family: Family) -> SearchStrategy[nft.Rule]:
    some = st.lists(statements(family), min_size=1, max_size=5)
    listed = some.map(lambda parts: tuple(itertools.chain.from_iterable(parts)))
    return st.builds(nft.Rule, listed, STRINGS)


#: Data types with their values.
TYPES: list[tuple[str, SearchStrategy[Any]]] = [
    ("ipv4_addr", IP4), ("ipv6_addr", IP6), ("inet_proto", PROTOCOLS), ("inet_service", PORTS),
    ("mark", MARKS), ("ifname", plain_interfaces()), ("ct_state", STATES),
    ("icmp_type", with_ranges(numbers(8))),
]  # fmt: skip


@functools.cache
def key_types() -> SearchStrategy[tuple[str, SearchStrategy[Any]]]:
    single = st.sampled_from(TYPES)
    several = st.lists(single, min_size=2, max_size=4).map(
        lambda some: (
            " . ".join(name for name, _ in some),
            st.tuples(*(literals for _, literals in some)).map(x.Concat),
        )
    )
    return single | several


def bare_key(element: x.Expression) -> x.Expression:
    """What a set can hold once."""
    key = element.key if isinstance(element, x.Pair) else element
    return key.key if isinstance(key, x.Element) else key


FIELDS_OF_SETS = st.fixed_dictionaries(
    {
        "flags": st.lists(st.sampled_from(["interval", "timeout", "dynamic"]), unique=True).map(
            tuple
        ),
        "timeout": st.none() | st.integers(0, 10**8),
        "size": st.none() | st.integers(0, 2**32 - 1),
        "counts": st.booleans(),
        "auto_merge": st.booleans(),
        "comment": STRINGS,
    }
)
DATA_OF_MAPS = st.just(("verdict", VERDICTS)) | key_types()


@st.composite
def sets(draw: st.DrawFn, name: str) -> nft.Set:
    type_, literals = draw(key_types())
    fields: dict[str, Any] = draw(FIELDS_OF_SETS)
    if draw(st.booleans()):
        elements = tuple(draw(st.lists(decorated(literals), max_size=4, unique_by=bare_key)))
        return nft.Set(name, type_, elements=elements, **fields)
    data, values = draw(DATA_OF_MAPS)
    listed = st.builds(x.Pair, decorated(literals), values)
    some = draw(st.lists(listed, max_size=4, unique_by=bare_key))
    return nft.Map(name, type_, elements=tuple(some), data=data, **fields)


#: At ingress there are devices, and tables of other families.
PLACES_OF_CHAINS = sorted(
    (type_, hook)
    for type_, hooks in HOOKS_OF_TYPE.items()
    for hook in hooks
    if hook is not HookName.INGRESS
)
HOOKS = st.none() | st.builds(
    lambda place, *rest: nft.Hook(*place, *rest),
    st.sampled_from(PLACES_OF_CHAINS),
    st.integers(-400, 400),
    st.sampled_from(["accept", "drop"]),
)
TWO_NAMES = st.lists(NAMES, unique=True, max_size=2)


@functools.cache
def rows_of_rules(family: Family) -> SearchStrategy[tuple[nft.Rule, ...]]:
    return st.lists(rules(family), max_size=4).map(tuple)


@st.composite
def tables(draw: st.DrawFn, family: Family, name: str) -> nft.Table:
    listed = rows_of_rules(family)
    table = nft.Table(
        family,
        name,
        tuple(
            # Nothing that is drawn jumps to such a chain, so none leads back.
            nft.Chain(f"from-{one}", draw(listed), draw(HOOKS), draw(STRINGS))
            for one in draw(TWO_NAMES)
        ),
        tuple(draw(sets(one)) for one in draw(TWO_NAMES)),
        tuple(
            nft.CounterObject(one, draw(SOME), draw(SOME), draw(STRINGS)) for one in draw(TWO_NAMES)
        ),
        draw(STRINGS),
    )
    return completed(table)


def completed(table: nft.Table) -> nft.Table:
    """With all that its rules and maps name."""
    chains = {chain.name: chain for chain in table.chains}
    sets_ = {set_.name: set_ for set_ in table.sets}
    counters = {counter.name: counter for counter in table.counters}
    for value in values_in(table):
        match value:
            case s.Jump(name) | s.Goto(name):
                chains.setdefault(name, nft.Chain(name))
            case x.SetReference(name) | s.UpdateSet(set=name):
                sets_.setdefault(name, nft.Set(name, "mark"))
            case s.NamedCounter(name):
                counters.setdefault(name, nft.CounterObject(name))
    return attrs.evolve(
        table,
        chains=tuple(chains.values()),
        sets=tuple(sets_.values()),
        counters=tuple(counters.values()),
    )


TWO_PLACES = st.lists(st.tuples(st.sampled_from(Family), NAMES), unique=True, max_size=2)


@st.composite
def rulesets(draw: st.DrawFn) -> nft.Ruleset:
    return nft.Ruleset(tuple(draw(tables(*place)) for place in draw(TWO_PLACES)))
