"""nft expressions: what a rule reads, and the literals it compares with.

A closed set; every pass over nft knows all of it. Names of keys, fields and flags are nft's own
words (nft(8)). Integers are in host order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.values import Address, Family

if TYPE_CHECKING:
    from .statements import Verdict


class Expression:
    """Anything that has a value."""

    __slots__ = ()


# --- what is read -------------------------------------------------------------------------------


@attrs.frozen
class Payload(Expression):
    """A header field: ``ip saddr``, ``tcp dport``. Breaks the rule where the header is absent."""

    protocol: str
    field: str


@attrs.frozen
class Meta(Expression):
    """What the kernel knows about a packet: ``mark``, ``iifname``, ``l4proto``, ``random``."""

    key: str


@attrs.frozen
class Ct(Expression):
    """The connection: ``ct mark``. All but ``state`` break the rule without a conntrack entry."""

    key: str
    direction: str = ""  #: ``original`` or ``reply`` where the key wants one


@attrs.frozen
class ExtensionHeader(Expression):
    """A field of an IPv6 extension header, or without a field whether the header is there."""

    name: str
    field: str = ""


@attrs.frozen
class RawPayload(Expression):
    """Some bits of a packet, counted from the start of a header: ``@nh,64,8``."""

    base: str  #: ``nh``: network header, ``th``: transport header
    offset: int
    length: int


@attrs.frozen
class TcpOption(Expression):
    """A field of a TCP option, or without a field whether the option is there."""

    name: str  #: nft's word for it, or its number
    field: str = ""


@attrs.frozen
class Fib(Expression):
    """The answer of the routing table: ``fib daddr . iif type``."""

    flags: tuple[str, ...]
    result: str  #: ``type``, ``oif`` or ``oifname``


@attrs.frozen
class Rt(Expression):
    """What the packet's route says: ``rt mtu`` is the largest TCP segment that fits its path."""

    key: str


@attrs.frozen
class Socket(Expression):
    """The packet's socket, or the one that the kernel finds for it: ``socket transparent``."""

    key: str  #: ``mark`` and ``wildcard`` have no value while the socket opens or closes


@attrs.frozen
class Ipsec(Expression):
    """A transformation that the packet came through or goes through: ``ipsec in reqid``."""

    direction: str  #: ``in`` or ``out``
    key: str  #: ``reqid`` or ``spi``
    number: int = 0  #: which one of several


@attrs.frozen
class Osf(Expression):
    """The system that a SYN packet looks like: ``osf name``. Breaks the rule without SYN."""

    ttl: str = ""  #: how the TTL is compared: ``loose``, ``skip``, or empty: exactly


@attrs.frozen
class Hash(Expression):
    """Jenkins' hash of a value, from 0 to ``modulus`` - 1: ``jhash ip saddr mod 2 seed 0x1``."""

    key: Expression
    modulus: int
    seed: int


@attrs.frozen
class Numgen(Expression):
    """A counter that runs from 0 to ``modulus`` - 1 and round again: ``numgen inc mod 3``."""

    modulus: int
    mode: str = "inc"  #: or ``random``: a new draw for each packet
    offset: int = 0  #: what is added to the number


@attrs.frozen
class Binary(Expression):
    """Bit by bit: ``left & right``."""

    operator: str  #: ``&``, ``|`` or ``^``
    left: Expression
    right: Expression


@attrs.frozen
class Concat(Expression):
    """Several values as one key: ``ip daddr . meta l4proto . th dport``, or literals of these."""

    parts: tuple[Expression, ...]


@attrs.frozen
class Lookup(Expression):
    """What a map holds for a key: ``ip saddr map @pools``. Breaks the rule where it has nothing."""

    key: Expression
    map: AnonymousSet | SetReference


# --- literals -----------------------------------------------------------------------------------


@attrs.frozen
class Number(Expression):
    """A number written in decimal."""

    value: int


@attrs.frozen
class Hex(Expression):
    """A number written in hexadecimal: marks and masks."""

    value: int


@attrs.frozen
class Symbol(Expression):
    """A constant that nft has a word for: ``established``, ``local``, ``missing``."""

    name: str


@attrs.frozen
class String(Expression):
    """A name that stands in quotes: a conntrack helper, a system."""

    value: str


@attrs.frozen
class Mac(Expression):
    """A hardware address of six bytes."""

    value: int


@attrs.frozen
class Protocol(Expression):
    """A transport protocol, by number."""

    number: int


@attrs.frozen
class Host(Expression):
    """One address."""

    address: Address


@attrs.frozen
class Prefix(Expression):
    """Addresses that begin alike."""

    address: Address
    length: int


@attrs.frozen
class Range(Expression):
    """Values from low to high, both included."""

    low: Expression
    high: Expression


@attrs.frozen
class Interface(Expression):
    """An interface's name, or with ``wildcard`` all names that begin so."""

    name: str
    wildcard: bool = False


@attrs.frozen
class Flags(Expression):
    """Some bits of a bit mask, by name: ``established,related``."""

    names: tuple[str, ...]


@attrs.frozen
class AnonymousSet(Expression):
    """A set that is written in the rule: ``{ 80, 443 }``."""

    elements: tuple[Expression, ...]


@attrs.frozen
class SetReference(Expression):
    """A named set: ``@blocked``."""

    name: str


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


@attrs.frozen
class Pair(Expression):
    """An element of a map: ``80 : accept``."""

    key: Expression
    value: Expression | Verdict


#: The header that holds the addresses of a family.
NETWORK_HEADER = {Family.IP: "ip", Family.IP6: "ip6"}
