"""Kinds of values, as data: which values a field can have that ``parse`` makes of a text.

The record of each match and target declares by ``draw`` which nodes there are of it. ``strategies``
draws them with hypothesis; nothing here needs it. A plain value in place of a kind is the only one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from ..core.values import (
    Address,
    AddressRange,
    Family,
    MaskedMark,
    Negatable,
    Network,
    PortRange,
    mask_of_length,
)
from ..iptables.ast import Interface
from .shared.number_ranges import NumberRange

#: All bits of 32, and the largest count of packets or bytes.
FULL, LARGEST_COUNT = 0xFFFFFFFF, 2**63 - 1


class ValueKind:
    """A kind of values."""

    __slots__ = ()

    def __or__(self, other: object) -> OneOf:
        """Values of either kind."""
        return OneOf(self, other)

    def map(self, function: Callable[[Any], Any]) -> Mapped:
        """What a function makes of each value."""
        return Mapped(self, function)

    def filter(self, predicate: Callable[[Any], bool]) -> Filtered:
        """The values that fit, which must be many."""
        return Filtered(self, predicate)

    def then(self, function: Callable[[Any], ValueKind]) -> Then:
        """Values of the kind that a function gives for a value of this one."""
        return Then(self, function)


@attrs.frozen(eq=False)
class Integers(ValueKind):
    """Whole numbers, both ends included."""

    low: int
    high: int


@attrs.frozen(eq=False)
class Among(ValueKind):
    """One of some values."""

    values: Iterable[Any]


@attrs.frozen(eq=False)
class Quoted(ValueKind):
    """What may stand in quotes: anything but the end of a line. Lengths are in bytes."""

    largest: int
    smallest: int = 0


@attrs.frozen(eq=False)
class Unquoted(ValueKind):
    """What may stand without quotes. Lengths are in bytes."""

    largest: int
    smallest: int = 1


@attrs.frozen(eq=False)
class Octets(ValueKind):
    """Bytes."""

    smallest: int
    largest: int


@attrs.frozen(eq=False)
class Some(ValueKind):
    """Some of the values, in the order in which they are given."""

    values: tuple[Any, ...]
    smallest: int = 1


@attrs.frozen(eq=False)
class Several(ValueKind):
    """Tuples of values of one kind."""

    kind: ValueKind
    smallest: int
    largest: int
    unique: bool = False


@attrs.frozen(eq=False, init=False)
class OneOf(ValueKind):
    """Values of any of the kinds, each as often; a kind may be given more than once."""

    kinds: tuple[Any, ...]

    def __init__(self, *kinds: object) -> None:
        self.__attrs_init__(kinds)


@attrs.frozen(eq=False, init=False)
class Build(ValueKind):
    """What a class or function makes of values of these kinds."""

    make: Callable[..., Any]
    arguments: tuple[Any, ...]
    fields: Mapping[str, Any]

    def __init__(self, make: Callable[..., Any], *arguments: object, **fields: object) -> None:
        self.__attrs_init__(make, arguments, fields)


@attrs.frozen(eq=False)
class Mapped(ValueKind):
    """What a function makes of each value."""

    kind: ValueKind
    function: Callable[[Any], Any]


@attrs.frozen(eq=False)
class Filtered(ValueKind):
    """The values that fit."""

    kind: ValueKind
    predicate: Callable[[Any], bool]


@attrs.frozen(eq=False)
class Then(ValueKind):
    """Values of the kind that a function gives for a value of another."""

    kind: ValueKind
    function: Callable[[Any], ValueKind]


@attrs.frozen(eq=False)
class OfFamily(ValueKind):
    """A kind that depends on the family of the rule's table."""

    of: Callable[[Family], ValueKind]


def negatable(kind: object) -> ValueKind:
    """Values with and without a ``!``."""
    return Build(Negatable, kind, FLAG)


def maybe(kind: object) -> ValueKind:
    """Often nothing."""
    return OneOf(None, kind)


def maybe_negated(kind: object) -> ValueKind:
    """Often nothing, and otherwise values with and without a ``!``."""
    return maybe(negatable(kind))


