"""Read back what is written, what nft lists, and what others load; refuse the rest with a place."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import vpccni_nft
from vpccni_nft import nft
from vpccni_nft.core.diagnostics import NFT_LOOP, NFT_MISSING, NFT_SYNTAX
from vpccni_nft.core.render import as_dict, render
from vpccni_nft.core.span import Source
from vpccni_nft.core.values import Address, Family
from vpccni_nft.nft import expressions as x
from vpccni_nft.nft import statements as s
from vpccni_nft.nft.datatypes import INET_SERVICE, IPV4_ADDR
from vpccni_nft.nft.words import HOOKS_OF_TYPE
from vpccni_nft.simulate.constants import values_in
from vpccni_nft.text.nft_reader import load
from vpccni_nft.text.nft_script import rule_text, statement_text

from ..support.corpus import FOLDER, NODES, allowances, name_of
from ..support.namespaces import Namespace
from ..support.vectors import VECTORS, Vector

NATIVE = sorted((FOLDER / "native").glob("*.nft"))


# --- what is written ----------------------------------------------------------------------------


def translated(path: Path) -> nft.Ruleset:
    dump = path.read_text()
    return vpccni_nft.translate(dump, allow=allowances(dump)).ruleset


@pytest.mark.parametrize("path", NODES, ids=name_of)
def test_the_script_of_a_node_is_read_back(path: Path) -> None:
    ruleset = translated(path)
    assert nft.parse(nft.serialize(ruleset, header="a header; with { signs")) == ruleset


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_what_a_vector_gives_is_read_back(vector: Vector) -> None:
    translation = vector.translate()
    if not translation.refused:
        assert nft.parse(translation.script()) == translation.ruleset


# --- any objects at all -------------------------------------------------------------------------


def numbers(bits: int) -> SearchStrategy[x.Expression]:
    return st.integers(0, (1 << bits) - 1).map(x.Number)


def either_base(bits: int) -> SearchStrategy[x.Expression]:
    return st.integers(0, (1 << bits) - 1).flatmap(
        lambda value: st.sampled_from([x.Number(value), x.Hex(value)])
    )


def addresses(family: Family) -> SearchStrategy[Address]:
    return st.integers(0, family.all_ones).map(lambda value: Address(family, value))


def prefixes(family: Family) -> SearchStrategy[x.Expression]:
    def build(value: int, length: int) -> x.Expression:
        shift = family.bits - length
        return x.Prefix(Address(family, value >> shift << shift), length)

    return st.builds(build, st.integers(0, family.all_ones), st.integers(0, family.bits - 1))


def ranges(of: SearchStrategy[Any], order: Any) -> SearchStrategy[x.Expression]:
    return st.tuples(of, of).map(lambda ends: x.Range(*sorted(ends, key=order)))


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


def anonymous(elements: SearchStrategy[Any]) -> SearchStrategy[x.AnonymousSet]:
    return st.lists(elements, min_size=1, max_size=5).map(lambda some: x.AnonymousSet(tuple(some)))


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


def pairs(of: SearchStrategy[Any], values: SearchStrategy[Any]) -> SearchStrategy[x.AnonymousSet]:
    return anonymous(st.builds(x.Pair, decorated(of | st.just(x.CatchAll())), values))


def lookups(values: SearchStrategy[Any]) -> SearchStrategy[x.Expression]:
    return keys().flatmap(
        lambda one: st.builds(x.Lookup, st.just(one[0]), REFERENCES | pairs(one[1], values))
    )


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


def nats(family: Family) -> SearchStrategy[s.Statement]:
    hosts = addresses(family).map(x.Host)
    places = hosts | ranges(hosts, lambda host: host.address.value)
    some = st.lists(st.sampled_from(["random", "fully-random", "persistent"]), unique=True).map(
        tuple
    )
    kinds = st.sampled_from(["snat", "dnat"])
    local = st.sampled_from(["masquerade", "redirect"])
    return st.one_of(
        st.builds(s.Nat, kinds, places, st.none() | PORTS, some),
        st.builds(s.Nat, kinds, st.none(), PORTS, some),
        st.builds(s.Nat, kinds, lookups(hosts), st.none(), some),
        st.builds(s.Nat, local, st.none(), st.none() | PORTS, some),
    )


LOG_FLAGS = ["tcp sequence", "tcp options", "ip options", "skuid", "ether"]


def statements(family: Family) -> SearchStrategy[s.Statement]:
    verdict_maps = keys().flatmap(
        lambda one: st.builds(s.VerdictMap, st.just(one[0]), REFERENCES | pairs(one[1], VERDICTS))
    )
    return st.one_of(
        matches(),
        verdict_maps,
        VERDICTS,
        nats(family),
        st.builds(s.Counter, SOME, SOME),
        st.builds(s.NamedCounter, NAMES),
        st.builds(s.Set, st.sampled_from([x.Meta("mark"), x.Ct("mark")]), marks()),
        st.builds(s.Set, st.just(x.Ct("zone", "original")), either_base(16)),
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
                s.Reject("icmp", "port-unreachable"),
                s.Reject("icmp", "admin-prohibited"),
                s.Reject("icmpv6", "no-route"),
            ]
        ),
        st.builds(
            s.UpdateSet,
            st.sampled_from(["add", "update", "delete"]),
            NAMES,
            keys().map(lambda one: one[0]),
            st.none() | st.integers(0, 10**8),
        ),
    )


def rules(family: Family) -> SearchStrategy[nft.Rule]:
    listed = st.lists(statements(family), min_size=1, max_size=5).map(tuple)
    return st.builds(nft.Rule, listed, STRINGS)


#: Data types with their values.
TYPES: list[tuple[str, SearchStrategy[Any]]] = [
    ("ipv4_addr", IP4), ("ipv6_addr", IP6), ("inet_proto", PROTOCOLS), ("inet_service", PORTS),
    ("mark", MARKS), ("ifname", plain_interfaces()), ("ct_state", STATES),
    ("icmp_type", with_ranges(numbers(8))),
]  # fmt: skip


def key_types() -> SearchStrategy[tuple[str, SearchStrategy[Any]]]:
    single = st.sampled_from(TYPES)
    several = st.lists(single, min_size=2, max_size=4).map(
        lambda some: (
            " . ".join(name for name, _ in some),
            st.tuples(*(literals for _, literals in some)).map(x.Concat),
        )
    )
    return single | several


@st.composite
def sets(draw: st.DrawFn, name: str) -> nft.Set:
    type_, literals = draw(key_types())
    fields: dict[str, Any] = {
        "flags": tuple(
            draw(st.lists(st.sampled_from(["interval", "timeout", "dynamic"]), unique=True))
        ),
        "timeout": draw(st.none() | st.integers(0, 10**8)),
        "size": draw(st.none() | st.integers(0, 2**32 - 1)),
        "counts": draw(st.booleans()),
        "auto_merge": draw(st.booleans()),
        "comment": draw(STRINGS),
    }
    if draw(st.booleans()):
        elements = tuple(draw(st.lists(decorated(literals), max_size=4)))
        return nft.Set(name, type_, elements=elements, **fields)
    data, values = draw(st.just(("verdict", VERDICTS)) | key_types())
    some = draw(st.lists(st.builds(x.Pair, decorated(literals), values), max_size=4))
    return nft.Map(name, type_, elements=tuple(some), data=data, **fields)


@st.composite
def tables(draw: st.DrawFn, family: Family, name: str) -> nft.Table:
    def unique() -> list[str]:
        return draw(st.lists(NAMES, unique=True, max_size=2))

    types = [(type_, hook) for type_, hooks in HOOKS_OF_TYPE.items() for hook in hooks]
    hooks = st.builds(
        lambda place, *rest: nft.Hook(*place, *rest),
        st.sampled_from(sorted(types)),
        st.integers(-400, 400),
        st.sampled_from(["accept", "drop"]),
    )
    listed = st.lists(rules(family), max_size=4).map(tuple)
    table = nft.Table(
        family,
        name,
        tuple(
            # Nothing that is drawn jumps to such a chain, so none leads back.
            nft.Chain(f"from-{one}", draw(listed), draw(st.none() | hooks), draw(STRINGS))
            for one in unique()
        ),
        tuple(draw(sets(one)) for one in unique()),
        tuple(nft.Counter(one, draw(SOME), draw(SOME), draw(STRINGS)) for one in unique()),
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
                counters.setdefault(name, nft.Counter(name))
    return attrs.evolve(
        table,
        chains=tuple(chains.values()),
        sets=tuple(sets_.values()),
        counters=tuple(counters.values()),
    )


@st.composite
def rulesets(draw: st.DrawFn) -> nft.Ruleset:
    places = st.tuples(st.sampled_from(Family), NAMES)
    return nft.Ruleset(
        tuple(draw(tables(*place)) for place in draw(st.lists(places, unique=True, max_size=2)))
    )


@given(rulesets())
def test_any_ruleset_is_read_back(ruleset: nft.Ruleset) -> None:
    assert nft.parse(nft.serialize(ruleset)) == ruleset


@given(rulesets())
def test_any_ruleset_has_a_form_in_json(ruleset: nft.Ruleset) -> None:
    assert json.loads(json.dumps(nft.as_json(ruleset)))


@given(st.sampled_from(Family).flatmap(rules))
def test_a_rule_is_one_line(rule: nft.Rule) -> None:
    assert len(rule_text(rule).splitlines()) == 1


# --- what nft lists -----------------------------------------------------------------------------


def steady(listing: str) -> str:
    """A listing without what changes by itself: how long elements stay."""
    return re.sub(r" expires \S+", "", listing)


@pytest.mark.kernel
@pytest.mark.parametrize("path", NODES, ids=name_of)
def test_the_listing_of_a_node_is_read_and_loaded_again(path: Path, namespace: Namespace) -> None:
    namespace.load(nft.serialize(translated(path)))
    listing = namespace.list_ruleset()
    namespace.load(nft.serialize(nft.parse(listing)))
    assert namespace.list_ruleset() == listing


@pytest.mark.kernel
@pytest.mark.parametrize("path", NODES, ids=name_of)
def test_the_listing_of_a_node_is_the_same_with_handles(path: Path, namespace: Namespace) -> None:
    namespace.load(nft.serialize(translated(path)))
    listed = nft.parse(namespace.list_ruleset())
    assert nft.parse(namespace.run("nft", "-a", "list", "ruleset")) == listed
    assert nft.parse(namespace.run("nft", "-s", "list", "ruleset")) == listed


def loadable(path: Path) -> str:
    """A native ruleset without what nft prints of iptables extensions, but cannot read."""
    return re.sub(r"xt match \w+ *", "", path.read_text())


def test_there_are_native_rulesets() -> None:
    assert len(NATIVE) >= 7


@pytest.mark.kernel
@pytest.mark.parametrize("path", NATIVE, ids=lambda path: path.stem)
def test_a_native_ruleset_is_read_and_loaded_again(path: Path, namespace: Namespace) -> None:
    namespace.load(loadable(path))
    listing = namespace.list_ruleset()
    from_listing = nft.parse(listing)
    namespace.load(nft.serialize(from_listing))
    assert steady(namespace.list_ruleset()) == steady(listing)
    namespace.load(nft.serialize(nft.parse(loadable(path))))
    assert steady(namespace.list_ruleset()) == steady(listing)
    with_handles = nft.parse(namespace.run("nft", "-a", "list", "ruleset"))
    assert without_times(with_handles) == without_times(from_listing)


def without_times(ruleset: nft.Ruleset) -> nft.Ruleset:
    return nft.parse(steady(nft.serialize(ruleset)))


#: A line that nft 1.0.6 does not take from JSON: comments but those of rules and elements.
_COMMENT_LINE = re.compile(r'^\s*comment ".*"\n', re.MULTILINE)
_ELEMENT_COUNTER = re.compile(r"(elements = .*) counter packets \d+ bytes \d+")


@pytest.mark.kernel
@pytest.mark.parametrize(
    "path", [path for path in NATIVE if path.stem != "sets-and-maps"], ids=lambda path: path.stem
)
def test_a_native_ruleset_is_the_same_by_json(path: Path, namespace: Namespace) -> None:
    ruleset = nft.parse(loadable(path))
    namespace.load(nft.serialize(ruleset))
    listing = namespace.list_ruleset()
    namespace.load(json.dumps(nft.as_json(ruleset)), form="json")
    assert _of_json(namespace.list_ruleset()) == _of_json(listing)


def _of_json(listing: str) -> str:
    return _ELEMENT_COUNTER.sub(r"\1", _COMMENT_LINE.sub("", steady(listing)))


# --- spellings ----------------------------------------------------------------------------------


def read_rule(text: str, family: str = "ip") -> nft.Rule:
    sets = "set x { type mark; }\nmap m { type mark : verdict; }\n"
    (table,) = nft.parse(f"table {family} t {{\n{sets}\tchain c {{\n\t\t{text}\n\t}}\n}}\n").tables
    ((rule,),) = (chain.rules for chain in table.chains)
    return rule


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mark and 0x4000 == 0 return", "meta mark & 0x00004000 == 0x0 return"),
        ("mark set mark xor 0x4000", "meta mark set meta mark ^ 0x00004000"),
        ("ct mark set ct mark or 128", "ct mark set ct mark | 0x80"),
        ("tcp flags syn / fin,syn,rst,ack", "tcp flags & (fin | syn | rst | ack) == syn"),
        ("tcp flags != syn / fin,syn", "tcp flags & (fin | syn) != syn"),
        ("tcp flags == 0x12", "tcp flags == (syn | ack)"),
        ("tcp flags set 0x12", "tcp flags set syn | ack"),
        ("queue num 1-3 bypass", "queue flags bypass to 1-3"),
        ("queue", "queue num 0"),
        ("meta priority set 1:f", "meta priority set 0x1000f"),
        ("meta priority set root", "meta priority set 0xffffffff"),
        ("meta priority set none", "meta priority set 0"),
        ("dnat ip prefix to 10.1.2.3/16", "dnat prefix to 10.1.0.0/16"),
        ("tcp dport 1 tproxy ip to :1", "tcp dport 1 tproxy to :1"),
        ("dup to 10.0.0.1 device eth0", 'dup to 10.0.0.1 device "eth0"'),
        ("ip dscp set cs1 ip ecn set ce", "ip dscp set 8 ip ecn set 3"),
        ("ct state established | related", "ct state established,related"),
        ("icmp type echo-request icmp code net-unreachable", "icmp type 8 icmp code 0"),
        ("icmpv6 type { nd-neighbor-solicit }", "icmpv6 type { 135 }"),
        ("meta l4proto ipencap", "meta l4proto 4"),
        ("ip protocol { tcp, 17 }", "ip protocol { 6, udp }"),
        ("ip dscp af11", "ip dscp 0x0a"),
        ("tcp dport https", "tcp dport 443"),
        ("tcp dport eq 80 tcp sport ne 80", "tcp dport 80 tcp sport != 80"),
        ("ip saddr 10.1.2.3/8 ip daddr 10.0.0.1/32", "ip saddr 10.0.0.0/8 ip daddr 10.0.0.1"),
        ("ip frag-off & 8191 == 0", "ip frag-off & 0x1fff == 0"),
        ("snat to 10.0.0.4/30:80", "snat to 10.0.0.4-10.0.0.7:80"),
        ("dnat ip to 10.0.0.4", "dnat to 10.0.0.4"),
        ("reject", "reject with icmp type port-unreachable"),
        ("reject with icmp 13", "reject with icmp admin-prohibited"),
        ("log level warn", "log"),
        ("log flags all", "log flags tcp sequence,options flags ip options flags skuid,ether"),
        ("limit rate 5/second", "limit rate 5/second burst 5 packets"),
        ("limit rate over 5 kbytes/second", "limit rate over 5120 bytes/second"),
        ("limit rate 1 bytes/day burst 2 kbytes", "limit rate 1 bytes/day burst 2048 bytes"),
        ("ct count 5", "ct count 5"),
        ("ct count over 5", "ct count over 5"),
        ("quota until 1 mbytes", "quota 1048576 bytes"),
        ("quota over 1000 bytes used 500 bytes", "quota over 1000 bytes used 500 bytes"),
        (
            "update @x { ip saddr timeout 1m limit rate 5/second }",
            "update @x { ip saddr timeout 60s limit rate 5/second burst 5 packets }",
        ),
        ("add @x { ip saddr ct count over 5 }", "add @x { ip saddr ct count over 5 }"),
        ("iifname lo", 'iifname "lo"'),
        ("update @x { ip saddr timeout 1m30s }", "update @x { ip saddr timeout 90s }"),
        ("counter packets 0 bytes 0 accept # handle 7", "counter accept"),
        ("fib daddr type 2", "fib daddr type local"),
    ],
)
def test_two_spellings_are_one_rule(one: str, other: str) -> None:
    if "skuid,ether" in other:
        other = other.replace("skuid,ether", "skuid flags ether")
    assert read_rule(one) == read_rule(other)
    assert read_rule(rule_text(read_rule(one))) == read_rule(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tcp flags syn", "tcp flags == syn"),
        ("ct state established", "ct state == established"),
        ("ct state established,related", "ct state == (established | related)"),
        ("tcp flags & syn == 0", "tcp flags syn"),
    ],
)
def test_flags_that_mean_something_else_are_another_rule(one: str, other: str) -> None:
    assert read_rule(one) != read_rule(other)
    assert read_rule(rule_text(read_rule(other))) == read_rule(other)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("raw", -300), ("mangle", -150), ("dstnat", -100), ("filter", 0), ("security", 50),
        ("srcnat", 100), ("dstnat + 10", -90), ("filter - 5", -5), ("srcnat -1", 99),
        ("-110", -110), ("7", 7),
    ],
)  # fmt: skip
def test_a_named_priority_is_its_number(text: str, number: int) -> None:
    chain = f"chain c {{\n type filter hook prerouting priority {text}; policy accept;\n}}"
    (table,) = nft.parse(f"table ip t {{\n{chain}\n}}").tables
    assert table.chains[0].hook == nft.Hook("filter", "prerouting", number)


def test_a_set_of_expressions_has_their_types() -> None:
    text = (
        "table ip t {\n set a {\n typeof ip saddr . tcp dport\n elements = { 1.1.1.1 . 5 }\n }\n}"
    )
    (found,) = nft.parse(text).tables[0].sets
    assert found.type == (IPV4_ADDR, INET_SERVICE)


def test_a_rule_keeps_its_place() -> None:
    text = "table ip t {\n\tchain c {\n\t\taccept\n\t\tip saddr 10.0.0.1 drop\n\t}\n}\n"
    first, second = nft.parse(text, "node.nft").tables[0].chains[0].rules
    assert first.origin is None
    assert str(second.origin) == "node.nft:4:3"


def test_nothing_at_all_is_an_empty_ruleset() -> None:
    assert nft.parse("") == nft.parse(b"\n# nothing\n\n") == nft.Ruleset()


@pytest.mark.parametrize(
    "statement",
    [
        s.Continue(),
        s.Limit(5, "second", over=True),
        s.Log("p", group=5, snaplen=0, threshold=3),
        s.Log(level="audit"),
        s.Queue(),
        s.Queue(1, 3, ("bypass", "fanout")),
        s.Dup(x.Host(Address.parse("10.0.0.1")), "eth0"),
        s.Tproxy(x.Host(Address.parse("10.0.0.1")), 80),
        s.Tproxy(x.Host(Address.parse("10.0.0.1"))),
        s.Tproxy(port=0),
        s.Synproxy(),
        s.Synproxy(1460, 7, ("timestamp", "sack-perm")),
        s.Nat("dnat", x.Prefix(Address.parse("10.1.0.0"), 16), None, ("random",), prefix=True),
        s.Nat("snat", x.Prefix(Address.parse("10.1.0.1"), 32), prefix=True),
        s.Set(x.TcpOption("maxseg", "size"), x.Rt("mtu")),
        s.Set(x.Payload("tcp", "flags"), x.Flags(("syn", "ack"))),
        s.VerdictMap(x.Meta("mark"), x.SetReference("m")),
    ],
)
def test_statements_of_the_reader_have_texts(statement: s.Statement) -> None:
    assert read_rule(statement_text(statement)).statements == (statement,)


def test_to_draw_a_number_twice_is_not_to_draw_it_once() -> None:
    draw = x.Numgen(2, "random")
    assert s.has_side_effect(s.VerdictMap(draw, x.SetReference("m")))
    assert s.has_side_effect(s.Match(x.Concat((draw, x.Meta("mark"))), "==", x.SetReference("m")))
    assert not s.has_side_effect(s.VerdictMap(x.Meta("mark"), x.SetReference("m")))


# --- what is refused ----------------------------------------------------------------------------


def refused(text: str) -> tuple[vpccni_nft.Diagnostic, ...]:
    """The diagnostics, each with a place and a text; no other exception, and no long wait."""
    start = time.perf_counter()
    with pytest.raises(vpccni_nft.Refused) as caught:
        nft.parse(text, name="node.nft")
    assert time.perf_counter() - start < 20
    found = caught.value.diagnostics
    assert found
    for one in found:
        assert one.code is NFT_SYNTAX
        assert one.span
        assert json.dumps(as_dict(one))
        assert render(one).startswith("node.nft:")
    return found


#: A table that more is said of.
BASE = """table ip t {
	set s { type mark; elements = { 1 }; }; map m { type mark : mark; elements = { 1 : 2 }; }
	chain c { type filter hook input priority 0; policy drop; accept; }
}
"""


def in_chain(text: str, family: str = "ip") -> str:
    return f"table {family} t {{\n\tchain c {{\n\t\t{text}\n\t}}\n}}\n"


@pytest.mark.parametrize(
    ("rule", "column"),
    [
        ("queue num 3 sometimes", 15),
        ("queue to 3-1", 12),
        ("queue to 65536", 12),
        ("dup to 10.0.0.0/8", 10),
        ("dup to 10.0.0.1 device \"eth*\"", 26),
        ("meta l4proto tcp tproxy to :80-90", 30),
        ("meta l4proto tcp tproxy ip6 to :80", 27),
        ("synproxy mss 1 mss 2", 22),
        ("synproxy timestamp timestamp", 22),
        ("meta priority set 1:", 21),
        ("dnat prefix to :80", 18),
        ("accept xt match recent", 10),
        ("ip saddr example.org accept", 12),
        ("ip saddr fd00::1 accept", 12),
        ("ip saddr 10.0.0.1-10.0.0.0 accept", 12),
        ("tcp dport 65536 accept", 13),
        ("tcp dport unheard-of accept", 13),
        ("ip nonsense 1 accept", 6),
        ("meta nonsense 1 accept", 8),
        ("ct nonsense 1 accept", 6),
        ("ct original saddr 10.0.0.0/8 accept", 15),
        ("ct state fresh accept", 12),
        ("ct state > new accept", 14),
        ("tcp dport 80,443 accept", 13),
        ("tcp dport ! 80 accept", 15),
        ("tcp dport < { 80 } accept", 17),
        ("ip saddr < 10.0.0.0/8 accept", 14),
        ("ip saddr . tcp dport 80 accept", 24),
        ("ip saddr . tcp dport { 10.0.0.1 } accept", 26),
        ("tcp dport { 80 : accept }", 15),
        ("tcp dport vmap { 80 }", 20),
        ("tcp dport vmap { 80 : 90 }", 20),
        ("tcp dport { 80 comment \"a\" comment \"b\" }", 15),
        ("meta mark set meta mark | 1 & 2", 31),
        ("meta mark set meta mark << 3", 27),
        ("meta mark set \"x\"", 17),
        ("fib daddr set 5", 13),
        ("jump 1up", 8),
        ("log prefix \"a\" prefix \"b\"", 25),
        ("log level loud", 13),
        ("log group 65536", 13),
        ("log group 5 group 5", 21),
        ("limit rate 5 gbytes/second", 16),
        ("quota 5 gbytes", 11),
        ("ct count many", 12),
        ("limit rate 5/fortnight", 14),
        ("reject with icmp nonsense", 20),
        ("reject with icmpx type admin-prohibited", 15),
        ("dnat to example.org", 11),
        ("dnat ip6 to 10.0.0.1", 8),
        ("acceptdrop", 3),
        ("tcpdport 80", 3),
        ("masquerade to 10.0.0.1", 17),
        ("update @s { ip saddr timeout 5ms }", 32),
        ("update @s { ip saddr counter }", 24),
        ("numgen any mod 2 1", 10),
        ("exthdr nonsense exists", 10),
        ("counter packets 5 accept", 21),
        ("counter packets 018 bytes 0", 19),
        ("counter packets 18446744073709551616 bytes 0", 19),
        ("accept comment \"open", 18),
        ("accept comment \"bell \a\"", 18),
        ("accept; }; delete table ip other", 14),
        ("comment \"a\"; comment \"b\"", 24),
    ],
)  # fmt: skip
def test_a_rule_that_is_not_known_is_refused_at_its_place(rule: str, column: int) -> None:
    (found, *_) = refused(in_chain(rule))
    assert found.span
    assert (found.span.line, found.span.start) == (3, column)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("table inet t {\n}\n", 1),
        ("table netdev t {\n}\n", 1),
        ("delete table ip t\n", 1),
        ("table ip t {\n}\ndelete table ip t\ndelete table ip t\n", 4),
        ("table ip t {\n}\nflush ruleset\nflush table ip t\n", 4),
        ("table ip t {\n}\nflush chain ip t c\n", 3),
        (f"{BASE}table ip t {{\n chain c {{ type nat hook input priority 0; }}\n}}\n", 6),
        (f"{BASE}table ip t {{\n set s {{ type mark; size 5; }}\n}}\n", 6),
        (f"{BASE}table ip t {{\n map m {{ type mark : mark; elements = {{ 1 : 3 }}; }}\n}}\n", 6),
        ("add rule ip t c accept\n", 1),
        ("include \"/etc/passwd\"\n", 1),
        ("define x = 5\n", 1),
        ("table ip t {\n chain c {\n }\n chain c {\n }\n}\n", 4),
        ("table ip t {\n set c {\n type mark\n }\n map c {\n type mark : mark\n }\n}\n", 5),
        ("table ip t {\n set c {\n }\n}\n", 2),
        ("table ip t {\n set c {\n type nonsense\n }\n}\n", 3),
        ("table ip t {\n set c {\n type mark\n type mark\n }\n}\n", 4),
        ("table ip t {\n set c {\n type mark\n flags odd\n }\n}\n", 4),
        ("table ip t {\n set c {\n typeof ip length\n }\n}\n", 3),
        ("table ip t {\n map c {\n type mark\n }\n}\n", 2),
        ("table ip t {\n set c {\n type mark\n gc-interval 5s\n }\n}\n", 4),
        ("table ip t {\n chain c {\n policy drop\n }\n}\n", 3),
        ("table ip t {\n chain c {\n type filter hook ingress device \"e\" priority 0\n }\n}\n", 3),
        ("table ip t {\n chain c {\n type filter hook egress priority 0\n }\n}\n", 3),
        ("table ip t {\n chain c {\n type filter hook input priority out\n }\n}\n", 3),
        ("table ip t {\n chain c {\n type filter hook input priority 5 + 5\n }\n}\n", 3),
        ("table ip t {\n flowtable f {\n }\n}\n", 2),
        ("table ip t {\n flags dormant\n}\n", 2),
        ("table ip t {\n ct helper h {\n }\n}\n", 2),
        ("table ip t {\n counter c {\n packets 1 bytes 2; packets 1 bytes 2\n }\n}\n", 3),
        ("# Generated by iptables-save\n*filter\nCOMMIT\n", 2),
        ("{\"nftables\": []}\n", 1),
    ],
)  # fmt: skip
def test_what_is_no_table_of_ours_is_refused_at_its_place(text: str, line: int) -> None:
    (found, *_) = refused(text)
    assert found.span
    assert found.span.line == line


@pytest.mark.parametrize(
    ("more", "rules", "elements", "policy"),
    [
        ("table t { chain c { drop; }; set s { type mark; elements = { 2 }; }; }\n", 2, 2, "drop"),
        ("table ip t { chain c { type filter hook input priority 0; drop; }; }\n", 2, 1, "drop"),
        (
            "table ip t { chain c { type filter hook input priority 0; policy accept; }; }\n",
            1, 1, "accept",
        ),
        ("add table ip t\n", 1, 1, "drop"),
        ("flush chain ip t c\n", 0, 1, "drop"),
        ("flush table t\n", 0, 1, "drop"),
        (f"delete table ip t\n{BASE}", 1, 1, "drop"),
        (f"destroy table ip t\ndestroy table ip t\n{BASE}", 1, 1, "drop"),
        (f"flush ruleset\n{BASE}", 1, 1, "drop"),
    ],
)  # fmt: skip
def test_a_table_that_is_there_is_added_to_flushed_or_deleted(
    more: str, rules: int, elements: int, policy: str, namespace: Namespace
) -> None:
    """In one text and in two, as the kernel has it in the end."""
    loaded = load((Source.of(BASE, "first.nft"), Source.of(more, "second.nft")))
    assert loaded.ruleset == nft.parse(BASE + more)
    (table,) = loaded.ruleset.tables
    (chain,) = table.chains
    assert chain.hook
    assert (len(chain.rules), chain.hook.policy) == (rules, policy)
    assert len(table.sets[0].elements) == elements
    namespace.load(BASE)
    if "destroy" not in more:  # nft 1.0.6 does not know it
        namespace.load(more)
        assert nft.parse(namespace.list_ruleset()) == loaded.ruleset


def test_what_is_deleted_and_not_added_again_is_gone() -> None:
    loaded = load((Source.of(BASE, "first.nft"), Source.of("delete table ip t\n", "second.nft")))
    assert loaded.ruleset == nft.Ruleset()
    assert loaded.cleared == {(Family.IP, "t")}
    assert not loaded.cleared_all


def test_every_value_that_is_wrong_is_reported_in_one_run() -> None:
    text = "tcp dport 65536\n\t\tip nonsense 1\n\t\taccept\n\t\tct state fresh"
    assert [one.span and one.span.line for one in refused(in_chain(text))] == [3, 4, 6]


WITH_XT = [path for path in NATIVE if "xt match" in path.read_text()]


@pytest.mark.parametrize(
    "path", [path for path in NATIVE if path not in WITH_XT], ids=lambda path: path.stem
)
def test_a_ruleset_without_iptables_extensions_is_read(path: Path) -> None:
    assert nft.parse(path.read_text()).tables


@pytest.mark.parametrize("path", WITH_XT, ids=lambda path: path.stem)
def test_iptables_extensions_are_refused_with_a_hint(path: Path) -> None:
    (found,) = refused(path.read_text())
    assert found.span
    assert found.span.text == "xt"
    assert "iptables-nft-save" in found.hint


def test_a_file_that_is_cut_off_is_refused_wherever_it_is_cut() -> None:
    text = next(path for path in NATIVE if path.stem == "v1.23-nft-default").read_text()
    whole = nft.parse(text)
    first = nft.Ruleset(whole.tables[:-1])
    for end in range(1, len(text.rstrip())):
        try:
            found = nft.parse(text[:end])
        except vpccni_nft.Refused as error:
            assert all(one.span for one in error.diagnostics)  # noqa: PT017
        else:
            # Between two tables nothing tells that another one should follow.
            kept = len(found.tables)
            assert found.tables == first.tables[:kept]
            assert text[:end].rstrip().endswith("}") or not kept


@given(st.text() | st.text('table ip{}chn\n;"@.:()#\\ 0x-/,'))
def test_no_text_gives_another_exception(text: str) -> None:
    for whole in (text, in_chain(text), f"table ip t {{\nset s {{\n{text}\n}}\n}}"):
        try:
            nft.parse(whole)
        except vpccni_nft.Refused as error:
            assert all(one.span and render(one) for one in error.diagnostics)  # noqa: PT017


@given(st.binary())
def test_no_bytes_give_another_exception(text: bytes) -> None:
    try:
        nft.parse(text)
    except vpccni_nft.Refused as error:
        assert all(one.span for one in error.diagnostics)  # noqa: PT017


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "{" * 1_000_000,
        in_chain("(" * 1_000_000),
        in_chain("tcp flags & " + "(" * 20_000 + "syn"),
        in_chain("tcp dport " + "{ " * 20_000),
        in_chain("meta mark set meta mark" + " | 1" * 20_000),
        in_chain("ip saddr" + " . ip saddr" * 20_000 + " @x"),
        in_chain("fib saddr" + " . iif" * 20_000 + " oif 0"),
        in_chain("tcp dport { " + "1" * 1_000_000 + " }"),
        in_chain("jump " + "x" * 1_000_000),
        in_chain('accept comment "' + "x" * 1_000_000),
        in_chain("ip saddr " + "1-" * 500_000),
        in_chain("update @s { ip saddr timeout " + "1" * 1_000_000 + "s }"),
        "table ip t {\n" * 20_000,
        "#" * 1_000_000 + "\n}",
        "\\\n" * 100_000 + "}",
        "\n" * 1_000_000 + "}",
        ";" * 1_000_000 + "}",
    ],
    ids=range(18),
)
def test_a_text_out_of_proportion_is_refused_in_time(text: str) -> None:
    assert all(len(render(one)) < 2000 for one in refused(text))


def test_a_line_of_a_megabyte_is_read_in_time() -> None:
    elements = ", ".join(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(70_000))
    start = time.perf_counter()
    text = f"table ip t {{\n set s {{\n type ipv4_addr\n elements = {{ {elements} }}\n }}\n}}"
    (found,) = nft.parse(text).tables[0].sets
    assert len(found.elements) == 70_000
    assert time.perf_counter() - start < 60


def test_objects_are_frozen() -> None:
    element = x.Element(x.Number(1))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        element.comment = "x"  # type: ignore[misc]


# --- what is named ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "message", "word"),
    [
        ("jump nowhere", "no chain nowhere", "nowhere"),
        ("goto nowhere", "no chain nowhere", "nowhere"),
        ("mark vmap { 1 : accept, 2 : jump nowhere }", "no chain nowhere", "nowhere"),
        ("mark @nothing", "no set nothing", "@nothing"),
        ("mark vmap @nothing", "no set nothing", "@nothing"),
        ("meta mark set mark map @nothing", "no set nothing", "@nothing"),
        ("add @nothing { mark }", "no set nothing", "@nothing"),
        ('counter name "nothing"', "no counter nothing", '"nothing"'),
    ],
)
def test_what_a_rule_names_has_to_be_there(rule: str, message: str, word: str) -> None:
    with pytest.raises(vpccni_nft.Refused) as refused:
        read_rule(rule)
    (found,) = refused.value.diagnostics
    assert (found.code, found.message) == (NFT_MISSING, f"the table t has {message}")
    assert found.span is not None
    assert found.span.text == word


MAPS = """table ip t {
	map m {
		type mark : verdict
		elements = { 1 : goto b }
	}
	chain a {
		type filter hook input priority 0;
		mark vmap @m
	}
	chain b {
		%s
	}
	chain c {
		jump c
	}
}
"""


def test_an_element_may_name_a_chain_that_comes_later() -> None:
    assert nft.parse(MAPS % "accept")
    with pytest.raises(vpccni_nft.Refused) as refused:
        nft.parse(MAPS.replace("goto b", "goto d") % "accept")
    (found,) = refused.value.diagnostics
    assert (found.code, str(found.span)) == (NFT_MISSING, "<string>:4:25")


@pytest.mark.parametrize("rule", ["jump b", "goto a", "mark vmap @m", "mark vmap { 1 : jump a }"])
def test_no_chain_leads_back_to_itself_from_a_hook(rule: str) -> None:
    with pytest.raises(vpccni_nft.Refused) as refused:
        nft.parse(MAPS % rule)
    (found,) = refused.value.diagnostics
    assert found.code is NFT_LOOP
    assert found.span is not None
    assert found.span.line == 11


def test_many_chains_that_share_their_callees_are_walked_once() -> None:
    chains = "".join(f"chain c{n} {{ jump c{n + 1}\n jump c{n + 1}\n }}\n" for n in range(2000))
    base = "chain a { type filter hook input priority 0; jump c0; }"
    text = f"table ip t {{ {base}\n{chains}chain c2000 {{ }}\n}}\n"
    start = time.perf_counter()
    nft.parse(text)
    assert time.perf_counter() - start < 20


# --- remarks ------------------------------------------------------------------------------------

REMARKS = """# a header; with { signs
table ip t { # handle 1
\t# of its own
\tset s { # handle 2
\t\ttype ipv4_addr # addresses
\t\telements = { 10.0.0.1, # one
\t\t\t# another
\t\t\t10.0.0.2 # two
\t\t} # behind
\t}
\tchain c { # handle 3
\t\ttype filter hook forward priority 0; policy accept; # mine
\t\t# counter of its own
\t\tip saddr 10.0.0.1 accept # handle 4
\t\taccept#handle 5
\t\ttcp dport { 80, # web
\t\t\t443 } accept comment "# no remark" # handle 7
\t}
}
# the end"""


