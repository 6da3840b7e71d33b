"""What some rules do to any packet that comes to them, in any state.

Thousands of rules differ in an address, a port and a chain's name. What is found of one of them
with its literals as variables holds of all that have the same shape, whatever theirs are: it is
found once, and has the literals of each put into it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .context import is_count
from .dependence import joined
from .general import LiteralShape
from .summary import BOUND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ..model.packet import State
    from .context import ProofContext
    from .dependence import BitChange
    from .term import Term
    from .terms import Terms

#: How large a condition is kept.
PLAIN = 40

#: How often a condition is reduced.
_PASSES = 3

#: How many steps of some rules are looked at one by one.
_FEW = 4


@attrs.frozen
class PartSummary:
    """What some rules do: to packets that go on to the next ones, come back, or leave and stay."""

    reads: Mapping[str, int]
    writes: Mapping[str, int]
    #: Which bits of a field change at once, wherever some of them do.
    steps: Mapping[str, frozenset[int]]
    apart: Mapping[str, int]  #: and which do not
    moves: Mapping[str, int]  #: the bits that may have changed where the packet stays
    decides: bool
    goes_on: bool  #: whether the next rules are reached at all
    leaves: bool  #: whether packets may leave the base chain and stay
    #: Conditions on the packet as it comes to the rules, if it has no verdict yet; None: anywhere.
    back: Term | None  #: where they return, at most
    next: Term | None  #: where the next rules are reached, at most
    acts: tuple[Term | None, ...]  #: where they act for a packet that stays, at most
    shifts: tuple[Term | None, ...]  #: where bits move of one, at most

    @property
    def conditions(self) -> Iterator[Term]:
        """All conditions on packets."""
        yield from filter(None, (self.back, self.next, *self.acts, *self.shifts))

    def with_each(self, change: Callable[[Term], Term]) -> PartSummary:
        """The same with each condition changed."""

        def changed(where: Term | None) -> Term | None:
            return None if where is None else change(where)

        return attrs.evolve(
            self,
            back=changed(self.back),
            next=changed(self.next),
            acts=tuple(map(changed, self.acts)),
            shifts=tuple(map(changed, self.shifts)),
        )


@attrs.frozen
class PartOutcome:
    """What has come of any packet behind some rules, as terms."""

    outcome: Mapping[str, Term]
    happens: tuple[Term, ...]  #: where something happens that is more than a change of the packet
    before: Mapping[str, Term]  #: what the fields were that may have changed

    @classmethod
    def of(
        cls, setting: ProofContext, outcome: Mapping[str, Term], states: Iterable[State]
    ) -> PartOutcome:
        """Some rules, as either side has them."""
        happens = dict.fromkeys(when for state in states for when in _happenings(setting, state))
        before = {name: setting.fields[name] for name in outcome if name in setting.fields}
        return cls(outcome, tuple(happens), before)

    def with_each(self, change: Callable[[Term], Term]) -> PartOutcome:
        """The same with each term changed."""
        return PartOutcome(
            {name: change(term) for name, term in self.outcome.items()},
            tuple(map(change, self.happens)),
            {name: change(term) for name, term in self.before.items()},
        )

    def listed(self) -> Iterator[object]:
        """All of it, to be compared with what another one has."""
        yield from self.outcome.items()
        yield from self.happens
        yield from self.before.items()

    def summary(self, setting: ProofContext, never: Callable[[Term], bool]) -> PartSummary:
        """What the rules do; ``never`` says that no packet fits a condition."""
        terms, outcome = setting.terms, self.outcome
        comes_on = terms.any(outcome["next"], outcome["back"])
        unbound = (terms.equal(outcome[end], terms.const(0, 1)) for end in BOUND if end in outcome)
        leaves = terms.all(setting.reachable, terms.not_(comes_on), outcome["undecided"], *unbound)
        stays = terms.any(comes_on, leaves)
        found = _Found(setting, stays, never)
        for name, term in outcome.items():
            if name in self.before:
                found.add_change(name, term, self.before[name])
            else:
                found.reads = joined(found.reads, terms.dependence.reads(term))
        for where in _few(terms, self.happens):
            found.is_for_some(where, found.acts)
        return PartSummary(
            found.reads,
            found.writes,
            {name: frozenset(bits) for name, bits in found.steps.items()},
            found.apart,
            found.moves,
            outcome["undecided"] is not setting.undecided,
            outcome["next"] is not terms.false,
            not never(_settled(terms, leaves)),
            _at_most(setting, outcome["back"]),
            _at_most(setting, outcome["next"]),
            tuple(found.acts),
            tuple(found.shifts),
        )


@attrs.define
class _Found:
    """What is found so far of some rules."""

    setting: ProofContext
    stays: Term
    never: Callable[[Term], bool]
    reads: Mapping[str, int] = attrs.Factory(dict)
    writes: dict[str, int] = attrs.Factory(dict)
    steps: dict[str, set[int]] = attrs.Factory(dict)
    apart: dict[str, int] = attrs.Factory(dict)
    moves: dict[str, int] = attrs.Factory(dict)
    acts: list[Term | None] = attrs.Factory(list)
    shifts: list[Term | None] = attrs.Factory(list)
    _nowhere: dict[Term, bool] = attrs.Factory(dict)

    def add_change(self, name: str, term: Term, before: Term) -> None:
        """What a field has become."""
        terms = self.setting.terms
        change = terms.dependence.change(term, before)
        self.reads = joined(self.reads, change.reads)
        self.writes[name] = change.mask
        for where, step in _steps(terms, term, before):
            if step.is_whole:
                self.steps.setdefault(name, set()).add(step.mask)
            else:
                self.apart[name] = self.apart.get(name, 0) | step.mask
            if self.is_for_some(where, self.shifts):
                self.moves[name] = self.moves.get(name, 0) | step.mask

    def is_for_some(self, where: Term, found: list[Term | None]) -> bool:
        """Whether a condition holds of a packet that stays: then it is noted."""
        terms = self.setting.terms
        here = _settled(terms, terms.all(self.stays, where))
        if here not in self._nowhere:
            self._nowhere[here] = self.never(here)
        if not self._nowhere[here]:
            found.append(_at_most(self.setting, here))
        return not self._nowhere[here]


class PartSummaries:
    """What rules do, found once for each shape of them."""

    def __init__(self) -> None:
        self._fixed: dict[Term, Term] = {}
        #: The shapes of which rules have come by.
        self._seen: set[object] = set()
        #: What is known of those of which more have; None where each is looked at by itself.
        self._known: dict[object, _OfShape | None] = {}

    def of(
        self,
        setting: ProofContext,
        part: PartOutcome,
        never: Callable[[Term, Iterable[Term]], bool],
    ) -> PartSummary:
        """What some rules do; ``never`` says that no packet fits a condition while others hold."""
        shape = LiteralShape(setting.terms, self._fixed)
        key = (never, *part.with_each(shape.of).listed())
        if (known := self._known.get(key)) is not None:
            return known.of(shape)
        found = part.summary(setting, lambda condition: never(condition, ()))
        if key in self._seen and key not in self._known:
            general = _OfShape.among(setting, part, shape, never)
            # Where a literal decides, more is known of the rules as they are.
            self._known[key] = general if general.of(shape) == found else None
        self._seen.add(key)
        return found


@attrs.frozen
class _OfShape:
    """What rules of a shape do, with variables in place of their literals."""

    general: PartSummary
    has_literals: bool  #: whether any of its conditions has

    @classmethod
    def among(
        cls,
        setting: ProofContext,
        part: PartOutcome,
        shape: LiteralShape,
        never: Callable[[Term, Iterable[Term]], bool],
    ) -> _OfShape:
        """What all parts of a shape do that one of them has."""
        given = tuple(shape.distinct())
        general = part.with_each(shape.general)
        found = general.summary(setting, lambda condition: never(condition, given))
        found = attrs.evolve(found, reads=shape.without_literals(found.reads))
        reads = setting.terms.dependence.reads
        kept = [shape.without_literals(reads(one)) == reads(one) for one in found.conditions]
        return cls(found, not all(kept))

    def of(self, shape: LiteralShape) -> PartSummary:
        """What a part of the shape does, with literals of its own."""
        return self.general.with_each(shape.particular) if self.has_literals else self.general


def _at_most(setting: ProofContext, way: Term) -> Term | None:
    """What a condition says of a packet that comes to the rules, if that is little to keep."""
    terms = setting.terms
    if not terms.is_small(way, PLAIN):
        return None
    found = _without_answers(terms, come_to(setting, way))
    return None if found is terms.true else found


def come_to(setting: ProofContext, way: Term) -> Term:
    """A condition, of a packet that comes to the rules and has no verdict yet."""
    terms = setting.terms
    here = dict.fromkeys((setting.undecided, *setting.reachable.terms), terms.true)
    return terms.substitute(way, here)


def _settled(terms: Terms, condition: Term) -> Term:
    """A condition with more of what its parts say of each other: one that is reduced says more."""
    for _ in range(_PASSES):
        if condition.kind == "and":
            condition = terms.all(*condition.terms)
    return condition


def _steps(terms: Terms, term: Term, before: Term) -> list[tuple[Term, BitChange]]:
    """Where bits of a field may change, and which, step by step; many steps are one."""
    found, now = [], term
    while now is not before:
        if now.kind != "ite":
            found.append((terms.true, terms.dependence.change(now, before)))
            break
        condition, then, otherwise = now.terms
        if then is before:
            condition, then, otherwise = terms.not_(condition), otherwise, then
        found.append((condition, terms.dependence.change(then, before)))
        now = otherwise
    if len(found) <= _FEW:
        return found
    return [(terms.any(*(where for where, _ in found)), terms.dependence.change(term, before))]


def _few(terms: Terms, conditions: tuple[Term, ...]) -> tuple[Term, ...]:
    """Conditions that are looked at one by one; many are one."""
    return conditions if len(conditions) <= _FEW else (terms.any(*conditions),)


def _happenings(setting: ProofContext, state: State) -> Iterator[Term]:
    """Where something happens that is more than a change of the packet."""
    for happened in (state.verdicts, state.bindings, state.events):
        for when, one in happened:
            if setting.counters or not is_count(one):
                yield when
    yield from state.used_where


def _without_answers(terms: Terms, condition: Term) -> Term:
    """What a condition says of the packet alone, whatever the world and chains answer."""

    def weakened(term: Term, unknown: Term, known: Term) -> Term:
        match term.kind:
            case "not":
                return terms.not_(weakened(term.terms[0], known, unknown))
            case "and":
                return terms.all(*(weakened(part, unknown, known) for part in term.terms))
        return term if terms.is_plain(term, PLAIN) else unknown

    return weakened(condition, terms.true, terms.false)
