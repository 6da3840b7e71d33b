"""Sets that a rule holds or names, and the elements of sets and maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .. import datatypes as t
from ..names import checked, checked_string
from .base import Expression, require_bits
from .literals import Hex, Number, Range

if TYPE_CHECKING:
    from ..datatypes import KeyType
    from ..statements import Verdict


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
            require_bits(number, 64, "what an element keeps")
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
