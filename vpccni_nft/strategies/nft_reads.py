"""What nft rules read: of the packet, and of the node that it goes through."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import attrs
from hypothesis import strategies as st

from ..core.values import Family
from ..iptables.protocols import ICMP, ICMPV6, SCTP, TCP, UDP
from ..nft import datatypes as t
from ..nft import expressions as x
from ..nft.words import (
    Direction,
    HookName,
    IpsecDirection,
    IpsecKey,
    NumgenMode,
    OsfKey,
    OsfTtl,
    PayloadBase,
    RtKey,
    SocketKey,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_NAMES = {TCP: "tcp", UDP: "udp", SCTP: "sctp", ICMP: "icmp", ICMPV6: "icmpv6"}

_AHEAD = frozenset({HookName.PREROUTING, HookName.INPUT})
_BEHIND = frozenset({HookName.OUTPUT, HookName.POSTROUTING})
_ON_ITS_WAY = frozenset({HookName.FORWARD})


#: What nft finds by going through a header.
_OF_OPTIONS = (x.ExtensionHeader, x.TcpOption, x.IpOption, x.SctpChunk)

#: Options and chunks that packets of the replay have now and then, and some that they have not.
_IP_OPTIONS = (
    ("rr", ""),
    ("rr", "ptr"),
    ("ra", ""),
    ("ra", "value"),
    ("lsrr", ""),
    ("ssrr", ""),
)
_TCP_OPTIONS = (
    ("2", ""), ("maxseg", "length"), ("4", ""), ("window", "count"),
    ("8", ""), ("timestamp", "tsval"), ("md5sig", "length"), ("mptcp", "subtype"),
    ("34", ""), ("254", ""), ("254", "length"), ("sack1", "left"), ("1", ""), ("0", ""),
)  # fmt: skip
_CHUNKS = (
    ("init", ""), ("init", "initial-tsn"), ("data", ""), ("data", "stream"), ("data", "flags"),
    ("sack", "a-rwnd"), ("heartbeat", ""), ("abort", "length"), ("cookie-echo", ""),
)  # fmt: skip


@attrs.frozen
class Reads:
    """What a rule may read: it has one transport protocol, or none."""

    family: Family
    protocol: int | None
    hooks: frozenset[HookName]  #: those that lead to the rule
    both: bool = False  #: whether the table is of the family inet
    _of_types: dict[t.KeyType, SearchStrategy[x.Expression] | None] = attrs.field(
        factory=dict, eq=False, repr=False, init=False
    )

    @functools.cached_property
    def _network(self) -> tuple[x.Expression, ...]:
        if self.family is Family.IP:
            fields = ("saddr", "daddr", "ttl", "dscp", "ecn", "frag-off", "protocol", "length")
            options = (x.IpOption(name, field) for name, field in _IP_OPTIONS)
            return (*(x.Payload("ip", field) for field in fields), *options)
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
            found += (x.TcpOption(name, field) for name, field in _TCP_OPTIONS)
        if self.protocol == SCTP:
            found += (x.SctpChunk(name, field) for name, field in _CHUNKS)
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

    # --- of the node ----------------------------------------------------------------------------

    @functools.cached_property
    def _host(self) -> tuple[x.Expression, ...]:
        """Of the device, the route and the socket, where the kernel takes it."""
        keys = ("iifgroup", "oifgroup", "iiftype", "oiftype", "rtclassid", "cgroup", "skgid", "cpu")
        hop = RtKey.IP_NEXTHOP if self.family is Family.IP else RtKey.IP6_NEXTHOP
        return (
            *map(x.Meta, keys),
            *(x.Rt(key) for key in (hop, RtKey.CLASSID)),
            x.Payload("ether", "saddr"),
            x.Ct("l3proto", Direction.ORIGINAL),
            *(x.Ct(key, way) for key in ("packets", "bytes", "avgpkt") for way in Direction),
            *self._of_hooks,
        )

    @property
    def _of_hooks(self) -> tuple[x.Expression, ...]:
        """What the kernel lets chains of some hooks read (the ``validate`` of each expression)."""
        found: list[x.Expression] = []
        if self.hooks <= _AHEAD | {HookName.OUTPUT}:
            found += (x.Socket(key) for key in SocketKey)
        if self.hooks <= _AHEAD | _ON_ITS_WAY:
            found += (x.Meta("ipsec"), *self._transformations(IpsecDirection.IN))
        if self.hooks <= _BEHIND | _ON_ITS_WAY:
            found += (x.Rt(RtKey.MTU), x.Rt(RtKey.IPSEC))
            found += self._transformations(IpsecDirection.OUT)
        return tuple(found)

    def _transformations(self, direction: IpsecDirection) -> tuple[x.Expression, ...]:
        own = IpsecKey.IP_SADDR if self.family is Family.IP else IpsecKey.IP6_SADDR
        return tuple(x.Ipsec(direction, key) for key in (IpsecKey.REQID, IpsecKey.SPI, own))

    @functools.cached_property
    def alone(self) -> tuple[x.Expression, ...]:
        """What has names or times for its values, of which nft 1.0.6 lists no sets."""
        found: list[x.Expression] = [
            *map(x.Meta, ("hour", "day", "time", "random")),
            *map(x.Ct, ("label", "helper")),
        ]
        if (self.family is Family.IP or self.both) and self.hooks <= _AHEAD | _ON_ITS_WAY:
            found += (x.Osf(ttl, key) for ttl in OsfTtl for key in OsfKey)
        return tuple(found)

    # --- all of it ------------------------------------------------------------------------------

    @functools.cached_property
    def known(self) -> tuple[x.Expression, ...]:
        """All that has a type of its own."""
        return (*self._network, *self._transport, *self._state, *self._host)

    @functools.cached_property
    def words(self) -> SearchStrategy[x.Expression]:
        """What has a type of its own, so that a set of them can be named."""
        read = (self._network, self._transport, self._state, self._host)
        return st.one_of(*map(st.sampled_from, read))

    @functools.cached_property
    def parts(self) -> SearchStrategy[x.Expression]:
        """What may be part of a key: nft 1.0.6 dies where it lists one of headers of options."""
        return self.words.filter(lambda one: not isinstance(one, _OF_OPTIONS))

    @functools.cached_property
    def looked_up(self) -> SearchStrategy[x.Expression]:
        """What a map of values or a hash is asked for, as far as nft's grammar has it there."""
        none = (x.Fib, x.Ipsec, x.ExtensionHeader)
        return self.words.filter(lambda one: not isinstance(one, none) and one.type != (t.BOOLEAN,))

    @functools.cached_property
    def anything(self) -> SearchStrategy[x.Expression]:
        """Raw bits, draws, counts and hashes as well."""
        raw, alone = st.sampled_from(self._raw), st.sampled_from(self.alone)
        return st.one_of(self.words, self.words, self.words, raw, alone, self.numbers)

    @functools.cached_property
    def numbers(self) -> SearchStrategy[x.Numgen | x.Hash | x.SymmetricHash]:
        """What is below a modulus: a draw, a count, or a hash of the packet."""
        moduli, offsets = st.sampled_from((2, 3)), st.sampled_from((0, 0, 7))
        draws = st.builds(x.Numgen, moduli, st.sampled_from(NumgenMode), offsets)
        keys = self.looked_up | st.tuples(self.looked_up, self.looked_up).map(x.Concat)
        seeds = st.sampled_from((None, 10, 0xDEADBEEF))
        hashes = st.builds(x.Hash, keys, moduli, seeds, offsets)
        return st.one_of(draws, draws, hashes, st.builds(x.SymmetricHash, moduli, offsets))

    def of_type(self, key: t.KeyType) -> SearchStrategy[x.Expression] | None:
        """What has values of a type, if anything has."""
        if key not in self._of_types:
            self._of_types[key] = self._of_type(key)
        return self._of_types[key]

    def _of_type(self, key: t.KeyType) -> SearchStrategy[x.Expression] | None:
        choices = [[one for one in self.known if one.type == (part,)] for part in key]
        if not all(choices):
            return None
        parts = [st.sampled_from(one) for one in choices]
        return parts[0] if len(parts) == 1 else st.tuples(*parts).map(x.Concat)


@functools.cache
def reads_of(
    family: Family, protocol: int | None, hooks: frozenset[HookName], *, both: bool
) -> Reads:
    """Made once: hypothesis looks through each new strategy, which takes longer than to draw."""
    return Reads(family, protocol, hooks, both)