def test_remarks_stand_where_they_hide_nothing() -> None:
    (table,) = nft.parse(REMARKS).tables
    assert len(table.sets[0].elements) == 2
    assert [rule_text(rule) for rule in table.chains[0].rules] == [
        "ip saddr 10.0.0.1 accept",
        "accept",
        'tcp dport { 80, 443 } accept comment "# no remark"',
    ]


@pytest.mark.parametrize(
    ("rule", "column"),
    [
        ("accept # mine", 10),
        ("ip saddr 10.0.0.1 counter packets 7 bytes 420 # xt_MASQUERADE", 49),
        ("counter # recent: CHECK seconds: 5 name: a side: source", 11),
        ("accept # handle 4 drop", 10),
        ("accept # handle", 10),
        ('accept comment "a" # xt_LOG', 22),
        ("# xt_multiport counter packets 1 bytes 2 drop", 3),
        ("# recent: UPDATE name: a side: source counter packets 0 bytes 0 drop", 3),
    ],
)
def test_a_remark_that_may_hide_an_extension_is_refused(rule: str, column: int) -> None:
    """What nft before 1.0.6, or built without xtables, lists of rules of iptables-nft."""
    (found,) = refused(in_chain(rule))
    assert found.span
    assert (found.span.line, found.span.start) == (3, column)
    assert "iptables-nft-save" in found.hint


