"""The values that rules test and set: addresses, ports, marks.

Integers are in host order. Texts are read and written as iptables-save prints them
(inet_ntop(3) for addresses); a text that does not fit raises ValueError with the reason.
"""

from __future__ import annotations

import enum
import re
import socket
from typing import Generic, TypeVar

import attrs

T = TypeVar("T")

_INTEGER = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+", re.ASCII)


class Family(enum.Enum):
    """The address family of a table, by nft's name for it."""

    IP = "ip"
    IP6 = "ip6"

    # Members are compared by identity; Enum's own hash, by name, is slow.
    __hash__ = object.__hash__

    def __init__(self, name: str) -> None:
        #: The length of an address.
        self.bits = 32 if name == "ip" else 128
        #: The mask of a single address.
        self.all_ones = (1 << self.bits) - 1
        #: The name that people know it by.
        self.title = "IPv4" if name == "ip" else "IPv6"
        #: The constant that inet_pton(3) wants.
        self.socket_family = socket.AF_INET if name == "ip" else socket.AF_INET6


class WideFamily(enum.Enum):
    """The family of an nft table that packets of both families go through."""

    INET = "inet"

    @property
    def title(self) -> str:
        """The name for messages."""
        return self.value


#: What a table of nft can be of, as far as its rules are read.
TableFamily = Family | WideFamily


def families_of(family: TableFamily) -> tuple[Family, ...]:
    """The families whose packets go through a table of a family."""
    return (family,) if isinstance(family, Family) else tuple(Family)


@attrs.frozen
class Negatable(Generic[T]):
    """A value that a field must have or, after a ``!``, must not have."""

    value: T
    negated: bool = False


_Choice = TypeVar("_Choice", bound=enum.Enum)


def choice_of(choices: type[_Choice], given: object, name: str) -> _Choice:
    """A choice by itself or by its word. Raises ValueError where it is none."""
    try:
        return choices(given)
    except ValueError:
        words = ", ".join(str(choice.value) for choice in choices)
        raise ValueError(f"{name} is one of {words}, not {given!r}") from None


def parse_integer(text: str, largest: int = 0xFFFFFFFF) -> int:
    """Read a number as strtoul(3) with base 0 does: decimal, 0x hexadecimal, 0 octal.

    >>> parse_integer("0x80"), parse_integer("017"), parse_integer("9")
    (128, 15, 9)
    """
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"“{text}” is not a number")
    # Longer than any value in a rule: int() would refuse it, or take long.
    if len(text) > 40:
        raise ValueError("the number has too many digits")
    octal = text[0] == "0" and len(text) > 1 and text[1] not in "xX"
    if octal and not re.fullmatch("[0-7]+", text):
        raise ValueError(f"“{text}” is not a number")
    value = int(text, 8 if octal else 0)
    if value > largest:
        raise ValueError(f"{text} is larger than {largest}")
    return value


