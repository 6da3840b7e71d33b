"""Chains of two sides, rule by rule.

Two chains mean the same where their rules do, one after the other, for any packet in any state. A
pair of chains that is proved stands for what it does wherever one of them is called: the same
unknown function of the packet on both sides. So a proof costs as much as there are rules, however
they call each other. Which chains are tried as pairs is a matter of names; that they are one is
proved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ..model.packet import Event, NoMeaning, width
from . import cells, chance
from .pairs import ChainPart, Chains
from .shapes import ConditionShape
from .symbolic import Undecided

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping

    from ..model.hook import Program
    from ..model.packet import State
    from .context import ProofContext
    from .symbolic import Solver
    from .terms import Term, Terms

#: How many rules of either side are taken together where they do not mean the same one by one.
_SIZES = ((1, 1), (1, 0), (0, 1), (1, 2), (2, 1), (2, 2), (1, 3), (3, 1), (2, 3), (3, 2), (3, 3))

#: The fields that a binding sets.
_DONE = ("snat_done", "dnat_done")

#: Of how many rules it is looked at where a chain comes back, and how large a condition is kept.
_SHORT, _PLAIN = 4, 40

#: How many rules a chain may have to be compared as a whole.
_WHOLE = 400

#: Two chains, the one before first, by program and name.
Pair = tuple["Program", str, "Program", str]


@attrs.frozen
class ChainSummary:
    """A chain that means the same on both sides, for whoever calls it."""

    symbol: str
    reads: tuple[str, ...]  #: the fields that it depends on
    writes: tuple[str, ...]  #: the fields that it may change
    moves: frozenset[str]  #: those that it may have changed when it comes back
    looks: frozenset[Hashable]  #: the objects that keep state and that it hangs on
    uses: frozenset[Hashable]  #: those of them that may answer otherwise after it
    changes: frozenset[Hashable]  #: the sets that it may change
    decides: bool  #: whether it may end the hook
    #: The fields of ``_DONE`` that it sets wherever it does not come back and gives no verdict.
    binds: frozenset[str]
    #: Where it comes back, as a condition on any packet; None where that is not plain to see.
    returns: Term | None

    def enter(self, setting: ProofContext, state: State, where: Term) -> Term:
        """Do what the chain does; the answer is where it comes back."""
        terms = setting.terms
        before = state.history(*self.looks) if self.looks else ()
        arguments = (*(state.fields[field] for field in self.reads), *before)

        def says(question: str) -> Term:
            answer = terms.result(f"{self.symbol} {question}", arguments, 1)
            return terms.equal(answer, terms.const(1, 1))

        # On a path what can be seen hangs on the hook, and on the device by which it leaves.
        seen = (*arguments, state.fields["oif"]) if state.at else arguments
        called = Event("call", (self.symbol, self.uses, self.changes), seen, state.at)
        state.use(where, called)
        logs: tuple[list[Any], ...] = (state.verdicts, state.bindings, state.events)
        for log in logs:
            log.append((where, called))
        if self.returns is None:
            back = terms.all(where, says("returns"))
        else:
            here = {setting.fields[field]: state.fields[field] for field in self.reads}
            back = terms.all(where, terms.substitute(self.returns, here))
        gone = terms.all(where, terms.not_(back))
        ends = says("ends the hook") if self.decides else terms.false
        for field in self.writes:
            bits = width(field, setting.family)
            value = terms.result(f"{self.symbol} {field}", arguments, bits)
            if field in self.binds:
                value = terms.ite(terms.any(back, ends), value, terms.const(1, 1))
            state.assign(where if field in self.moves else gone, field, value)
        state.live = terms.all(state.live, terms.not_(terms.all(gone, ends)))
        return back


def _place(parts: tuple[ChainPart, ChainPart]) -> str:
    """Where two parts begin."""
    part = next((part for part in parts if part.numbers), parts[0])
    return f"{part.program.table} {part.chain} from rule {part.numbers[0] + 1} on"


class Differs(Exception):  # noqa: N818 - found on the way, and caught
    """Rules do not mean the same, or it is not known."""


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
    #: The pair that a chain of either side is proved to be one of.
    _pair_of: dict[tuple[Program, str], tuple[ChainPart, ChainPart]] = attrs.field(
        factory=dict, init=False
    )
    #: The parts that do not mean the same, or may not.
    open: list[tuple[ChainPart, ChainPart]] = attrs.field(factory=list, init=False)
    #: What the model does not know, with the places of it.
    meaningless: list[str] = attrs.field(factory=list, init=False)
    #: Chains that draw other random numbers than one of the other side.
    drawn: set[tuple[Program, str]] = attrs.field(factory=set, init=False)
    #: Whether random choices were found to be equal that draw other numbers.
    by_chance: bool = attrs.field(default=False, init=False)
    _answers: dict[Term, bool] = attrs.field(factory=dict, init=False)

    def call(self, program: Program, chain: str, state: State, where: Term) -> Term | None:
        """What a rule's jump does where the other side has a chain that means the same."""
        called = self._called(program, chain)
        return called.enter(self.setting, state, where) if called else None

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

    def _called(self, program: Program, chain: str) -> ChainSummary | None:
        """What the first of the likely pairs of a chain does that is proved.

        A chain is one of one pair at most.
        """
        key = (program, chain)
        if key in self._pair_of:
            return self.prove(*self._pair_of[key])
        for pair in self._likely(program, chain):
            names = [(part.program, part.chain) for part in pair]
            if any(one in self._pair_of for one in names):
                continue
            if found := self.prove(*pair):
                self._pair_of |= dict.fromkeys(names, pair)
                return found
        return None

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
            outside, reads.seen = reads.seen, False
            self._under_way.add(key)
            found = self._compare(self._symbol(before, after), before, after)
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
        return footprint.called(symbol, self._returns(before))

    def _returns(self, part: ChainPart) -> Term | None:
        """Where a short chain comes back, if that hangs on the packet's fields alone."""
        if len(part.numbers) > _SHORT:
            return None
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
        ours, state = self._run(before)
        theirs, other = self._run(after)
        if not never(self.setting.compare(ours, theirs)):
            if not chance.are_equal(self, ours, theirs):
                if chance.choose_otherwise(ours, theirs):
                    self.drawn |= {(part.program, part.chain) for part in (before, after)}
                return False
            self.by_chance = True
        # Of a single rule the normal form shows whether what it changes goes on.
        alone = len(before.numbers) == 1
        nowhere = self._is_false if alone else self.is_unsat
        footprint.add(self.setting, ours, (state, other), nowhere)
        return True

    def _is_false(self, condition: Term) -> bool:
        return condition is self.setting.terms.false

    def _run(self, part: ChainPart) -> tuple[dict[str, Term], State]:
        return self.setting.run(part.program, part.chain, part.numbers, self.call_equal)

    def is_unsat(self, condition: Term) -> bool:
        """Whether no packet makes a condition true."""
        return self.is_unsat_by_shape(condition) or self._has_none(condition)

    def is_unsat_by_shape(self, condition: Term) -> bool:
        """The same whatever the condition's literals are: false may mean that it hangs on them."""
        if condition is self.setting.terms.false:
            return True
        shape = ConditionShape(self.setting.terms)
        general = shape.of(condition)
        if not shape.is_common:
            return self._has_none(condition)
        return self._has_none(general, shape.distinct())

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


