"""What a rule reads: header fields, what the kernel knows of a packet, generated numbers."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, ClassVar

import attrs

from ...core.values import Family
from .. import datatypes as t
from ..datatypes import KeyType, integer
from ..headers import (
    ASKED_HEADERS,
    EXTENSION_HEADERS,
    IP_OPTIONS,
    PAYLOADS,
    SCTP_CHUNKS,
    TCP_OPTIONS,
    Field,
    chunk_fields,
    ip_option_fields,
    option_fields,
)
from ..words import (
    CtKey,
    Direction,
    FibFlag,
    FibResult,
    IpsecDirection,
    IpsecKey,
    MetaKey,
    NumgenMode,
    OsfKey,
    OsfTtl,
    PayloadBase,
    RtKey,
    SocketKey,
    Tunnel,
)
from .base import Expression, require_bits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


#: The header that holds the addresses of a family.
NETWORK_HEADER = {Family.IP: "ip", Family.IP6: "ip6"}


@attrs.frozen
class Payload(Expression):
    """A header field: ``ip saddr``, ``tcp dport``. Breaks the rule where the header is absent."""

    protocol: str
    field: str

    def __attrs_post_init__(self) -> None:
        if (self.protocol, self.field) not in PAYLOADS:
            raise ValueError(f"nft has no field “{self.protocol} {self.field}”")

    @property
    def place(self) -> Field:
        """Where it stands."""
        return PAYLOADS[self.protocol, self.field]

    @property
    def type(self) -> KeyType:
        """That of the field."""
        return PAYLOADS[self.protocol, self.field].type


_META: dict[str, KeyType] = {
    "mark": (t.MARK,), "iif": (t.IFACE_INDEX,), "oif": (t.IFACE_INDEX,), "iifname": (t.IFNAME,),
    "oifname": (t.IFNAME,), "iifgroup": (t.DEVGROUP,), "oifgroup": (t.DEVGROUP,),
    "l4proto": (t.INET_PROTO,), "protocol": (t.ETHER_TYPE,), "nfproto": (t.NF_PROTO,),
    "pkttype": (t.PKT_TYPE,), "length": (integer(32),), "random": (integer(32),),
    "skuid": (integer(32),), "skgid": (integer(32),), "cpu": (integer(32),),
    "cgroup": (integer(32),), "nftrace": (integer(1),), "rtclassid": (t.REALM,),
    "ipsec": (t.BOOLEAN,), "hour": (t.HOUR,), "day": (t.DAY,), "time": (t.TIME,),
    "priority": (t.CLASSID,), "iiftype": (t.IFACE_TYPE,), "oiftype": (t.IFACE_TYPE,),
    "sdif": (t.IFACE_INDEX,), "sdifname": (t.IFNAME,),
}  # fmt: skip


@attrs.frozen
class Meta(Expression):
    """What the kernel knows about a packet: ``mark``, ``iifname``, ``l4proto``, ``random``."""

    key: MetaKey = attrs.field(converter=MetaKey)

    @property
    def type(self) -> KeyType:
        """That of the key."""
        return _META[self.key]


_CT: dict[str, KeyType] = {
    "state": (t.CT_STATE,), "status": (t.CT_STATUS,), "mark": (t.MARK,), "direction": (t.CT_DIR,),
    "zone": (integer(16),), "id": (integer(32),), "bytes": (integer(64),),
    "packets": (integer(64),), "avgpkt": (integer(64),), "protocol": (t.INET_PROTO,),
    "l3proto": (t.NF_PROTO,), "proto-src": (t.INET_SERVICE,), "proto-dst": (t.INET_SERVICE,),
    "ip saddr": (t.IPV4_ADDR,), "ip daddr": (t.IPV4_ADDR,), "ip6 saddr": (t.IPV6_ADDR,),
    "ip6 daddr": (t.IPV6_ADDR,), "label": (t.CT_LABEL,), "helper": (t.STRING,),
    "expiration": (t.DURATION,), "event": (t.CT_EVENT,),
}  # fmt: skip

#: Keys of a connection that each direction has one of its own of, and those that want one named.
_WITH_DIRECTION = frozenset(
    {"zone", "bytes", "packets", "avgpkt", "protocol", "l3proto", "proto-src", "proto-dst"}
)
_IN_ONE_DIRECTION = frozenset({"ip saddr", "ip daddr", "ip6 saddr", "ip6 daddr"})


@attrs.frozen
class Ct(Expression):
    """The connection: ``ct mark``. All but ``state`` break the rule without a conntrack entry."""

    key: CtKey = attrs.field(converter=CtKey)
    #: ``original`` or ``reply`` where the key wants one
    direction: Direction = attrs.field(default=Direction.EITHER, converter=Direction)

    def __attrs_post_init__(self) -> None:
        if self.direction:
            if self.key not in _WITH_DIRECTION and self.key not in _IN_ONE_DIRECTION:
                raise ValueError(f"ct {self.key} has no direction")
        elif self.key in _IN_ONE_DIRECTION:
            raise ValueError(f"ct {self.key} wants a direction")

    @property
    def type(self) -> KeyType:
        """That of the key."""
        return _CT[self.key]


@attrs.frozen
class ExtensionHeader(Expression):
    """A field of an IPv6 extension header, or without a field whether the header is there."""

    name: str
    field: str = ""

    def __attrs_post_init__(self) -> None:
        known = EXTENSION_HEADERS.get(self.name, {}) if self.field else ASKED_HEADERS
        if (self.field or self.name) not in known:
            raise ValueError(f"nft has no extension header “{self.name} {self.field}”".rstrip())

    @property
    def type(self) -> KeyType:
        """That of the field."""
        return EXTENSION_HEADERS[self.name][self.field].type if self.field else (t.BOOLEAN,)


#: The most bits that nft reads at once: four registers.
_MOST_BITS = 128


@attrs.frozen
class RawPayload(Expression):
    """Some bits of a packet, counted from the start of a header: ``@nh,64,8``."""

    base: PayloadBase = attrs.field(converter=PayloadBase)
    offset: int
    length: int

    def __attrs_post_init__(self) -> None:
        require_bits(self.offset, 16, "the offset")
        if not 1 <= self.length <= _MOST_BITS:
            raise ValueError(f"nft reads 1 to {_MOST_BITS} bits at once, not {self.length}")

    @property
    def type(self) -> KeyType:
        """A number of so many bits."""
        return (integer(self.length),)


@attrs.frozen
class _OptionalPart(Expression):
    """A field of a part that a header may have, or without a field whether the part is there."""

    what: ClassVar[str]  #: what the part is, in a sentence

    name: str
    field: str = ""

    def __attrs_post_init__(self) -> None:
        if self.field and self.field not in self.fields:
            raise ValueError(f"{self.what} {self.name} has no field “{self.field}”")

    @property
    @abc.abstractmethod
    def fields(self) -> Mapping[str, Field]:
        """The fields that the part has."""

    @property
    def place(self) -> Field:
        """Where its field stands. Raises KeyError where it has none."""
        return self.fields[self.field]

    @property
    def type(self) -> KeyType:
        """That of the field."""
        return self.place.type if self.field else (t.BOOLEAN,)


@attrs.frozen
class TcpOption(_OptionalPart):
    """A field of a TCP option, or without a field whether the option is there.

    Its name is nft's word for the option, or its number.
    """

    what: ClassVar[str] = "the TCP option"

    def __attrs_post_init__(self) -> None:
        if self.name.isdecimal():
            require_bits(int(self.name), 8, "a TCP option")
        elif self.name not in TCP_OPTIONS:
            raise ValueError(f"nft has no TCP option “{self.name}”")
        super().__attrs_post_init__()

    @property
    def fields(self) -> Mapping[str, Field]:
        """Those of the option, its kind and its length."""
        return option_fields(self.name)


@attrs.frozen
class RawTcpOption(Expression):
    """Some bits of a TCP option, counted from its start: ``tcp option @255,8,8``."""

    number: int
    offset: int
    length: int

    def __attrs_post_init__(self) -> None:
        require_bits(self.number, 8, "a TCP option")
        require_bits(self.offset, 16, "the offset")
        if not 1 <= self.length <= _MOST_BITS:
            raise ValueError(f"nft reads 1 to {_MOST_BITS} bits at once, not {self.length}")

    @property
    def type(self) -> KeyType:
        """A number of so many bits."""
        return (integer(self.length),)


@attrs.frozen
class SctpChunk(_OptionalPart):
    """A field of an SCTP chunk, or without a field whether there is such a chunk."""

    what: ClassVar[str] = "the SCTP chunk"

    def __attrs_post_init__(self) -> None:
        if self.name not in SCTP_CHUNKS:
            raise ValueError(f"nft has no SCTP chunk “{self.name}”")
        super().__attrs_post_init__()

    @property
    def fields(self) -> Mapping[str, Field]:
        """Those of the chunk, its type, flags and length."""
        return chunk_fields(self.name)


@attrs.frozen
class IpOption(_OptionalPart):
    """A field of an option of the IPv4 header, or without a field whether the option is there."""

    what: ClassVar[str] = "the IPv4 option"

    def __attrs_post_init__(self) -> None:
        if self.name not in IP_OPTIONS:
            raise ValueError(f"nft has no option “{self.name}” of IPv4")
        super().__attrs_post_init__()

    @property
    def fields(self) -> Mapping[str, Field]:
        """Those of the option, its type and its length."""
        return ip_option_fields(self.name)


_TUNNELED: dict[tuple[str, str], KeyType] = {
    ("vxlan", "vni"): (integer(24),), ("vxlan", "flags"): (integer(8),),
    ("geneve", "vni"): (integer(24),), ("geneve", "type"): (t.ETHER_TYPE,),
    ("gre", "version"): (integer(3),), ("gre", "flags"): (integer(5),),
    ("gre", "protocol"): (t.ETHER_TYPE,),
}  # fmt: skip


@attrs.frozen
class Inner(Expression):
    """A field of a tunnel's header, ``vxlan vni``, or of what is inside it: ``gre ip saddr``."""

    tunnel: Tunnel = attrs.field(converter=Tunnel)
    inside: Payload | str

    def __attrs_post_init__(self) -> None:
        if isinstance(self.inside, str) and (self.tunnel, self.inside) not in _TUNNELED:
            raise ValueError(f"nft has no field “{self.tunnel} {self.inside}”")

    @property
    def type(self) -> KeyType:
        """That of the field."""
        if isinstance(self.inside, str):
            return _TUNNELED[self.tunnel, self.inside]
        return self.inside.type