def pair(kind: ValueKind) -> ValueKind:
    """Two values in order."""
    return Several(kind, 2, 2).map(lambda two: tuple(sorted(two)))


FLAG = Among((False, True))
BYTE = Integers(0, 0xFF)
NUMBER = Integers(0, 3) | Integers(0, FULL)  #: of 32 bits, often small
SHORT = Integers(0, 5) | Integers(0, 0xFFFF)  #: of 16 bits, often small

MARK = OneOf(
    Integers(0, FULL),
    Among((0, 1, 0x80, 0x4000, 0x8000, FULL)),
    Integers(0, 31).map(lambda place: 1 << place),
)
MASKED_MARK = OneOf(
    Build(MaskedMark, MARK, MARK),
    MARK.map(MaskedMark),
    MARK.map(lambda bits: MaskedMark(bits, bits)),
)
PORT = Integers(0, 0xFFFF) | Among((0, 1, 80, 443, 0xFFFF))
PORT_RANGE = OneOf(
    PORT.map(lambda port: PortRange(port, port)), pair(PORT).map(lambda two: PortRange(*two))
)
PORT_TEST = maybe_negated(PORT_RANGE)
INTERFACE = OneOf(
    Among(("lo", "eth0", "eni1234abcd", "veth0*", "*", "all")).map(Interface),
    Unquoted(15).filter(lambda name: not name.endswith("+")).map(Interface),
    Among(("eni", "vlan", "veth*", "a+")).map(lambda name: Interface(name, wildcard=True)),
    Unquoted(14, smallest=0).map(lambda name: Interface(name, wildcard=True)),
)

_USUAL = {
    Family.IP: ("0.0.0.0", "10.0.0.1", "127.0.0.1", "169.254.169.254", "255.255.255.255"),  # noqa: S104
    Family.IP6: ("::", "::1", "fd00::1", "::ffff:10.0.0.1", "::10.0.0.1", "ff02::1"),
}


def _addresses(family: Family) -> ValueKind:
    anywhere = Integers(0, family.all_ones).map(lambda value: Address(family, value))
    return anywhere | Among(_USUAL[family]).map(Address.parse)


def _masks(family: Family) -> ValueKind:
    contiguous = Integers(1, family.bits).map(lambda length: mask_of_length(family, length))
    return OneOf(contiguous, contiguous, Integers(1, family.all_ones))


def _prefixes(family: Family) -> ValueKind:
    masks = Integers(0, family.bits).map(lambda length: mask_of_length(family, length))
    return Build(_network, _addresses(family), masks)


def _network(address: Address, mask: int) -> Network:
    return Network(address.family, address.value & mask, mask)


#: Any address, often one that is special.
ADDRESS = OfFamily(_addresses)
#: Networks of any mask, also with gaps, but not of no bits.
NETWORK = OfFamily(lambda family: Build(_network, _addresses(family), _masks(family)))
#: Networks of any length.
PREFIX = OfFamily(_prefixes)
#: The network of all addresses.
EVERYWHERE = OfFamily(lambda family: Among((Network(family, 0, 0),)))
#: Ranges whose ends are in order, often of one address.
ADDRESS_RANGE = OneOf(
    ADDRESS.map(lambda one: AddressRange(one, one)),
    Several(ADDRESS, 2, 2).map(
        lambda two: AddressRange(*sorted(two, key=lambda address: address.value))
    ),
)


def number_ranges(largest: int = FULL) -> ValueKind:
    """Ranges of one number or several, but not of all."""
    number = Integers(0, 9) | Integers(0, largest)
    ranges = OneOf(
        number.map(lambda one: NumberRange(one, one)),
        pair(number).map(lambda two: NumberRange(*two)),
    )
    return ranges.filter(lambda found: found != NumberRange(0, largest))


def number_tests(largest: int = FULL) -> ValueKind:
    """Often nothing, and otherwise a range with and without a ``!``."""
    return maybe_negated(number_ranges(largest))


def header_lengths(unit: int) -> ValueKind:
    """Often nothing, and otherwise bytes of a header, which has whole units."""
    return maybe_negated(Integers(1, 5).map(lambda units: unit * units) | Integers(1, FULL))
