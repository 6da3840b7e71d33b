"""nft expressions: what a rule reads, and the literals it compares with.

A closed set; every pass over nft knows all of it. Names of keys, fields and flags are nft's own
words (nft(8)). Integers are in host order. What nft has no such field, word or value for is a
ValueError at construction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.values import Address, Family
from . import datatypes as t
from .datatypes import KeyType, integer
from .headers import ASKED_HEADERS, EXTENSION_HEADERS, PAYLOADS, TCP_OPTIONS, Field, option_fields
from .names import checked, checked_string
from .words import (
    BitOperator,
    CtKey,
    Direction,
    FibFlag,
    FibResult,
    IpsecDirection,
    IpsecKey,
    MetaKey,
    NumgenMode,
    OsfTtl,
    PayloadBase,
    RtKey,
    SocketKey,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .statements import Verdict


class Expression:
    """Anything that has a value."""

    __slots__ = ()

    @property
    def type(self) -> KeyType | None:
        """The type of its value, where it has one of its own: literals take that of the other."""
        return None

    def require_fit(self, key: KeyType) -> None:
        """Raise ValueError where it is a literal and no value of a type."""


def _only(key: KeyType) -> t.DataType:
    if len(key) != 1:
        raise ValueError(f"one value is given where a key has {len(key)} parts")
    return key[0]


def _require_bits(value: int, bits: int, what: str) -> None:
    if not 0 <= value < 1 << bits:
        raise ValueError(f"{what} is a number of {bits} bits, not {value}")


# --- what is read -------------------------------------------------------------------------------


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
    "priority": (t.CLASSID,),
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
    "expiration": (t.DURATION,),
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
        _require_bits(self.offset, 16, "the offset")
        if not 1 <= self.length <= _MOST_BITS:
            raise ValueError(f"nft reads 1 to {_MOST_BITS} bits at once, not {self.length}")

    @property
    def type(self) -> KeyType:
        """A number of so many bits."""
        return (integer(self.length),)


@attrs.frozen
class TcpOption(Expression):
    """A field of a TCP option, or without a field whether the option is there."""

    name: str  #: nft's word for it, or its number
    field: str = ""

    def __attrs_post_init__(self) -> None:
        if self.name.isdecimal():
            _require_bits(int(self.name), 8, "a TCP option")
        elif self.name not in TCP_OPTIONS:
            raise ValueError(f"nft has no TCP option “{self.name}”")
        if self.field and self.field not in option_fields(self.name):
            raise ValueError(f"the TCP option {self.name} has no field “{self.field}”")

    @property
    def type(self) -> KeyType:
        """That of the field."""
        return option_fields(self.name)[self.field].type if self.field else (t.BOOLEAN,)


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


_RT: dict[str, KeyType] = {"classid": (t.REALM,), "mtu": (integer(16),), "ipsec": (t.BOOLEAN,)}


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
        _require_bits(self.number, 8, "the number of a transformation")

    @property
    def type(self) -> KeyType:
        """A number."""
        return (integer(32),)


@attrs.frozen
class Osf(Expression):
    """The system that a SYN packet looks like: ``osf name``. Breaks the rule without SYN."""

    #: how the TTL is compared: ``loose``, ``skip``, or empty: exactly
    ttl: OsfTtl = attrs.field(default=OsfTtl.EXACT, converter=OsfTtl)

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
    seed: int

    def __attrs_post_init__(self) -> None:
        _require_modulus(self.modulus)
        _require_bits(self.seed, 32, "a seed")

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


@attrs.frozen
class Binary(Expression):
    """Bit by bit: ``left & right``."""

    operator: BitOperator = attrs.field(converter=BitOperator)
    left: Expression
    right: Expression

    def __attrs_post_init__(self) -> None:
        if (type_ := self.left.type) is not None:
            self.right.require_fit(type_)

    @property
    def type(self) -> KeyType | None:
        """That of what the operator changes."""
        return self.left.type


@attrs.frozen
class Concat(Expression):
    """Several values as one key: ``ip daddr . meta l4proto . th dport``, or literals of these."""

    parts: tuple[Expression, ...]

    def __attrs_post_init__(self) -> None:
        if len(self.parts) < 2:
            raise ValueError("a concatenation has at least two parts")

    @property
    def type(self) -> KeyType | None:
        """The types of its parts, one after another."""
        types = [part.type for part in self.parts]
        found = [type_ for part in types if part is not None for type_ in part]
        return None if None in types else tuple(found)

    def require_fit(self, key: KeyType) -> None:
        """Each part must fit its own type."""
        if len(self.parts) != len(key):
            raise ValueError(f"{len(self.parts)} values stand where a key has {len(key)} parts")
        for part, type_ in zip(self.parts, key, strict=True):
            part.require_fit((type_,))


@attrs.frozen
class Lookup(Expression):
    """What a map holds for a key: ``ip saddr map @pools``. Breaks the rule where it has nothing."""

    key: Expression
    map: AnonymousSet | SetReference

    def __attrs_post_init__(self) -> None:
        if (type_ := self.key.type) is not None:
            self.map.require_fit(type_)

    def require_fit(self, key: KeyType) -> None:
        """What it may hold must fit, where that is written here."""
        if isinstance(self.map, AnonymousSet):
            self.map.require_data(key)


# --- literals -----------------------------------------------------------------------------------


@attrs.frozen
class Number(Expression):
    """A number written in decimal."""

    value: int

    def __attrs_post_init__(self) -> None:
        if self.value < 0:
            raise ValueError(f"nft has no negative numbers: {self.value}")

    def require_fit(self, key: KeyType) -> None:
        """It must not be larger than the type holds."""
        type_ = key[0] if len(key) == 1 else _only(key)
        if self.value > type_.largest:
            type_.require_number(self.value)


@attrs.frozen
class Hex(Expression):
    """A number written in hexadecimal: marks and masks."""

    value: int

    def __attrs_post_init__(self) -> None:
        if self.value < 0:
            raise ValueError(f"nft has no negative numbers: {self.value}")

    def require_fit(self, key: KeyType) -> None:
        """It must not be larger than the type holds."""
        type_ = key[0] if len(key) == 1 else _only(key)
        if self.value > type_.largest:
            type_.require_number(self.value)


@attrs.frozen
class Symbol(Expression):
    """A constant that nft has a word for: ``established``, ``local``, ``missing``."""

    name: str

    def require_fit(self, key: KeyType) -> None:
        """It must be a word of the type."""
        _only(key).require_word(self.name)


@attrs.frozen
class String(Expression):
    """A name that stands in quotes: a conntrack helper, a system."""

    value: str

    def __attrs_post_init__(self) -> None:
        checked_string(self.value, t.NAME_BITS // 8 - 1)

    def require_fit(self, key: KeyType) -> None:
        """Only names are compared with names."""
        if _only(key) != t.STRING:
            raise ValueError(f"{key[0].name} is not compared with “{self.value}”")


@attrs.frozen
class Mac(Expression):
    """A hardware address of six bytes."""

    value: int

    def __attrs_post_init__(self) -> None:
        _require_bits(self.value, 48, "a hardware address")

    def require_fit(self, key: KeyType) -> None:
        """Only hardware addresses are compared with one."""
        if _only(key).bits != t.ETHER_ADDR.bits:
            raise ValueError(f"{key[0].name} is not a hardware address")


@attrs.frozen
class Protocol(Expression):
    """A transport protocol, by number."""

    number: int

    def __attrs_post_init__(self) -> None:
        _require_bits(self.number, 8, "a protocol")

    def require_fit(self, key: KeyType) -> None:
        """Only protocols are compared with one."""
        if (key[0] if len(key) == 1 else _only(key)) is not t.INET_PROTO:
            raise ValueError(f"{key[0].name} is not a protocol")


@attrs.frozen
class Host(Expression):
    """One address."""

    address: Address

    def require_fit(self, key: KeyType) -> None:
        """It must be of the family."""
        _require_family(self.address, key)


_ADDRESS = {Family.IP: t.IPV4_ADDR, Family.IP6: t.IPV6_ADDR}


def _require_family(address: Address, key: KeyType) -> None:
    if (key[0] if len(key) == 1 else _only(key)) is not _ADDRESS[address.family]:
        raise ValueError(f"{key[0].name} is not compared with the address {address}")


@attrs.frozen
class Prefix(Expression):
    """Addresses that begin the same."""

    address: Address
    length: int

    def __attrs_post_init__(self) -> None:
        family = self.address.family
        if not 0 <= self.length <= family.bits:
            raise ValueError(f"a prefix of {family.title} has 0 to {family.bits} bits")
        if self.address.value & family.all_ones >> self.length:
            raise ValueError(f"{self.address} has bits outside its first {self.length}")

    def require_fit(self, key: KeyType) -> None:
        """It must be of the family."""
        _require_family(self.address, key)


@attrs.frozen
class Range(Expression):
    """Values from low to high, both included."""

    low: Expression
    high: Expression

    def __attrs_post_init__(self) -> None:
        if order(self.low) > order(self.high):
            raise ValueError("the range ends before it starts")

    def require_fit(self, key: KeyType) -> None:
        """Both ends must."""
        self.low.require_fit(key)
        self.high.require_fit(key)


def order(end: Expression) -> int:
    """The place of an end of a range among all values; ValueError where it has none."""
    match end:
        case Number(value) | Hex(value) | Mac(value) | Protocol(value):
            return value
        case Host(address):
            return address.value
    raise ValueError(f"no range ends with {end!r}")


_INTERFACES = (t.IFNAME, t.IFACE_INDEX, t.ROUTE)


@attrs.frozen
class Interface(Expression):
    """An interface's name, or with ``wildcard`` all names that begin so."""

    name: str
    wildcard: bool = False

    def __attrs_post_init__(self) -> None:
        checked_string(self.name, t.NAME_BITS // 8 - 1)
        if self.wildcard and not self.name:
            raise ValueError("nft has no name that every interface fits")

    def require_fit(self, key: KeyType) -> None:
        """Only interfaces are compared with one."""
        if _only(key) not in _INTERFACES:
            raise ValueError(f"{key[0].name} is not an interface")


@attrs.frozen
class Flags(Expression):
    """Some bits of a bit mask, by name: ``established,related``."""

    names: tuple[str, ...]

    def __attrs_post_init__(self) -> None:
        if not self.names:
            raise ValueError("there is at least one flag")

    def require_fit(self, key: KeyType) -> None:
        """They must be flags of the type."""
        type_ = _only(key)
        for name in self.names:
            type_.require_word(name)


@attrs.frozen
class AnonymousSet(Expression):
    """A set that is written in the rule: ``{ 80, 443 }``."""

    elements: tuple[Expression, ...]

    def __attrs_post_init__(self) -> None:
        if not self.elements:
            raise ValueError("nft takes no set without elements in a rule")

    def require_fit(self, key: KeyType) -> None:
        """Each element must."""
        for element in self.elements:
            element.require_fit(key)

    def require_data(self, data: KeyType) -> None:
        """As a map, what it holds must fit."""
        for element in self.elements:
            require_data(element, data)


@attrs.frozen
class SetReference(Expression):
    """A named set: ``@blocked``."""

    name: str

    def __attrs_post_init__(self) -> None:
        checked(self.name)


# --- elements of sets and maps ------------------------------------------------------------------


@attrs.frozen
class CatchAll(Expression):
    """The key of an element that stands for all that no other element has: ``*``."""


@attrs.frozen
class Element(Expression):
    """A key with what a set can keep beside it."""

    key: Expression
    counter: tuple[int, int] | None = None  #: packets and bytes
    timeout: int | None = None  #: seconds it stays
    expires: int | None = None  #: milliseconds that are left of them
    comment: str = ""

    def __attrs_post_init__(self) -> None:
        for number in (*(self.counter or ()), self.timeout or 0, self.expires or 0):
            _require_bits(number, 64, "what an element keeps")
        checked_string(self.comment)

    def require_fit(self, key: KeyType) -> None:
        """Its key must."""
        self.key.require_fit(key)


@attrs.frozen
class Pair(Expression):
    """An element of a map: ``80 : accept``."""

    key: Expression
    value: Expression | Verdict

    def require_fit(self, key: KeyType) -> None:
        """Its key must; what it holds has a type of its own."""
        self.key.require_fit(key)


def require_data(element: Expression, data: KeyType) -> None:
    """Raise ValueError where an element of a map holds no value of a type."""
    match element:
        case Pair(value=Expression() as value) if data != (t.VERDICT,):
            value.require_fit(data)
        case Pair(value=Expression()):
            raise ValueError("an element of a map of verdicts has a verdict")
        case Pair():
            if data != (t.VERDICT,):
                raise ValueError("an element of this map has a value, no verdict")
        case _:
            raise ValueError(f"an element of a map has a value: {element!r}")


def all_but(number: Number | Hex, bits: int, step: int = 1) -> AnonymousSet | Range:
    """All values of so many bits but one, as nft reads it in every version.

    nft before 1.0.3 takes no range of one value, so none is in it. ``step`` is the lowest bit of
    the mask that the value is under: nft lists such a lookup without the bits below it.

    >>> all_but(Number(1), 16).elements
    (Number(value=0), Range(low=Number(value=2), high=Number(value=65535)))
    """
    kind, value, last = type(number), number.value, (1 << bits) - 1
    ends = [(low, high) for low, high in ((0, value - 1), (value + step, last)) if low <= high]
    parts = tuple(kind(low) if low == high else Range(kind(low), kind(high)) for low, high in ends)
    if len(parts) == 1 and isinstance(parts[0], Range):
        return parts[0]
    return AnonymousSet(parts)


#: The header that holds the addresses of a family.
NETWORK_HEADER = {Family.IP: "ip", Family.IP6: "ip6"}