def _fib_flags(flags: Iterable[str]) -> tuple[FibFlag, ...]:
    return tuple(map(FibFlag, flags))


@attrs.frozen
class Fib(Expression):
    """The answer of the routing table: ``fib daddr . iif type``."""

    flags: tuple[FibFlag, ...] = attrs.field(converter=_fib_flags)
    result: FibResult = attrs.field(converter=FibResult)

    def __attrs_post_init__(self) -> None:
        if len(set(self.flags)) != len(self.flags):
            raise ValueError("fib takes each key once")
        if ("saddr" in self.flags) == ("daddr" in self.flags):
            raise ValueError("fib looks up either a source or a destination")
        if "iif" in self.flags and "oif" in self.flags:
            raise ValueError("fib takes one interface")

    @property
    def type(self) -> KeyType:
        """A type of addresses, or where the route leads."""
        return (t.FIB_ADDRTYPE,) if self.result == "type" else (t.ROUTE,)


_RT: dict[str, KeyType] = {
    "classid": (t.REALM,), "mtu": (integer(16),), "ipsec": (t.BOOLEAN,),
    "ip nexthop": (t.IPV4_ADDR,), "ip6 nexthop": (t.IPV6_ADDR,),
}  # fmt: skip


@attrs.frozen
class Rt(Expression):
    """What the packet's route says: ``rt mtu`` is the largest TCP segment that fits its path."""

    key: RtKey = attrs.field(converter=RtKey)

    @property
    def type(self) -> KeyType:
        """That of the key."""
        return _RT[self.key]


