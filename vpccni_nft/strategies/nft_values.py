"""What nft rules read, and the literals that they compare it with.

Values come from short lists of what the replay's node has: so a drawn rule and a drawn packet meet.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import attrs
from hypothesis import strategies as st

from ..core.values import Address, Family
from ..iptables.protocols import ICMP, ICMPV6, SCTP, TCP, UDP
from ..nft import datatypes as t
from ..nft import expressions as x
from ..nft.words import NumgenMode, PayloadBase

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
_LENGTHS = {Family.IP: (8, 20, 24, 25, 31), Family.IP6: (16, 48, 64, 65, 127)}
PORTS = (22, 53, 80, 443, 1024, 30000, 65535)
MARKS = (0, 1, 0x80, 0x4000, 0xFF00, 0xFFFFFFFF)
INTERFACES = ("eth0", "eth1", "eni1", "eni2", "lo")
#: Those that are there whatever the rules name: nft asks for their numbers.
LASTING = ("eth0", "eni1", "lo")
MESSAGES = {Family.IP: ICMP, Family.IP6: ICMPV6}
_NAMES = {TCP: "tcp", UDP: "udp", SCTP: "sctp", ICMP: "icmp", ICMPV6: "icmpv6"}

#: Numbers as nft prints them in listings, and as one may write them.
_WITH_WORDS = {
    t.FIB_ADDRTYPE: ("unicast", "local", "broadcast", "multicast"),
    t.PKT_TYPE: ("host", "broadcast", "multicast"),
    t.CT_DIR: ("original", "reply"),
    t.BOOLEAN: ("exists", "missing"),
}
_WITH_FLAGS = {
    t.CT_STATE: ("new", "established", "related", "invalid", "untracked"),
    t.CT_STATUS: ("seen-reply", "assured", "confirmed", "snat", "dnat"),
    t.TCP_FLAG: ("fin", "syn", "rst", "psh", "ack"),
}


def transports(family: Family) -> SearchStrategy[int]:
    """The protocols whose headers a rule may name: one for each rule."""
    return st.sampled_from((TCP, TCP, UDP, SCTP, MESSAGES[family]))


def hosts(family: Family) -> SearchStrategy[x.Host]:
    """Single addresses."""
    return st.sampled_from([x.Host(Address.parse(one)) for one in ADDRESSES[family]])


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
    if type_ in _WITH_WORDS:
        return st.sampled_from(_WITH_WORDS[type_]).map(x.Symbol)
    if type_ in _WITH_FLAGS:
        return st.sampled_from(_WITH_FLAGS[type_]).map(lambda one: x.Flags((one,)))
    match type_:
        case t.IPV4_ADDR | t.IPV6_ADDR:
            return hosts(family)
        case t.INET_SERVICE:
            return st.sampled_from(PORTS).map(x.Number)
        case t.INET_PROTO:
            return st.sampled_from((TCP, UDP, SCTP, MESSAGES[family])).map(x.Protocol)
        case t.MARK:
            return st.sampled_from(MARKS).map(x.Hex)
        case t.IFNAME:
            return st.sampled_from(INTERFACES).map(x.Interface)
        case t.IFACE_INDEX:
            return st.sampled_from(LASTING).map(x.Interface)
        case t.ICMP_TYPE | t.ICMPV6_TYPE:
            return st.sampled_from((0, 3, 8, 1, 128, 129)).map(x.Number)
        case _:
            return numbers(type_.bits).map(x.Number)


#: The types whose values have an order that ranges follow.
def is_ordered(type_: t.DataType) -> bool:
    """Whether ranges of a type make sense."""
    without = (*_WITH_WORDS, t.IFNAME, t.IFACE_INDEX)
    return not type_.is_mask and type_ not in without


@st.composite
def elements(draw: DrawFn, key: t.KeyType, family: Family, most: int = 3) -> Sequence[x.Expression]:
    """Single values that differ, as a set lists them; of a key with several parts concatenated."""
    parts = [single(type_, family) for type_ in key]
    one = parts[0] if len(parts) == 1 else st.tuples(*parts).map(x.Concat)
    return draw(st.lists(one, min_size=1, max_size=most, unique=True))


@st.composite
def intervals(draw: DrawFn, type_: t.DataType, family: Family) -> Sequence[x.Expression]:
    """Ranges and single values that have nothing in common."""
    drawn = draw(st.lists(single(type_, family), min_size=2, max_size=6, unique=True))
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


@attrs.frozen
class Reads:
    """What a rule may read: it has one transport protocol, or none."""

    family: Family
    protocol: int | None

    @functools.cached_property
    def _network(self) -> tuple[x.Expression, ...]:
        if self.family is Family.IP:
            fields = ("saddr", "daddr", "ttl", "dscp", "ecn", "frag-off", "protocol", "length")
            return tuple(x.Payload("ip", field) for field in fields)
        return (
            *(x.Payload("ip6", field) for field in ("saddr", "daddr", "hoplimit", "dscp", "ecn")),
            x.ExtensionHeader("frag"),
            x.ExtensionHeader("frag", "frag-off"),
            x.ExtensionHeader("frag", "more-fragments"),
        )

    @functools.cached_property
    def _transport(self) -> tuple[x.Expression, ...]:
        """Ports wherever they stand, and what the protocol alone has."""
        found: list[x.Expression] = [x.Payload("th", "sport"), x.Payload("th", "dport")]
        if self.protocol is None:
            return tuple(found)
        name = _NAMES[self.protocol]
        if self.protocol == TCP:
            found += [x.Payload(name, "flags"), x.TcpOption("maxseg", "size")]
        if self.protocol in {ICMP, ICMPV6}:
            return tuple(x.Payload(name, field) for field in ("type", "code"))
        return (*found, x.Payload(name, "sport"), x.Payload(name, "dport"))

    @functools.cached_property
    def _raw(self) -> tuple[x.Expression, ...]:
        network = ((0, 8), (8, 8), (16, 16), (64, 8), (72, 8), (96, 32), (104, 16), (128, 32))
        transport = ((0, 16), (16, 16), (0, 32), (8, 16), (104, 8), (19, 7))
        return (
            *(x.RawPayload(PayloadBase.NETWORK, *place) for place in network),
            *(x.RawPayload(PayloadBase.TRANSPORT, *place) for place in transport),
        )

    @functools.cached_property
    def _state(self) -> tuple[x.Expression, ...]:
        own = () if self.protocol is not None else ("l4proto",)
        return (
            *(
                x.Meta(key)
                for key in (
                    "mark",
                    "iifname",
                    "oifname",
                    "iif",
                    "oif",
                    "length",
                    *own,
                    "pkttype",
                    "skuid",
                )
            ),
            *(x.Ct(key) for key in ("state", "status", "mark", "direction")),
            *self._connection,
            x.Fib(("daddr",), "type"),
            x.Fib(("saddr",), "type"),
        )

    @property
    def _connection(self) -> tuple[x.Expression, ...]:
        """Ends of the connection; without ports it has numbers of its own kind."""
        if self.protocol not in {TCP, UDP, SCTP}:
            return ()
        header = x.NETWORK_HEADER[self.family]
        keys = (f"{header} saddr", f"{header} daddr", "proto-src", "proto-dst")
        return tuple(x.Ct(key, way) for key in keys for way in ("original", "reply"))

    @property
    def known(self) -> tuple[x.Expression, ...]:
        """All that has a type of its own."""
        return (*self._network, *self._transport, *self._state)

    @property
    def words(self) -> SearchStrategy[x.Expression]:
        """What has a type of its own, so that a set of them can be named."""
        return st.one_of(
            st.sampled_from(self._network),
            st.sampled_from(self._transport),
            st.sampled_from(self._state),
        )

    @property
    def parts(self) -> SearchStrategy[x.Expression]:
        """What may be part of a key: nft 1.0.6 dies where it lists one of extension headers."""
        return self.words.filter(lambda one: not isinstance(one, x.ExtensionHeader))

    @property
    def anything(self) -> SearchStrategy[x.Expression]:
        """Raw bits, draws and counts as well."""
        moduli, offsets = st.sampled_from((2, 3)), st.sampled_from((0, 0, 7))
        draws = st.builds(x.Numgen, moduli, st.sampled_from(NumgenMode), offsets)
        return st.one_of(self.words, self.words, st.sampled_from(self._raw), draws)

    def of_type(self, key: t.KeyType) -> SearchStrategy[x.Expression] | None:
        """What has values of a type, if anything has."""
        choices = [[one for one in self.known if one.type == (part,)] for part in key]
        if not all(choices):
            return None
        parts = [st.sampled_from(one) for one in choices]
        return parts[0] if len(parts) == 1 else st.tuples(*parts).map(x.Concat)
