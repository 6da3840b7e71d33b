"""What every expression has, and the checks that several share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.typed import Typed

if TYPE_CHECKING:
    from ..datatypes import DataType, KeyType


class Expression(Typed):
    """Anything that has a value."""

    __slots__ = ()

    @property
    def type(self) -> KeyType | None:
        """The type of its value, where it has one of its own: literals take that of the other."""
        return None

    def require_fit(self, key: KeyType) -> None:
        """Raise ValueError where it is a literal and no value of a type."""


def only(key: KeyType) -> DataType:
    """The type of a key that has one part; else ValueError."""
    if len(key) != 1:
        raise ValueError(f"one value is given where a key has {len(key)} parts")
    return key[0]


def require_bits(value: int, bits: int, what: str) -> None:
    """Raise ValueError where a number does not fit so many bits."""
    if not 0 <= value < 1 << bits:
        raise ValueError(f"{what} is a number of {bits} bits, not {value}")
