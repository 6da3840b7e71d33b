"""Literals: what a value is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.values import Address, Family
from .. import datatypes as t
from ..names import checked_string
from .base import Expression, only, require_bits

if TYPE_CHECKING:
    from ..datatypes import KeyType


@attrs.frozen
class _Unsigned(Expression):
    """A number, however it is written."""

    value: int

    def __attrs_post_init__(self) -> None:
        if self.value < 0:
            raise ValueError(f"nft has no negative numbers: {self.value}")

    def require_fit(self, key: KeyType) -> None:
        """It must not be larger than the type holds."""
        type_ = key[0] if len(key) == 1 else only(key)
        if self.value > type_.largest:
            type_.require_number(self.value)


@attrs.frozen
class Number(_Unsigned):
    """A number written in decimal."""


@attrs.frozen
class Hex(_Unsigned):
    """A number written in hexadecimal: marks and masks."""


@attrs.frozen
class Symbol(Expression):
    """A constant that nft has a word for: ``established``, ``local``, ``missing``."""

    name: str

    def require_fit(self, key: KeyType) -> None:
        """It must be a word of the type."""
        only(key).require_word(self.name)


@attrs.frozen
class String(Expression):
    """A name that stands in quotes: a conntrack helper, a system."""

    value: str

    def __attrs_post_init__(self) -> None:
        checked_string(self.value, t.NAME_BITS // 8 - 1)

    def require_fit(self, key: KeyType) -> None:
        """Only names are compared with names."""
        if only(key) != t.STRING:
            raise ValueError(f"{key[0].name} is not compared with “{self.value}”")


@attrs.frozen
class Mac(Expression):
    """A hardware address of six bytes."""

    value: int

    def __attrs_post_init__(self) -> None:
        require_bits(self.value, 48, "a hardware address")

    def require_fit(self, key: KeyType) -> None:
        """Only hardware addresses are compared with one."""
        if only(key).bits != t.ETHER_ADDR.bits:
            raise ValueError(f"{key[0].name} is not a hardware address")


@attrs.frozen
class Protocol(Expression):
    """A transport protocol, by number."""

    number: int

    def __attrs_post_init__(self) -> None:
        require_bits(self.number, 8, "a protocol")

    def require_fit(self, key: KeyType) -> None:
        """Only protocols are compared with one."""
        if (key[0] if len(key) == 1 else only(key)) is not t.INET_PROTO:
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
    if (key[0] if len(key) == 1 else only(key)) is not _ADDRESS[address.family]:
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
        if only(key) not in _INTERFACES:
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
        type_ = only(key)
        for name in self.names:
            type_.require_word(name)
