"""The literals of nft rules.

Values come from short lists of what the replay's node has: so a drawn rule and a drawn packet meet.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from ..core.values import Address, Family
from ..iptables.protocols import ICMP, ICMPV6, SCTP, TCP, UDP
from ..nft import datatypes as t
from ..nft import expressions as x
from ..nft.words import OsfKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

#: Addresses of the replay's node, of its pods, and of others.
ADDRESSES = {
    Family.IP: ("10.0.1.10", "10.0.1.74", "10.0.2.1", "10.0.2.2", "10.0.1.5", "198.51.100.7"),
    Family.IP6: (
        "2001:db8:1::10", "2001:db8:1::4a", "2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1::5",
        "2001:db8:9::7",
    ),
}  # fmt: skip
#: Those that are not the node's own.
ELSEWHERE = frozenset(one for addresses in ADDRESSES.values() for one in addresses[2:])
_LENGTHS = {Family.IP: (8, 20, 24, 25, 31), Family.IP6: (16, 48, 64, 65, 127)}
PORTS = (22, 53, 80, 443, 1024, 30000, 65535)
MARKS = (0, 1, 0x80, 0x4000, 0xFF00, 0xFFFFFFFF)
INTERFACES = ("eth0", "eth1", "eni1", "eni2", "lo")
#: Those that are there whatever the rules name: nft asks for their numbers.
LASTING = ("eth0", "eni1", "lo")
MESSAGES = {Family.IP: ICMP, Family.IP6: ICMPV6}

#: Names of systems that nft's list of them has, and what the kernel says without one.
SYSTEMS = {OsfKey.NAME: ("unknown", "Linux", "Windows"), OsfKey.VERSION: ("unknown", "Linux:3.0")}

#: Hardware addresses as packets have them: the mark is in the last four bytes.
_MAC_OF_MARK = 0x0600 << 32

#: Flags, and the types whose values have words that nft lists.
_FLAGS = {
    t.CT_STATE: ("new", "established", "related", "invalid", "untracked"),
    t.CT_STATUS: ("seen-reply", "assured", "confirmed", "snat", "dnat"),
    t.TCP_FLAG: ("fin", "syn", "rst", "psh", "ack"),
}
_WORDS = {
    t.FIB_ADDRTYPE: ("unicast", "local", "broadcast", "multicast"),
    t.PKT_TYPE: ("host", "broadcast", "multicast"),
    t.CT_DIR: ("original", "reply"),
    t.BOOLEAN: ("exists", "missing"),
}
#: Values that the node of the replay and its packets have, and others.
_NUMBERS = {
    t.INET_SERVICE: PORTS,
    t.ICMP_TYPE: (0, 3, 8, 1, 128, 129), t.ICMPV6_TYPE: (0, 3, 8, 1, 128, 129),
    t.IFACE_TYPE: (1, 772), t.CT_LABEL: (0, 5, 127), t.DEVGROUP: (0, 5, 255), t.REALM: (0, 5, 255),
    # Long ago, somewhere on the day, and long from now.
    t.HOUR: (0, 6 * 3600, 12 * 3600, 86399), t.DAY: tuple(range(7)),
    t.TIME: (1_000_000_000, 1_700_000_000, 7_000_000_000),
}  # fmt: skip
_LISTED: dict[t.DataType, list[x.Expression]] = {
    **{type_: [x.Flags((one,)) for one in names] for type_, names in _FLAGS.items()},
    **{type_: [*map(x.Symbol, names)] for type_, names in _WORDS.items()},
    **{type_: [*map(x.Number, found)] for type_, found in _NUMBERS.items()},
    t.MARK: [*map(x.Hex, MARKS)],
    t.IFNAME: [*map(x.Interface, INTERFACES)],
    t.IFACE_INDEX: [*map(x.Interface, LASTING)],
    t.ETHER_ADDR: [x.Mac(_MAC_OF_MARK | one) for one in MARKS],
}
#: The types whose values have no order that ranges follow, or none that nft takes.
_WITHOUT_ORDER = (
    *_WORDS, t.IFNAME, t.IFACE_INDEX, t.IFACE_TYPE, t.NF_PROTO, t.DEVGROUP, t.REALM, t.ETHER_ADDR,
)  # fmt: skip

#: In a rule for one family nft refuses what asks for the other one.
_OWN_WORD = {Family.IP: "ipv4", Family.IP6: "ipv6"}
#: Names of systems that nft's list of them has, and what the kernel says without one.
SYSTEMS = {OsfKey.NAME: ("unknown", "Linux", "Windows"), OsfKey.VERSION: ("unknown", "Linux:3.0")}
#: The seconds of the day, the days of the week, and seconds of the epoch, before now and behind it.
_TIMES = {
    t.HOUR: (0, 6 * 3600, 12 * 3600, 86399),
    t.DAY: tuple(range(7)),
    t.TIME: (1_000_000_000, 1_700_000_000, 7_000_000_000),
}
#: Hardware addresses as packets have them: the mark is in the last four bytes.
MAC_OF_MARK = 0x0600 << 32
_WITH_FLAGS = {
    t.CT_STATE: ("new", "established", "related", "invalid", "untracked"),
    t.CT_STATUS: ("seen-reply", "assured", "confirmed", "snat", "dnat"),
    t.TCP_FLAG: ("fin", "syn", "rst", "psh", "ack"),
}


@functools.cache
def transports(family: Family) -> SearchStrategy[int]:
    """The protocols whose headers a rule may name: one for each rule."""
    return st.sampled_from((TCP, TCP, UDP, SCTP, MESSAGES[family]))


@functools.cache
def hosts(family: Family) -> SearchStrategy[x.Host]:
    """Single addresses."""
    return st.sampled_from([x.Host(Address.parse(one)) for one in ADDRESSES[family]])


@functools.cache
@st.composite
def prefixes(draw: DrawFn, family: Family) -> x.Prefix:
    """Networks that have one of the addresses."""
    length = draw(st.sampled_from(_LENGTHS[family]))
    value = draw(hosts(family)).address.value
    hidden = family.all_ones >> length
    return x.Prefix(Address(family, value & ~hidden), length)


#: Numbers, with the edges of what so many bits hold.
@functools.cache
def numbers(bits: int) -> SearchStrategy[int]:
    """Numbers of so many bits, mostly those that headers have."""
    largest = (1 << bits) - 1
    usual = {0, 1, 5, 20, 64, 80, 443, 0x0A00, 0x0A000102, largest, largest >> 1, 1 << bits - 1}
    return st.sampled_from(sorted(one for one in usual if one <= largest))


@functools.cache
def single(type_: t.DataType, family: Family) -> SearchStrategy[x.Expression]:
    """One value of a type."""
    if type_ in _LISTED:
        return st.sampled_from(_LISTED[type_])
    match type_:
        case t.IPV4_ADDR | t.IPV6_ADDR:
            return hosts(family)
        case t.INET_PROTO:
            return st.sampled_from((TCP, UDP, SCTP, MESSAGES[family])).map(x.Protocol)
        case t.NF_PROTO:
            return st.just(x.Symbol(_OWN_WORD[family]))
        case _:
            return numbers(type_.bits).map(x.Number)


def is_ordered(type_: t.DataType) -> bool:
    """Whether ranges of a type make sense."""
    return not type_.is_mask and type_ not in _WITHOUT_ORDER


@functools.cache
def _lists(key: t.KeyType, family: Family, most: int) -> SearchStrategy[list[x.Expression]]:
    parts = [single(type_, family) for type_ in key]
    one = parts[0] if len(parts) == 1 else st.tuples(*parts).map(x.Concat)
    return st.lists(one, min_size=1, max_size=most, unique=True)


@functools.cache
@st.composite
def elements(draw: DrawFn, key: t.KeyType, family: Family, most: int = 3) -> Sequence[x.Expression]:
    """Single values that differ, as a set lists them; of a key with several parts concatenated."""
    return draw(_lists(key, family, most))


@functools.cache
def _several(type_: t.DataType, family: Family) -> SearchStrategy[list[x.Expression]]:
    return st.lists(single(type_, family), min_size=2, max_size=6, unique=True)


@functools.cache
@st.composite
def intervals(draw: DrawFn, type_: t.DataType, family: Family) -> Sequence[x.Expression]:
    """Ranges and single values that have nothing in common."""
    drawn = draw(_several(type_, family))
    ends = sorted(drawn, key=x.order)
    found: list[x.Expression] = []
    together = draw(st.lists(st.booleans(), min_size=len(ends), max_size=len(ends)))
    while ends:
        low = ends.pop(0)
        if ends and together.pop():
            found.append(x.Range(low, ends.pop(0)))
        else:
            found.append(low)
    return found
