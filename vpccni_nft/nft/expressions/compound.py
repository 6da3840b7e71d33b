"""Expressions of expressions: operators on bits, concatenations, lookups in maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..words import BitOperator
from .base import Expression
from .literals import Hex, Number
from .sets import AnonymousSet, SetReference

if TYPE_CHECKING:
    from ..datatypes import KeyType


#: Bits of a register that what is narrower is widened to before bits are added or shifted.
_REGISTER_BITS = 32


@attrs.frozen
class Binary(Expression):
    """Bit by bit, ``left & right``; or shifted, ``left << right``."""

    operator: BitOperator = attrs.field(converter=BitOperator)
    left: Expression
    right: Expression

    def __attrs_post_init__(self) -> None:
        type_ = self.left.type
        if type_ is None:
            return
        if self.operator.is_shift:
            places = self.right.value if isinstance(self.right, Number) else -1
            if not 0 < places < max(_REGISTER_BITS, sum(part.bits for part in type_)):
                raise ValueError(f"nothing is shifted by {self.right!r}")
        elif self.operator is BitOperator.AND or not self._widens(type_):
            self.right.require_fit(type_)

    def _widens(self, key: KeyType) -> bool:
        """Whether bits are added to a number that is narrower than a register."""
        return (
            len(key) == 1
            and key[0].bits < _REGISTER_BITS
            and isinstance(self.right, Number | Hex)
            and self.right.value < 1 << _REGISTER_BITS
        )

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
