"""The operations that meanings are written in.

A meaning is a term of booleans and bit vectors. It never asks Python whether a term is true: it
combines terms, so that the same text computes with numbers (``concrete``) and, over other terms,
proves for all packets at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .lookup import KeyGroup, KeyIndex
    from .oracle import Oracle
    from .packet import Event

#: A boolean of the algebra.
Bool = Any
#: A bit vector of the algebra, unsigned; both operands of an operation have one width.
Word = Any


class Algebra(Protocol):
    """Booleans and bit vectors."""

    true: Bool
    false: Bool

    def const(self, value: int, width: int) -> Word:
        """A constant of so many bits; ValueError where it does not fit: nothing is cut silently."""

    def all(self, *conditions: Bool) -> Bool:
        """Whether every condition holds."""

    def any(self, *conditions: Bool) -> Bool:
        """Whether some condition holds."""

    def not_(self, condition: Bool) -> Bool:
        """Whether the condition does not hold."""

    def iff(self, left: Bool, right: Bool) -> Bool:
        """Whether both conditions hold or neither does."""

    def equal(self, left: Word, right: Word) -> Bool:
        """Whether two words are equal."""

    def ule(self, left: Word, right: Word) -> Bool:
        """Whether the left word, unsigned, is not larger than the right one."""

    def bvand(self, left: Word, right: Word) -> Word:
        """The bits that are set in both words."""

    def bvor(self, left: Word, right: Word) -> Word:
        """The bits that are set in at least one of the words."""

    def bvxor(self, left: Word, right: Word) -> Word:
        """The bits that are set in exactly one of the words."""

    def ite(self, condition: Bool, then: Word, otherwise: Word) -> Word:
        """One word where the condition holds, the other one where it does not."""

    def extract(self, word: Word, low: int, width: int) -> Word:
        """So many bits of a word, from one of them on; the lowest one is 0."""

    def concat(self, high: Word, low: Word, low_width: int) -> Word:
        """Two words as one."""

    def bvadd(self, left: Word, right: Word, width: int) -> Word:
        """The sum, without what does not fit in so many bits."""

    def ask(self, oracle: Oracle, arguments: tuple[Word, ...], width: int) -> Word:
        """What the world answers: a function of the oracle and its arguments, otherwise unknown."""

    def history(self, events: Sequence[tuple[Bool, Event]]) -> tuple[Word, ...]:
        """What has happened, as an argument of what depends on it; none where nothing has.

        An object that keeps state gives another answer each time it is used. Its answer is a
        function of the uses before, each under its condition.
        """

    def candidates(self, index: KeyIndex, words: tuple[Word, ...], *, splits: bool) -> list[int]:
        """The numbers of what words can match; more of them are never wrong.

        With ``splits`` a proof may look at the packets of each key by themselves instead.
        """

    def is_in(self, group: KeyGroup, words: tuple[Word, ...]) -> Bool:
        """Whether words are one of some keys."""

    def impossible(self, condition: Bool) -> bool:
        """Whether the condition is known to be false, so that nothing under it need be looked at.

        False is always a right answer.
        """