@attrs.frozen
class Address:
    """One address.

    >>> str(Address.parse("fd00::0ac:0"))
    'fd00::ac:0'
    """

    family: Family
    value: int

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.value <= self.family.all_ones:
            raise ValueError(f"{self.value:#x} is not an {self.family.title} address")

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read one literal address; a host name is never looked up."""
        return cls(*_read_address(text))

    def __str__(self) -> str:
        packed = self.value.to_bytes(self.family.bits // 8, "big")
        return socket.inet_ntop(self.family.socket_family, packed)


def _read_address(text: str) -> tuple[Family, int]:
    family = Family.IP6 if ":" in text else Family.IP
    try:
        packed = socket.inet_pton(family.socket_family, text)
    except (OSError, ValueError):
        raise ValueError(f"“{text}” is not an address") from None
    return family, int.from_bytes(packed, "big")


@attrs.frozen
class Network:
    """The addresses that agree with one address in the bits of a mask.

    The mask need not be contiguous (iptables takes 255.0.0.255).

    >>> Network.parse("10.1.2.3/8")
    Network(family=<Family.IP: 'ip'>, address=167772160, mask=4278190080)
    >>> [str(Network.parse(t)) for t in ("10.0.0.1", "10.0.0.0/255.0.0.255", "fd00::/8")]
    ['10.0.0.1/32', '10.0.0.0/255.0.0.255', 'fd00::/8']
    """

    family: Family
    address: int
    mask: int

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.mask <= self.family.all_ones:
            raise ValueError(f"{self.mask:#x} is not an {self.family.title} mask")
        if self.address & ~self.mask:
            raise ValueError("the address has bits outside its mask")

    @classmethod
    def parse(cls, text: str) -> Network:
        """Read ADDRESS, ADDRESS/LENGTH or ADDRESS/MASK; bits outside the mask are cleared."""
        address_text, slash, mask_text = text.partition("/")
        family, address = _read_address(address_text)
        if not slash:
            mask = family.all_ones
        elif mask_text.isascii() and mask_text.isdigit() and len(mask_text) <= 3:
            mask = mask_of_length(family, int(mask_text))
        else:
            mask_address = Address.parse(mask_text)
            if mask_address.family is not family:
                raise ValueError(f"“{mask_text}” is not an {family.title} mask")
            mask = mask_address.value
        return cls(family, address & mask, mask)

    @property
    def length(self) -> int | None:
        """The prefix length, or None where the mask has gaps."""
        holes = self.mask ^ self.family.all_ones
        return None if holes & (holes + 1) else self.family.bits - holes.bit_length()

    def __str__(self) -> str:
        length = self.length
        mask = Address(self.family, self.mask) if length is None else length
        return f"{Address(self.family, self.address)}/{mask}"


def mask_of_length(family: Family, length: int) -> int:
    """The mask with so many leading ones."""
    if not 0 <= length <= family.bits:
        raise ValueError(f"a prefix of {family.title} has 0 to {family.bits} bits, not {length}")
    return family.all_ones ^ (family.all_ones >> length)


@attrs.frozen
class AddressRange:
    """Addresses from first to last, both included."""

    first: Address
    last: Address

    def __attrs_post_init__(self) -> None:
        if self.first.family is not self.last.family:
            raise ValueError("the two ends of a range must be of one family")
        if self.first.value > self.last.value:
            raise ValueError(f"the range {self} ends before it starts")

    @property
    def family(self) -> Family:
        """The family of both ends."""
        return self.first.family

    @classmethod
    def parse(cls, text: str) -> AddressRange:
        """Read ADDRESS or ADDRESS-ADDRESS."""
        first, dash, last = text.partition("-")
        address = Address.parse(first)
        return cls(address, Address.parse(last) if dash else address)

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@attrs.frozen
class PortRange:
    """Ports from first to last, both included.

    >>> PortRange.parse("1024:", ":")
    PortRange(first=1024, last=65535)
    """

    first: int
    last: int

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.first <= 0xFFFF or not 0 <= self.last <= 0xFFFF:
            raise ValueError("a port is a number from 0 to 65535")
        if self.first > self.last:
            raise ValueError(f"the port range {self.first}-{self.last} ends before it starts")

    @classmethod
    def parse(cls, text: str, separator: str) -> PortRange:
        """Read PORT or PORT<separator>PORT; an open end reaches to 0 or 65535."""
        first, found, last = text.partition(separator)
        if not found:
            port = parse_integer(first, 0xFFFF)
            return cls(port, port)
        return cls(
            parse_integer(first, 0xFFFF) if first else 0,
            parse_integer(last, 0xFFFF) if last else 0xFFFF,
        )

    def format(self, separator: str) -> str:
        """Write it as PORT or PORT<separator>PORT."""
        if self.first == self.last:
            return str(self.first)
        return f"{self.first}{separator}{self.last}"


@attrs.frozen
class MaskedMark:
    """A 32-bit mark and the mask that goes with it."""

    value: int
    mask: int = 0xFFFFFFFF

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.value <= 0xFFFFFFFF or not 0 <= self.mask <= 0xFFFFFFFF:
            raise ValueError("a mark and its mask are numbers of 32 bits")

    @classmethod
    def parse(cls, text: str) -> MaskedMark:
        """Read VALUE or VALUE/MASK.

        >>> MaskedMark.parse("0x4000/0x4000")
        MaskedMark(value=16384, mask=16384)
        """
        value, slash, mask = text.partition("/")
        return cls(parse_integer(value), parse_integer(mask) if slash else 0xFFFFFFFF)