@attrs.frozen
class Socket(Expression):
    """The packet's socket, or the one that the kernel finds for it: ``socket transparent``."""

    #: ``mark`` and ``wildcard`` have no value while the socket opens or closes
    key: SocketKey = attrs.field(converter=SocketKey)

    @property
    def type(self) -> KeyType:
        """That of the key."""
        return (t.MARK,) if self.key == "mark" else (integer(1),)


@attrs.frozen
class Ipsec(Expression):
    """A transformation that the packet came through or goes through: ``ipsec in reqid``."""

    direction: IpsecDirection = attrs.field(converter=IpsecDirection)
    key: IpsecKey = attrs.field(converter=IpsecKey)
    number: int = 0  #: which one of several

    def __attrs_post_init__(self) -> None:
        require_bits(self.number, 8, "the number of a transformation")

    @property
    def type(self) -> KeyType:
        """A number, or an address of the tunnel."""
        network, _, end = self.key.partition(" ")
        if not end:
            return (integer(32),)
        return (t.IPV6_ADDR,) if network == "ip6" else (t.IPV4_ADDR,)


@attrs.frozen
class Osf(Expression):
    """The system that a SYN packet looks like: ``osf name``. Breaks the rule without SYN."""

    #: how the TTL is compared: ``loose``, ``skip``, or empty: exactly
    ttl: OsfTtl = attrs.field(default=OsfTtl.EXACT, converter=OsfTtl)
    key: OsfKey = attrs.field(default=OsfKey.NAME, converter=OsfKey)

    @property
    def type(self) -> KeyType:
        """A name."""
        return (t.STRING,)


