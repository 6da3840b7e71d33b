"""The algebra of plain numbers: meanings as an interpreter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

import attrs

from .oracle import Oracle

if TYPE_CHECKING:
    from .lookup import KeyGroup, KeyIndex
    from .packet import Event

#: A question to the world: an oracle and its arguments.
Question = tuple[Oracle, tuple[int, ...]]


@attrs.define
class Concrete:
    """Booleans are bool and words are int.

    The world answers what ``answers`` says; what it does not say is drawn from the seed, the same
    each time it is asked. ``asked`` keeps every question with its answer.
    """

    seed: int = 0
    answers: Mapping[Question, int] = attrs.Factory(dict)
    asked: dict[Question, int] = attrs.Factory(dict)
    true: bool = attrs.field(default=True, init=False)
    false: bool = attrs.field(default=False, init=False)

    def const(self, value: int, width: int) -> int:
        """The number itself."""
        if value >> width:
            raise ValueError(f"{value} is no word of {width} bits")
        return value

    def all(self, *conditions: bool) -> bool:
        """Conjunction."""
        return all(conditions)

    def any(self, *conditions: bool) -> bool:
        """Disjunction."""
        return any(conditions)

    def not_(self, condition: bool) -> bool:
        """Negation."""
        return not condition

    def iff(self, left: bool, right: bool) -> bool:
        """Equivalence."""
        return left is right

    def equal(self, left: int, right: int) -> bool:
        """Equality."""
        return left == right

    def ule(self, left: int, right: int) -> bool:
        """Order."""
        return left <= right

    def bvand(self, left: int, right: int) -> int:
        """Bitwise and."""
        return left & right

    def bvor(self, left: int, right: int) -> int:
        """Bitwise or."""
        return left | right

    def bvxor(self, left: int, right: int) -> int:
        """Bitwise exclusive or."""
        return left ^ right

    def ite(self, condition: bool, then: int, otherwise: int) -> int:
        """One of the two."""
        return then if condition else otherwise

    def extract(self, word: int, low: int, width: int) -> int:
        """Shifted and cut."""
        return word >> low & (1 << width) - 1

    def concat(self, high: int, low: int, low_width: int) -> int:
        """One behind the other."""
        return high << low_width | low

    def bvadd(self, left: int, right: int, width: int) -> int:
        """Modular addition."""
        return left + right & (1 << width) - 1

    def ask(self, oracle: Oracle, arguments: tuple[int, ...], width: int) -> int:
        """The answer that is given, or else one drawn from the seed."""
        question = (oracle, arguments)
        answer = self.asked.get(question)
        if answer is None:
            answer = self.answers.get(question)
            if answer is None:
                answer = self._draw(question, width)
            self.asked[question] = answer
        return answer

    def history(self, events: Sequence[tuple[bool, Event]]) -> tuple[int, ...]:
        """How many of the events have happened, where any have."""
        happened = sum(when for when, _ in events)
        return (happened,) if happened else ()

    def candidates(self, index: KeyIndex, words: tuple[int, ...], *, splits: bool) -> list[int]:  # noqa: ARG002 - each word has one value
        """What the words match."""
        return index.numbers(index.matched([(word,) for word in words]))

    def is_in(self, group: KeyGroup, words: tuple[int, ...]) -> bool:
        """Membership."""
        return words in group.by_key

    def impossible(self, condition: bool) -> bool:
        """Every condition is known."""
        return not condition

    def _draw(self, question: Question, width: int) -> int:
        # Half of all answers are small: verdicts often hang on one bit or on a small number.
        digest = blake2b(repr((self.seed, question)).encode(), digest_size=16).digest()
        number = int.from_bytes(digest, "big")
        small, value = number & 1, number >> 8
        return value % min(4, 1 << width) if small else value & ((1 << width) - 1)
