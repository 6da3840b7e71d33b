"""Every class of nft's nodes has a text, JSON, a way back from its text, and a meaning.

And none holds what nft cannot: a word that a closed set lacks, a number that its field cannot hold.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from vpccni_nft import iptables, nft
from vpccni_nft.core.values import (
    Address,
    AddressRange,
    Family,
    MaskedMark,
    Negatable,
    Network,
    PortRange,
)
from vpccni_nft.model.concrete import Concrete
from vpccni_nft.model.hook import run_hook
from vpccni_nft.model.packet import FIELDS, NoMeaning
from vpccni_nft.nft import ast, datatypes, headers, words
from vpccni_nft.nft import expressions as x
from vpccni_nft.nft import objects as o
from vpccni_nft.nft import statements as s
from vpccni_nft.semantics.nft import base_chains
from vpccni_nft.semantics.nft_shown import shown

from ..support.nft_classes import WITHOUT_MEANING, nodes_in, subclasses

MARK, ADDRESS = x.Meta("mark"), x.Payload("ip", "saddr")
HOST = x.Host(Address.parse("10.0.0.1"))
NETWORK = x.Prefix(Address.parse("10.0.0.0"), 8)
VERDICTS = x.AnonymousSet((x.Pair(HOST, s.Accept()),))


def is_(left: x.Expression, right: x.Expression) -> s.Match:
    return s.Match(left, "==", right)


#: A statement that has a node of the class in it.
STATEMENTS: dict[type, s.Statement] = {
    x.Payload: is_(ADDRESS, HOST),
    x.Meta: is_(MARK, x.Hex(1)),
    x.Ct: is_(x.Ct("ip saddr", "original"), HOST),
    x.ExtensionHeader: is_(x.ExtensionHeader("frag", "id"), x.Number(5)),
    x.RawPayload: is_(x.RawPayload("nh", 64, 8), x.Number(5)),
    x.TcpOption: is_(x.TcpOption("maxseg", "size"), x.Number(5)),
    x.RawTcpOption: is_(x.RawTcpOption(255, 8, 8), x.Number(5)),
    x.SctpChunk: is_(x.SctpChunk("data", "tsn"), x.Number(5)),
    x.IpOption: is_(x.IpOption("rr", "ptr"), x.Number(5)),
    x.Inner: is_(x.Inner("vxlan", ADDRESS), HOST),
    x.Fib: is_(x.Fib(("saddr", "iif"), "oif"), x.Symbol("missing")),
    x.Rt: is_(x.Rt("classid"), x.Number(5)),
    x.Socket: is_(x.Socket("transparent"), x.Number(1)),
    x.Ipsec: is_(x.Ipsec("in", "reqid", 1), x.Number(5)),
    x.Osf: is_(x.Osf("loose"), x.String("Linux")),
    x.Hash: is_(x.Hash(ADDRESS, 4, 7), x.Number(3)),
    x.SymmetricHash: is_(x.SymmetricHash(4, 2), x.Number(3)),
    x.Numgen: is_(x.Numgen(4), x.Number(3)),
    x.Binary: is_(x.Binary("&", MARK, x.Hex(1)), x.Hex(1)),
    x.Concat: is_(x.Concat((ADDRESS, MARK)), x.AnonymousSet((x.Concat((HOST, x.Hex(1))),))),
    x.Lookup: s.Nat("dnat", x.Lookup(ADDRESS, x.AnonymousSet((x.Pair(HOST, HOST),)))),
    x.Number: is_(x.Payload("tcp", "dport"), x.Number(80)),
    x.Hex: is_(MARK, x.Hex(80)),
    x.Symbol: is_(x.Fib(("saddr",), "type"), x.Symbol("local")),
    x.String: is_(x.Ct("helper"), x.String("ftp")),
    x.Mac: is_(x.Payload("ether", "saddr"), x.Mac(5)),
    x.Protocol: is_(x.Meta("l4proto"), x.Protocol(6)),
    x.Host: is_(ADDRESS, HOST),
    x.Prefix: is_(ADDRESS, NETWORK),
    x.Range: is_(MARK, x.Range(x.Hex(1), x.Hex(2))),
    x.Interface: is_(x.Meta("iifname"), x.Interface("eni", wildcard=True)),
    x.Flags: s.Match(x.Ct("state"), "in", x.Flags(("new", "related"))),
    x.AnonymousSet: is_(ADDRESS, x.AnonymousSet((HOST,))),
    x.SetReference: is_(ADDRESS, x.SetReference("set")),
    x.CatchAll: s.VerdictMap(ADDRESS, x.AnonymousSet((x.Pair(x.CatchAll(), s.Drop()),))),
    x.Element: is_(ADDRESS, x.AnonymousSet((x.Element(HOST, comment="mine"),))),
    x.Pair: s.VerdictMap(ADDRESS, VERDICTS),
    s.Match: is_(MARK, x.Hex(1)),
    s.Counter: s.Counter(1, 2),
    s.NamedCounter: s.NamedCounter("counter"),
    s.Accept: s.Accept(),
    s.Drop: s.Drop(),
    s.Return: s.Return(),
    s.Continue: s.Continue(),
    s.Jump: s.Jump("other"),
    s.Goto: s.Goto("other"),
    s.VerdictMap: s.VerdictMap(ADDRESS, x.SetReference("map")),
    s.Limit: s.Limit(5, "minute"),
    s.CtCount: s.CtCount(5),
    s.Quota: s.Quota(5),
    s.Last: s.Last(5000),
    s.ResetOption: s.ResetOption("mptcp"),
    s.UseObject: s.UseObject("limit", "limit"),
    s.Assign: s.Assign(MARK, x.Hex(1)),
    s.Nat: s.Nat("dnat", HOST),
    s.Reject: s.Reject("icmp", "port-unreachable"),
    s.Log: s.Log("seen: "),
    s.Queue: s.Queue(1, 2, ("bypass",)),
    s.Dup: s.Dup(HOST, "eth0"),
    s.Tproxy: s.Tproxy(HOST, 80),
    s.Synproxy: s.Synproxy(1460, 7, ("timestamp",)),
    s.Notrack: s.Notrack(),
    s.UpdateSet: s.UpdateSet("add", "dynamic", ADDRESS),
}

#: Classes that no rule can mean anything by, and why.
SETS = (
    nft.Set("set", "ipv4_addr", elements=(HOST,)),
    nft.Set("dynamic", "ipv4_addr", ("dynamic",)),
    nft.Map("map", "ipv4_addr", elements=(x.Pair(HOST, s.Accept()),)),
)


def ruleset_with(statement: s.Statement) -> nft.Ruleset:
    hook = nft.Hook("nat" if isinstance(statement, s.Nat) else "filter", "prerouting", -50)
    chains = (
        nft.Chain("other"),
        nft.Chain("chain", (nft.Rule((statement,), "why"),), hook),
    )
    limit = o.NamedStatement("limit", statement=s.Limit(5, "minute"))
    counters = (nft.CounterObject("counter"),)
    return nft.Ruleset((nft.Table(Family.IP, "t", chains, SETS, counters, objects=(limit,)),))


NODES = (x.Expression, s.Statement)
CLASSES = [*subclasses(x.Expression), *subclasses(s.Statement)]
OBJECTS: list[type] = [
    one
    for one in vars(ast).values()
    if isinstance(one, type) and attrs.has(one) and one.__module__ == ast.__name__
    # Of tables whose rules are not read there is the text alone: test_nft_commands.py.
    if one not in {ast.OtherTable, ast.OtherChain}
]
every_class = pytest.mark.parametrize("class_", CLASSES, ids=lambda one: one.__qualname__)


@every_class
def test_a_node_is_shown_in_nfts_words(class_: type) -> None:
    node = next(one for one in nodes_in(STATEMENTS[class_]) if type(one) is class_)
    text = shown(node)
    assert text.startswith(("“", "a "))
    assert f"{class_.__name__}(" not in text


@every_class
def test_a_class_has_a_specimen(class_: type) -> None:
    assert class_ in STATEMENTS, f"{class_.__qualname__} has no statement in STATEMENTS"
    assert class_ in set(map(type, nodes_in(STATEMENTS[class_])))


@every_class
def test_the_parts_of_a_statement_are_all_that_it_is_made_of(class_: type) -> None:
    found = {type(part) for part in s.parts_of(STATEMENTS[class_])}
    assert found == {type(one) for one in nodes_in(STATEMENTS[class_]) if isinstance(one, NODES)}


@every_class
def test_a_class_is_written_and_read_back(class_: type) -> None:
    ruleset = ruleset_with(STATEMENTS[class_])
    assert nft.parse(nft.serialize(ruleset)) == ruleset


@every_class
def test_a_class_has_json(class_: type) -> None:
    json.dumps(nft.as_json(ruleset_with(STATEMENTS[class_])))


@every_class
def test_a_class_has_a_meaning(class_: type) -> None:
    (table,) = ruleset_with(STATEMENTS[class_]).tables

    def run() -> None:
        packet = dict.fromkeys(FIELDS, 0) | {"protocol": 6, "length": 60, "ct_state": 8}
        run_hook(Concrete(), Family.IP, "prerouting", base_chains(table), packet)

    if class_ in WITHOUT_MEANING:
        with pytest.raises(NoMeaning):
            run()
    else:
        run()


@pytest.mark.parametrize("class_", OBJECTS, ids=lambda one: one.__qualname__)
def test_a_class_of_objects_is_written_and_read_back(class_: type) -> None:
    assert class_ in set(map(type, nodes_in(ruleset_with(s.Accept()))))


def test_a_node_prints_as_it_is_made_and_can_be_sent_elsewhere() -> None:
    match = s.Match(x.Ct("zone", "original"), "==", x.Number(5))
    assert repr(match) == (
        "Match(left=Ct(key='zone', direction='original'), operator='==', right=Number(value=5))"
    )
    assert pickle.loads(pickle.dumps(match)) == match  # noqa: S301 - bytes of our own


# --- what no node holds -------------------------------------------------------------------------


NUMBERS = [
    *(x.Payload(protocol, field) for protocol, field in headers.PAYLOADS),
    *(
        x.ExtensionHeader(name, field)
        for name, fields in headers.EXTENSION_HEADERS.items()
        for field in fields
    ),
    *(x.Meta(key) for key in words.MetaKey),
    *(x.Ct(key) for key in words.CtKey if " " not in key),
    *(x.RawPayload("th", 8, bits) for bits in (1, 8, 13, 128)),
    x.Numgen(7),
    x.Hash(ADDRESS, 7, 1),
    x.Rt("mtu"),
    x.Socket("mark"),
]


@pytest.mark.parametrize("left", NUMBERS, ids=repr)
def test_a_number_that_is_wider_than_what_it_is_compared_with(left: Any) -> None:
    key: datatypes.KeyType = left.type
    largest = key[0].largest
    assert is_(left, x.Number(largest))
    assert is_(left, x.Hex(largest))
    for literal in (x.Number(largest + 1), x.Hex(largest + 1)):
        with pytest.raises(ValueError, match="larger"):
            is_(left, literal)
        with pytest.raises(ValueError, match="larger"):
            is_(left, x.AnonymousSet((x.Range(x.Number(0), literal),)))
        with pytest.raises(ValueError, match="larger"):
            s.Assign(left, literal)
        with pytest.raises(ValueError, match="larger"):
            x.Binary("&", left, literal)
        with pytest.raises(ValueError, match="larger"):
            s.VerdictMap(left, x.AnonymousSet((x.Pair(literal, s.Drop()),)))


IP6 = x.Host(Address.parse("fd00::1"))

WRONG: dict[str, Callable[[], object]] = {
    "a hook": lambda: nft.Hook("filter", "ingress", 0),
    "a type of chains": lambda: nft.Hook("bridge", "input", 0),
    "a hook of a type": lambda: nft.Hook("nat", "forward", 0),
    "a policy": lambda: nft.Hook("filter", "input", 0, "queue"),
    "a priority": lambda: nft.Hook("filter", "input", 1 << 31),
    "an operator": lambda: s.Match(MARK, "=", x.Hex(1)),
    "an order of addresses": lambda: s.Match(x.Meta("iifname"), "<", x.Interface("eth0")),
    "some bits of a set": lambda: s.Match(x.Ct("state"), "in", x.SetReference("s")),
    "a bit operator": lambda: x.Binary("+", MARK, x.Hex(1)),
    "a key of meta": lambda: x.Meta("marc"),
    "a key of ct": lambda: x.Ct("marc"),
    "a direction": lambda: x.Ct("zone", "both"),
    "no direction": lambda: x.Ct("ip saddr"),
    "a direction of none": lambda: x.Ct("mark", "reply"),
    "a field": lambda: x.Payload("ip", "sport"),
    "a protocol of fields": lambda: x.Payload("gre", "key"),
    "a field of an extension header": lambda: x.ExtensionHeader("frag", "type"),
    "an extension header": lambda: x.ExtensionHeader("srh"),
    "a TCP option": lambda: x.TcpOption("256"),
    "a field of a TCP option": lambda: x.TcpOption("window", "size"),
    "a base": lambda: x.RawPayload("xh", 0, 8),
    "no bits": lambda: x.RawPayload("nh", 0, 0),
    "too many bits": lambda: x.RawPayload("nh", 0, 129),
    "a negative offset": lambda: x.RawPayload("nh", -8, 8),
    "two sides of fib": lambda: x.Fib(("saddr", "daddr"), "type"),
    "no side of fib": lambda: x.Fib(("mark",), "type"),
    "a flag of fib": lambda: x.Fib(("saddr", "tos"), "type"),
    "a result of fib": lambda: x.Fib(("saddr",), "mtu"),
    "a key of rt": lambda: x.Rt("nexthop"),
    "a key of socket": lambda: x.Socket("cgroupv2"),
    "a direction of ipsec": lambda: x.Ipsec("forward", "spi"),
    "a key of ipsec": lambda: x.Ipsec("in", "saddr"),
    "a way to compare a TTL": lambda: x.Osf("tight"),
    "a kind of numgen": lambda: x.Numgen(2, "any"),
    "no number below": lambda: x.Numgen(0),
    "numbers beyond": lambda: x.Numgen(2, "inc", (1 << 32) - 1),
    "a seed": lambda: x.Hash(MARK, 2, 1 << 32),
    "one part": lambda: x.Concat((MARK,)),
    "no part": lambda: x.Concat(()),
    "no flag": lambda: x.Flags(()),
    "no element": lambda: x.AnonymousSet(()),
    "a negative number": lambda: x.Number(-1),
    "a negative mark": lambda: x.Hex(-1),
    "a protocol": lambda: x.Protocol(256),
    "a hardware address": lambda: x.Mac(1 << 48),
    "a prefix too long": lambda: x.Prefix(HOST.address, 33),
    "bits outside a prefix": lambda: x.Prefix(HOST.address, 8),
    "a range backwards": lambda: x.Range(x.Number(2), x.Number(1)),
    "a range of words": lambda: x.Range(x.Symbol("local"), x.Symbol("unicast")),
    "an interface too long": lambda: x.Interface("e" * 16),
    "any interface": lambda: x.Interface("", wildcard=True),
    "a quote in a name": lambda: x.Interface('e"'),
    "a name of a set": lambda: x.SetReference("a b"),
    "a timeout": lambda: x.Element(HOST, timeout=-1),
    "a comment of an element": lambda: x.Element(HOST, comment='"'),
    "a word of another type": lambda: is_(x.Meta("pkttype"), x.Symbol("local")),
    "a flag of another type": lambda: s.Match(x.Ct("state"), "in", x.Flags(("dnat",))),
    "an address of the other family": lambda: is_(ADDRESS, IP6),
    "a port as an address": lambda: is_(x.Payload("tcp", "dport"), HOST),
    "an interface as a mark": lambda: is_(MARK, x.Interface("eth0")),
    "a name as a mark": lambda: is_(MARK, x.String("eth0")),
    "a protocol as a mark": lambda: is_(MARK, x.Protocol(6)),
    "a hardware address as a mark": lambda: is_(MARK, x.Mac(6)),
    "a key with parts": lambda: is_(x.Concat((ADDRESS, MARK)), x.AnonymousSet((HOST,))),
    "a part of another type": lambda: is_(
        x.Concat((ADDRESS, MARK)), x.AnonymousSet((x.Concat((x.Hex(1), IP6)),))
    ),
    "a set in a map's place": lambda: s.VerdictMap(ADDRESS, x.AnonymousSet((HOST,))),
    "a value for a verdict": lambda: s.VerdictMap(
        ADDRESS, x.AnonymousSet((x.Pair(HOST, x.Hex(1)),))
    ),
    "a value that is too wide": lambda: s.Assign(
        x.Meta("pkttype"), x.Lookup(ADDRESS, x.AnonymousSet((x.Pair(HOST, x.Hex(256)),)))
    ),
    "a period": lambda: s.Limit(5, "month"),
    "a unit": lambda: s.Limit(5, "day", unit="bits"),
    "a burst": lambda: s.Limit(5, "day", 1 << 32),
    "a count": lambda: s.CtCount(1 << 32),
    "a counter": lambda: s.Counter(-1),
    "a quota": lambda: s.Quota(1 << 64),
    "a kind of NAT": lambda: s.Nat("nat", HOST),
    "a flag of NAT": lambda: s.Nat("dnat", HOST, flags=("rand",)),
    "an address to masquerade": lambda: s.Nat("masquerade", HOST),
    "a port that is too wide": lambda: s.Nat("dnat", HOST, x.Number(65536)),
    "an address that is a port": lambda: s.Nat("dnat", x.Number(5)),
    "a prefix that is none": lambda: s.Nat("dnat", HOST, prefix=True),
    "a protocol of reject": lambda: s.Reject("udp", "reset"),
    "a reason": lambda: s.Reject("icmp", "no-route"),
    "a level": lambda: s.Log(level="loud"),
    "a flag of log": lambda: s.Log(flags=("mac",)),
    "a prefix of log": lambda: s.Log("x" * 128),
    "a level for a group": lambda: s.Log(level="info", group=5),
    "a length without a group": lambda: s.Log(snaplen=5),
    "queues backwards": lambda: s.Queue(2, 1),
    "a flag of queue": lambda: s.Queue(flags=("fast",)),
    "a device": lambda: s.Dup(HOST, "e" * 16),
    "a proxy's port": lambda: s.Tproxy(HOST, 65536),
    "a window scale": lambda: s.Synproxy(wscale=256),
    "an option of synproxy": lambda: s.Synproxy(flags=("sack",)),
    "an operation": lambda: s.UpdateSet("insert", "s", ADDRESS),
    "a chain to jump to": lambda: s.Jump("a b"),
    "a chain to go to": lambda: s.Goto(""),
    "a name of a counter": lambda: s.NamedCounter("a" * 256),
    "a comment": lambda: nft.Rule((s.Accept(),), "x" * 129),
    "a comment in bytes": lambda: nft.Rule((s.Accept(),), "é" * 65),
    "a name of a chain": lambda: nft.Chain("a{"),
    "a name of a table": lambda: nft.Table(Family.IP, "a" * 256),
    "a comment of a table": lambda: nft.Table(Family.IP, "t", comment="a\nb"),
    "a counter's number": lambda: nft.CounterObject("c", 1 << 64),
    "a type of sets": lambda: nft.Set("s", "ipv4"),
    "a set of numbers": lambda: nft.Set("s", (datatypes.integer(16),)),
    "no type": lambda: nft.Set("s", ()),
    "a flag of sets": lambda: nft.Set("s", "mark", ("fast",)),
    "a size": lambda: nft.Set("s", "mark", size=1 << 32),
    "an element of another type": lambda: nft.Set("s", "mark", elements=(HOST,)),
    "an element that is too wide": lambda: nft.Set("s", "dscp", elements=(x.Number(64),)),
    "an element with a value": lambda: nft.Set("s", "mark", elements=(x.Pair(x.Hex(1), s.Drop()),)),
    "an element without a value": lambda: nft.Map("m", "mark", elements=(x.Hex(1),)),
    "a value of another type": lambda: nft.Map(
        "m", "mark", elements=(x.Pair(x.Hex(1), HOST),), data="inet_service"
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_nft_cannot_hold_is_no_node(what: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        WRONG[what]()


@pytest.mark.parametrize(
    "make",
    [
        lambda: MaskedMark(1 << 32),
        lambda: MaskedMark(-1),
        lambda: MaskedMark(0, 1 << 32),
        lambda: PortRange(2, 1),
        lambda: PortRange(0, 65536),
        lambda: Network(Family.IP, 1, 0),
        lambda: AddressRange(Address(Family.IP, 2), Address(Family.IP, 1)),
        lambda: iptables.Counters(-1, 0),
        lambda: iptables.Interface("e" * 16),
        lambda: iptables.Rule(protocol=Negatable(256)),
        lambda: iptables.Rule(
            source=Negatable(Network.parse("10.0.0.1")),
            destination=Negatable(Network.parse("fd00::1")),
        ),
    ],
)
def test_what_iptables_cannot_hold_is_no_value(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        make()


def test_a_field_stands_where_the_header_has_it() -> None:
    """The places that the RFCs give, for some that are easily mistaken."""
    places = {
        ("ip", "dscp"): (8, 6),
        ("ip", "ecn"): (14, 2),
        ("ip", "frag-off"): (48, 16),
        ("ip6", "dscp"): (4, 6),
        ("ip6", "ecn"): (10, 2),
        ("tcp", "flags"): (104, 8),
        ("dccp", "type"): (67, 4),
    }
    for (protocol, field), (offset, bits) in places.items():
        found = x.Payload(protocol, field).place
        assert (found.offset, found.bits) == (offset, bits)


@pytest.mark.parametrize("number", [0, 1, 5, 62, 63])
def test_all_values_but_one(number: int) -> None:
    found = x.all_but(x.Number(number), 6)
    parts = found.elements if isinstance(found, x.AnonymousSet) else (found,)
    values: list[int] = []
    for part in parts:
        if isinstance(part, x.Range):
            assert x.order(part.low) < x.order(part.high)
            values += range(x.order(part.low), x.order(part.high) + 1)
        else:
            values.append(x.order(part))
    assert values == [value for value in range(64) if value != number]