def _require_modulus(modulus: int, offset: int = 0) -> None:
    if not 1 <= modulus < 1 << 32 or not 0 <= offset <= (1 << 32) - modulus:
        raise ValueError(f"no number of 32 bits is below {modulus} and begins at {offset}")


@attrs.frozen
class Hash(Expression):
    """Jenkins' hash of a value, from 0 to ``modulus`` - 1: ``jhash ip saddr mod 2 seed 0x1``."""

    key: Expression
    modulus: int
    seed: int | None  #: None: the kernel draws one when it loads the rule
    offset: int = 0  #: what is added to the number

    def __attrs_post_init__(self) -> None:
        _require_modulus(self.modulus, self.offset)
        require_bits(self.seed or 0, 32, "a seed")

    @property
    def type(self) -> KeyType:
        """A number."""
        return (integer(32),)


@attrs.frozen
class SymmetricHash(Expression):
    """The kernel's hash of a flow, the same both ways, below ``modulus``: ``symhash mod 2``."""

    modulus: int
    offset: int = 0  #: what is added to the number

    def __attrs_post_init__(self) -> None:
        _require_modulus(self.modulus, self.offset)

    @property
    def type(self) -> KeyType:
        """A number."""
        return (integer(32),)


@attrs.frozen
class Numgen(Expression):
    """A counter that runs from 0 to ``modulus`` - 1 and round again: ``numgen inc mod 3``."""

    modulus: int
    #: or ``random``: a new draw for each packet
    mode: NumgenMode = attrs.field(default=NumgenMode.INC, converter=NumgenMode)
    offset: int = 0  #: what is added to the number

    def __attrs_post_init__(self) -> None:
        _require_modulus(self.modulus, self.offset)

    @property
    def type(self) -> KeyType:
        """A number."""
        return (integer(32),)