@attrs.define
class Footprint:
    """What the rules of a chain look at, and what they may do."""

    reads: set[str] = attrs.Factory(set)
    writes: set[str] = attrs.Factory(set)
    moves: set[str] = attrs.Factory(set)
    looks: set[Hashable] = attrs.Factory(set)
    uses: set[Hashable] = attrs.Factory(set)
    changes: set[Hashable] = attrs.Factory(set)
    decides: bool = False
    binds: set[str] = attrs.Factory(lambda: set(_DONE))

    def add(
        self,
        setting: ProofContext,
        outcome: Mapping[str, Term],
        states: Iterable[State],
        never: Callable[[Term], bool],
    ) -> None:
        """Some more rules, as either side has them; ``never`` says that no packet fits a term."""
        terms = setting.terms
        stays = terms.any(outcome["next"], outcome["back"])
        ends: dict[Term, bool] = {}
        for name, term in outcome.items():
            self.reads |= terms.reads(term)
            if name in setting.fields:
                self.writes.add(name)
                where = _changes_where(terms, term, setting.fields[name])
                if where not in ends:
                    ends[where] = never(terms.all(stays, where))
                if not ends[where]:
                    self.moves.add(name)
        self.decides |= outcome["undecided"] is not setting.undecided
        gone = terms.all(setting.reachable, terms.not_(stays), outcome["undecided"])
        for field in tuple(self.binds):
            done = terms.equal(outcome.get(field) or setting.fields[field], terms.const(1, 1))
            if terms.all(gone, terms.not_(done)) is not terms.false:
                self.binds.remove(field)
        for state in states:
            self.looks |= state.looked
            self.looks.update(state.used)
            self.uses.update(state.used)
            self.changes |= state.changed

    def called(self, symbol: str, returns: Term | None) -> ChainSummary:
        """The chain, as it is called."""
        return ChainSummary(
            symbol,
            tuple(sorted(self.reads - {"undecided", "reached", "log"})),
            tuple(sorted(self.writes)),
            frozenset(self.moves),
            frozenset(self.looks),
            frozenset(self.uses),
            frozenset(self.changes),
            self.decides,
            frozenset(self.binds & self.writes),
            returns,
        )


def _changes_where(terms: Terms, term: Term, before: Term) -> Term:
    """Where a field may change."""
    where = terms.false
    while term is not before:
        if term.kind != "ite":
            return terms.true
        condition, then, otherwise = term.terms
        if then is before:
            condition, then, otherwise = terms.not_(condition), otherwise, then
        where, term = terms.any(where, condition), otherwise
    return where
