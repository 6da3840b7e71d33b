"""Chains of two sides, rule by rule.

Two chains mean the same where their rules do, one after the other, for any packet in any state. A
pair of chains that is proved stands for what it does wherever one of them is called: the same
unknown function of the packet on both sides. So a proof costs as much as there are rules, however
they call each other. Which chains are tried as pairs is a matter of names; that they are one is
proved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..model.packet import NoMeaning
from . import cells, chance
from .footprint import Footprint
from .pairs import ChainPart, Chains
from .part_summary import PartOutcome, PartSummaries
from .shapes import ConditionShape
from .symbolic import Undecided
from .term import asks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ..model.hook import Program
    from ..model.packet import State
    from .context import ProofContext
    from .summary import ChainSummary
    from .symbolic import Solver
    from .term import Term

#: How many rules of either side are taken together where they do not mean the same one by one.
_SIZES = ((1, 1), (1, 0), (0, 1), (1, 2), (2, 1), (2, 2), (1, 3), (3, 1), (2, 3), (3, 2), (3, 3))

#: Of how many rules it is looked at where a chain comes back, and how large a condition is kept.
_SHORT, _PLAIN = 4, 40

#: The most chains that call each other which are compared: Python's stack is not without end.
_DEEPEST = 40

#: How many rules a chain may have to be compared as a whole.
_WHOLE = 400

#: Two chains, the one before first, by program and name.
Pair = tuple["Program", str, "Program", str]

#: A chain of either side.
_Chain = tuple["Program", str]

#: What comes of a packet in some rules, by name, and how it is behind them.
_Run = tuple[dict[str, "Term"], "State"]


def _place(parts: tuple[ChainPart, ChainPart]) -> str:
    """Where two parts begin."""
    part = next((part for part in parts if part.numbers), parts[0])
    return f"{part.program.table} {part.chain} from rule {part.numbers[0] + 1} on"


class Differs(Exception):  # noqa: N818 - found on the way, and caught
    """Rules do not mean the same, or it is not known."""


@attrs.define
class _Group:
    """Chains that are proved to mean the same: one of a side, with one or more of the other side.

    Where rules are there twice, two chains of a side mean what one of the other side means. Each is
    proved against that one. So whichever of them is called, what it uses is used for all of them: a
    number that is drawn again is another one.
    """

    known: ChainSummary  #: what the first pair does, by whose symbol all are called
    pairs: dict[_Chain, tuple[ChainPart, ChainPart]]
    one: _Chain | None = None  #: that of its side, once the other side has more than one

    def has_room_at(self, chain: _Chain) -> bool:
        """Whether more chains of the other side can be proved against one that is in here."""
        return self.one in {None, chain}

    def takes(self, chain: _Chain, found: ChainSummary) -> bool:
        """Whether another one that is proved against it is the same function for all callers."""
        return self.has_room_at(chain) and found.means(self.known)


@attrs.define
class ChainComparison:
    """The chains of two sides at one hook, and which of them mean the same."""

    setting: ProofContext
    solver: Solver
    before: Chains
    after: Chains
    #: What is known of pairs of chains whatever the hook, and at this one alone: that they mean
    #: the same, or None where they do not, or may not.
    anywhere: dict[Pair, ChainSummary | None]
    here: dict[Pair, ChainSummary | None] = attrs.field(factory=dict, init=False)
    #: The pairs that are being proved.
    _under_way: set[Pair] = attrs.field(factory=set, init=False)
    #: The chains that one of either side is proved to mean the same as.
    _groups: dict[_Chain, _Group] = attrs.field(factory=dict, init=False)
    #: The parts that do not mean the same, or may not.
    open: list[tuple[ChainPart, ChainPart]] = attrs.field(factory=list, init=False)
    #: What the model does not know, with the places of it.
    meaningless: list[str] = attrs.field(factory=list, init=False)
    #: What rules do, of either side.
    summaries: PartSummaries = attrs.field(factory=PartSummaries, init=False)
    #: Chains that draw other random numbers than one of the other side.
    drawn: set[tuple[Program, str]] = attrs.field(factory=set, init=False)
    #: Whether random choices were found to be equal that draw other numbers.
    by_chance: bool = attrs.field(default=False, init=False)
    _answers: dict[Term, bool] = attrs.field(factory=dict, init=False)

    def call(self, program: Program, chain: str, state: State, where: Term) -> Term | None:
        """What a rule's jump does where the other side has a chain that means the same."""
        called = self._called(program, chain)
        return called.enter(self.setting, state, where) if called else None

    def is_alike(self, program: Program, chain: str) -> bool:
        """Whether the other side has a chain that may be the same rule by rule."""
        return any(
            len(one.numbers) == len(other.numbers) for one, other in self._likely(program, chain)
        )

    def call_equal(self, program: Program, chain: str, state: State, where: Term) -> Term | None:
        """The same within a chain of both sides: what calls a chain that differs is not equal.

        It may be, where the difference does not show; the whole hook decides. Chains that draw
        other numbers are gone through: their outcomes may be as likely for the packets that come
        here.
        """
        called = self._called(program, chain)
        if called:
            return called.enter(self.setting, state, where)
        if (program, chain) not in self.drawn and any(True for _ in self._likely(program, chain)):
            raise Differs
        return None

    def _called(self, program: Program, name: str) -> ChainSummary | None:
        """What the first of the likely pairs of a chain does that is proved."""
        chain = (program, name)
        if group := self._groups.get(chain):
            return self._as_one_of(group, self.prove(*group.pairs[chain]))
        for pair in self._likely(program, name):
            (other,) = {(part.program, part.chain) for part in pair} - {chain}
            if other in self._groups and not self._groups[other].has_room_at(other):
                continue
            found = self.prove(*pair)
            group = self._groups.get(other)
            if found is None or (group and not group.takes(other, found)):
                continue
            if group is None:
                group = self._groups[other] = _Group(found, {other: pair})
            else:
                group.one = other
            group.pairs[chain] = pair
            self._groups[chain] = group
            return self._as_one_of(group, found)
        return None

    def _as_one_of(self, group: _Group, found: ChainSummary | None) -> ChainSummary | None:
        symbol = group.known.symbol
        if found is None or found.symbol == symbol:
            return found
        return attrs.evolve(found, symbol=symbol)

    def _likely(self, program: Program, chain: str) -> Iterator[tuple[ChainPart, ChainPart]]:
        """The pairs that a chain can be one of, by names, the likeliest first."""
        if program in self.before:
            part = self.before.part(program, chain)
            yield from ((part, other) for other in self.after.like(part))
        else:
            part = self.after.part(program, chain)
            yield from ((other, part) for other in self.before.like(part))

    def prove(self, before: ChainPart, after: ChainPart) -> ChainSummary | None:
        """Whether two chains, one of either side, mean the same. Raises NoMeaning in a circle."""
        key = (before.program, before.chain, after.program, after.chain)
        if key in self.anywhere:
            return self.anywhere[key]
        reads = self.setting.hook_reads
        if key not in self.here:
            if key in self._under_way:
                raise NoMeaning(f"the chain {before.chain} leads back to itself")
            if len(self._under_way) >= _DEEPEST:
                raise NoMeaning(f"more than {_DEEPEST} jumps lead to the chain {before.chain}")
            outside, reads.seen = reads.seen, False
            self._under_way.add(key)
            try:
                found = self._compare(self._symbol(before, after), before, after)
            finally:  # of a proof whose time is over, another hook asks again
                self._under_way.remove(key)
            if found and reads.seen:
                found = attrs.evolve(found, symbol=f"{found.symbol} at {self.setting.hook}")
            (self.here if reads.seen else self.anywhere)[key] = found
            reads.seen |= outside
        else:
            reads.note()
        return self.anywhere[key] if key in self.anywhere else self.here[key]

    def _symbol(self, before: ChainPart, after: ChainPart) -> str:
        """A name that no other pair has: tables can have the same name, and chains almost any."""
        ours, theirs = self.before.number(before.program), self.after.number(after.program)
        return repr((ours, before.chain, theirs, after.chain))

    def _compare(self, symbol: str, before: ChainPart, after: ChainPart) -> ChainSummary | None:
        """Whether two chains mean the same."""
        footprint = Footprint()
        rest = before, after
        try:
            while any(part.numbers for part in rest):
                rest = (
                    self._looked_up(*rest, footprint)
                    or self._next(*rest, footprint)
                    or self._whole(*rest, footprint)
                )
        except Differs:
            self.open.append(rest)
            return None
        except NoMeaning as reason:
            self.open.append(rest)
            self.meaningless.append(f"{_place(rest)}: {reason}")
            return None
        exactly = None
        if len(before.numbers) <= _SHORT:
            if footprint.is_sum:
                exactly = footprint.comes_back(self.setting)
            else:
                exactly = self._returns(before)
        return footprint.called(self.setting, symbol, exactly)

    def _returns(self, part: ChainPart) -> Term | None:
        """Where a short chain comes back, if that hangs on the packet's fields alone."""
        terms, setting = self.setting.terms, self.setting
        outcome, _ = self._run(part)
        here = dict.fromkeys((setting.undecided, *setting.reachable.terms), terms.true)
        where = terms.substitute(terms.any(outcome["next"], outcome["back"]), here)
        return where if terms.is_plain(where, _PLAIN) else None

    def _next(
        self, before: ChainPart, after: ChainPart, footprint: Footprint
    ) -> tuple[ChainPart, ChainPart] | None:
        """What is left behind the next rules of either side that mean the same together.

        Rules of a shape are tried in all sizes first: the solver knows of most that do not fit.
        """
        for never in (self.is_unsat_by_shape, self.is_unsat):
            for left, right in _SIZES:
                if left > len(before.numbers) or right > len(after.numbers):
                    continue
                if self._same(before.first(left), after.first(right), footprint, never):
                    return before.behind(left), after.behind(right)
        return None

    def _looked_up(
        self, before: ChainPart, after: ChainPart, footprint: Footprint
    ) -> tuple[ChainPart, ChainPart] | None:
        """Nothing is left where one side looks up what the other one has rules for."""
        if not any(cells.looks_up(part) for part in (before, after)):
            return None
        if not cells.are_equal(self, before, after, footprint):
            return None
        return before.behind(len(before.numbers)), after.behind(len(after.numbers))

    def _whole(
        self, before: ChainPart, after: ChainPart, footprint: Footprint
    ) -> tuple[ChainPart, ChainPart]:
        """Nothing is left where all the rest means the same together."""
        one, other = len(before.numbers), len(after.numbers)
        if one == other or max(one, other) > _WHOLE:
            raise Differs
        if not self._same(before, after, footprint, self.is_unsat):
            raise Differs
        return before.behind(one), after.behind(other)

    def _same(
        self,
        before: ChainPart,
        after: ChainPart,
        footprint: Footprint,
        never: Callable[[Term], bool],
    ) -> bool:
        """Whether two parts mean the same, for any packet in any state."""
        (ours, state), (theirs, other) = self._run_both(before, after)
        if not never(self.setting.compare(ours, theirs)):
            if not chance.are_equal(self, ours, theirs):
                if chance.choose_otherwise(*(asks(*one.values()) for one in (ours, theirs))):
                    self.drawn |= {(part.program, part.chain) for part in (before, after)}
                return False
            self.by_chance = True
        # Of a single rule the normal form shows whether what it changes goes on.
        alone = len(before.numbers) == 1
        nowhere = self._is_false if alone else self.is_unsat
        self.note(self.setting, footprint, ours, (state, other), nowhere)
        return True

    def note(
        self,
        setting: ProofContext,
        footprint: Footprint,
        outcome: Mapping[str, Term],
        states: tuple[State, State],
        never: Callable[[Term, Iterable[Term]], bool],
    ) -> None:
        """Note in a footprint what some rules do, as either side has them."""
        part = PartOutcome.of(setting, outcome, states)
        footprint.add(setting, self.summaries.of(setting, part, never), outcome, states)

    def _is_false(self, condition: Term, _given: Iterable[Term]) -> bool:
        return condition is self.setting.terms.false

    def _run_both(self, before: ChainPart, after: ChainPart) -> tuple[_Run, _Run]:
        """Go through two parts; once, where both are the same text and hang on nothing else.

        A place is a side's own, and so is a chain that is called, unless both sides' are a pair.
        """
        if not self.before.has_text_of(before, after):
            return self._run(before), self._run(after)
        own, outside = self.setting.place_reads, self.setting.place_reads.seen

        def call(program: Program, chain: str, state: State, where: Term) -> Term | None:
            seen = own.seen
            back = self.call_equal(program, chain, state, where)
            own.seen = seen or not self._is_pair((program, chain), (after.program, chain))
            return back

        own.seen = False
        try:
            ours = self.setting.run(before.program, before.chain, before.numbers, call)
            return ours, self._run(after) if own.seen else ours
        finally:
            own.seen = outside

    def _is_pair(self, before: _Chain, after: _Chain) -> bool:
        """Whether calls of two chains are calls of one pair of them."""
        group = self._groups.get(before)
        if group is None or group is not self._groups.get(after):
            return False
        return group.pairs[before] is group.pairs[after]

    def _run(self, part: ChainPart) -> _Run:
        return self.setting.run(part.program, part.chain, part.numbers, self.call_equal)

    def is_unsat(self, condition: Term, given: Iterable[Term] = ()) -> bool:
        """Whether no packet makes a condition true while others hold."""
        return self.is_unsat_by_shape(condition, given) or self._has_none(condition, given)

    def is_unsat_by_shape(self, condition: Term, given: Iterable[Term] = ()) -> bool:
        """The same whatever the condition's literals are: false may mean that it hangs on them."""
        if condition is self.setting.terms.false:
            return True
        shape = ConditionShape(self.setting.terms)
        general = shape.of(condition)
        if not shape.is_common:
            return self._has_none(condition, given)
        return self._has_none(general, (*shape.distinct(), *given))

    def _has_none(self, condition: Term, given: Iterable[Term] = ()) -> bool:
        """Whether the solver knows that no packet makes a condition true."""
        if condition is self.setting.terms.false:
            return True
        if condition not in self._answers:
            try:
                found = self.solver.find(condition, (*self.setting.invariants, *given))
                self._answers[condition] = found is None
            except Undecided:
                self._answers[condition] = False
        return self._answers[condition]
