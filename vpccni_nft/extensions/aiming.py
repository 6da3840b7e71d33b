"""Packets that are made to fit a rule, for the ``aim`` of each match and target.

An aim is a guess that only has to be right for most packets: where it errs, a packet goes another
way. What a packet must be like follows from ``meaning``; an aim never replaces that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ..core.values import Family
from ..model.concrete import Concrete
from ..model.effects import View
from ..model.hook import has_connection_already
from ..model.oracle import ROUTE_KEY, Oracle, OracleKind
from ..model.packet import CONNECTION, SOCKET_KEY, STATE_BITS, State, interface_word, width

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from random import Random

    from ..core.values import MaskedMark, Negatable, Network
    from ..ipset.ast import IpSets
    from ..model.concrete import Question
    from ..model.oracle import Position

T = TypeVar("T")

_WITHOUT_ENTRY = STATE_BITS["invalid"] | STATE_BITS["untracked"]


@attrs.define
class Draft:
    """A packet, what the world answers about it, and the place of the match that it is to fit."""

    family: Family
    hook: str
    fields: dict[str, int]
    answers: dict[Question, int]
    random: Random
    sets: IpSets | None = None
    #: All matches of the ruleset that use something together, by what they use.
    sharing: Mapping[tuple[str, str], tuple[Any, ...]] = attrs.Factory(dict)
    place: Position | None = None  #: as in ``View``
    before_conntrack: bool = False  #: whether the rule sees no connection yet
    earlier: tuple[Position, ...] = ()  #: where something is drawn in the chain before that

    def evaluate(self, meaning: Callable[[View], T]) -> tuple[T, Mapping[Question, int]]:
        """What a meaning says of this packet, and all that it asks the world with the answers."""
        world = Concrete(answers=self.answers)
        fields = dict(self.fields)
        state = State.start(world, self.family, self.hook, fields)
        if self.before_conntrack and self.hook in {"prerouting", "output"}:
            seen = has_connection_already(state)
            state.fields["ct_state"] = fields["ct_state"] if seen else STATE_BITS["invalid"]
        return meaning(View(state, self.place, True, self.sets, self.sharing)), world.asked

    # What the packet has.

    @property
    def connection(self) -> tuple[int, ...]:
        """What its connection is looked up by."""
        return tuple(self.fields[name] for name in CONNECTION)

    @property
    def socket(self) -> tuple[int, ...]:
        """What its socket is looked up by."""
        return tuple(self.fields[name] for name in SOCKET_KEY)

    @property
    def routed_by(self) -> tuple[int, ...]:
        """The fields that its route may hang on beside an address."""
        return tuple(self.fields[name] for name in ROUTE_KEY)

    def fit(self, field: str, test: Negatable[Any] | None) -> None:
        """Give a field a number that a test takes: one number, or one of some ranges."""
        if test:
            bits = width(field, self.family)
            self.fields[field] = self.pick(test, bits, self.fields[field])

    def fit_bits(self, field: str, value: int, mask: int, *, negated: bool = False) -> None:
        """Give the bits of a field under a mask a value, or another one."""
        now = self.fields[field]
        if (now & mask == value) is negated:
            now = now & ~mask | value & mask
            self.fields[field] = now ^ (mask & -mask if negated else 0)

    def fit_mark(self, field: str, test: Negatable[MaskedMark] | None) -> None:
        """Give a field a mark that a test takes."""
        if test:
            self.fit_bits(field, test.value.value, test.value.mask, negated=test.negated)

    def fit_network(self, field: str, test: Negatable[Network] | None) -> None:
        """Give a field an address in a network, or outside it."""
        if test:
            self.fit_bits(field, test.value.address, test.value.mask, negated=test.negated)

    def fit_entry(self) -> None:
        """Give the packet a connection."""
        if self.fields["ct_state"] & _WITHOUT_ENTRY:
            self.fields["ct_state"] = STATE_BITS[self.random.choice(("established", "new"))]
        if self.before_conntrack and self.hook == "prerouting":
            self.fields["iif"] = interface_word("lo")  # nothing else has one there already

    # What the world answers.

    def answer(self, oracle: Oracle | OracleKind, answer: int, *arguments: int) -> None:
        """Let the world give an answer, wherever it is asked."""
        if isinstance(oracle, OracleKind):
            oracle = Oracle(oracle)
        self.answers[oracle, arguments] = int(answer)

    def answer_here(self, kind: OracleKind, answer: int, *parameters: Hashable) -> None:
        """Let the world give an answer in the place of this match alone."""
        assert self.place
        self.answer(Oracle(kind, self.place, parameters), answer)

    def answer_all(self, meaning: Callable[[View], object], answer: int) -> None:
        """Let the world give one answer to all that a meaning asks about this packet."""
        _, asked = self.evaluate(meaning)
        self.answers.update(dict.fromkeys(asked, int(answer)))

    def answer_fit(
        self, oracle: Oracle | OracleKind, test: Negatable[Any] | None, bits: int
    ) -> None:
        """Let the world answer with a number of so many bits that a test takes."""
        if test:
            self.answer(oracle, self.pick(test, bits))

    def pick(self, test: Negatable[Any], bits: int, now: int = -1) -> int:
        """A number of so many bits that a test takes: ``now`` if it can be, or an edge."""
        largest = (1 << bits) - 1
        ranges = tuple(_ranges(test.value))
        edges = (
            end
            for first, last in ranges
            for end in ((first - 1, last + 1) if test.negated else (first, min(last, largest)))
        )
        fitting = [
            number
            for number in (now, *edges)
            if 0 <= number <= largest
            and any(first <= number <= last for first, last in ranges) is not test.negated
        ]
        return self.random.choice(fitting) if fitting else max(now, 0)


def _ranges(value: Any) -> tuple[tuple[int, int], ...]:
    """First and last of each range: of a number, a range, or several of them."""
    if isinstance(value, int):
        return ((value, value),)
    if isinstance(value, tuple):
        return tuple(one for part in value for one in _ranges(part))
    first, last = value.first, value.last
    return ((getattr(first, "value", first), getattr(last, "value", last)),)