# --- forms of other versions of nft -------------------------------------------------------------


@pytest.mark.parametrize(
    ("listed", "written"),
    [
        ("meta mark 0x80000000/1 accept", "meta mark & 0x80000000 == 0x80000000 accept"),
        ("ct mark 0x80000000/2 accept", "ct mark & 0xc0000000 == 0x80000000 accept"),
        ("meta mark != 0x00010000/16 accept", "meta mark & 0xffff0000 != 0x10000 accept"),
        ("meta mark { 0x00010000/16, 0x5 }", "meta mark { 0x10000-0x1ffff, 0x5 }"),
        ("icmp type redirect drop", "icmp type 5 drop"),
        ("icmp type { redirect, echo-request }", "icmp type { 5, 8 }"),
        ("fib saddr . mark . iif check missing", "fib saddr . mark . iif oif missing"),
        ("tcp option maxseg exists", "tcp option 2 exists"),
        ("tcp option sack-perm missing", "tcp option 4 missing"),
        ("ip version 4", "ip version 4"),
        ("meta mark set ct mark redirect", "meta mark set ct mark redirect"),
    ],
)
def test_a_form_of_another_version_is_read(listed: str, written: str) -> None:
    (table,) = nft.parse(in_chain(listed)).tables
    assert rule_text(table.chains[0].rules[0]) == written


@pytest.mark.parametrize(
    ("rule", "column"),
    [
        ("meta mark 0x00010001/16", 13),
        ("meta mark 0x80000000/33", 13),
        ("meta mark < 0x80000000/1", 15),
        ("ip ttl 256/8", 10),
    ],
)
def test_a_prefix_that_is_none_is_refused(rule: str, column: int) -> None:
    (found, *_) = refused(in_chain(rule))
    assert found.span
    assert (found.span.line, found.span.start) == (3, column)
