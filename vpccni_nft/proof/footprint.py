"""What a chain reads and what it may do: all that its callers know of it.

A chain that means the same on both sides is the same unknown function wherever it is called. The
more is known of what that function hangs on, and of what it leaves as it is, the more is proved
without a look at its rules:

- It reads and writes bits, not fields: what sets one bit of the mark does not matter to what tests
  another one.
- A packet *stays* where the chain neither ends the hook nor binds its connection: it comes back to
  the caller, or leaves the base chain, and later chains see it. Most chains that draw numbers or
  translate addresses do so for no packet that stays. So it is kept where bits of a packet move that
  stays, and where a chain *acts* for one: draws, counts, logs, adds an element. Where it does
  neither and is called again for a packet that has stayed, it does the same again: nothing.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import attrs

from ..model.oracle import GIVEN
from ..model.packet import Event, width
from .context import is_count
from .dependence import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

    from ..model.packet import State
    from .context import ProofContext
    from .dependence import BitChange
    from .term import Term
    from .terms import Terms

#: The fields that a binding sets.
_DONE = ("snat_done", "dnat_done")

#: How large a condition is kept.
_PLAIN = 40

#: How often a condition is reduced.
_PASSES = 3

#: How many steps of some rules are looked at one by one.
_FEW = 4

#: What is asked of rules that are gone through, beside the packet.
_NO_FIELDS = ("undecided", "reached", "log")


@attrs.frozen
class Returns:
    """Where a chain comes back, as conditions on the packet that it is called for."""

    exactly: Term | None = None  #: None where that is not plain to see
    at_most: Term | None = None  #: nowhere else; None where nothing is known


@attrs.frozen
class ChainSummary:
    """A chain that means the same on both sides, for whoever calls it."""

    symbol: str
    reads: Mapping[str, int]  #: the bits of the fields that it depends on
    writes: Mapping[str, int]  #: the bits of the fields that it may change
    moves: Mapping[str, int]  #: those that may have changed where the packet stays
    #: The fields whose bits of these change all at once: whether they do, it says on its own.
    at_once: frozenset[str]
    looks: frozenset[Hashable]  #: the objects that keep state and that it hangs on
    uses: frozenset[Hashable]  #: those of them that may answer otherwise after it
    changes: frozenset[Hashable]  #: the sets that it may change
    decides: bool  #: whether it may end the hook
    leaves: bool  #: whether packets may leave the base chain in it and stay
    returns: Returns
    acts: Term | None  #: where it acts for a packet that stays, at most; None: anywhere
    shifts: Term | None  #: where bits move of a packet that stays, at most; None: anywhere

    def means(self, other: ChainSummary) -> bool:
        """Whether it is the same function of the packet, but for objects of its own rules."""
        return self == attrs.evolve(
            other, symbol=self.symbol, looks=self.looks, uses=self.uses, changes=self.changes
        )

    def enter(self, setting: ProofContext, state: State, where: Term) -> Term:
        """Do what the chain does; the answer is where it comes back."""
        terms = setting.terms
        # Where nothing has happened yet, that is an argument, too: nothing may have happened later.
        before = (state.history(*self.looks) or (terms.log(()),)) if self.looks else ()
        arguments = (
            *(
                terms.bvand(state.fields[field], state.word(field, mask))
                for field, mask in self.reads.items()
            ),
            *before,
        )

        def says(question: str) -> Term:
            answer = terms.result(f"{self.symbol} {question}", arguments, 1)
            return terms.equal(answer, terms.const(1, 1))

        back = terms.all(where, self._comes_back(setting, state, says))
        gone = terms.all(where, terms.not_(back))
        if self.leaves:
            gone = terms.all(gone, terms.not_(says("leaves")))
        # On a path what can be seen hangs on the hook, and on the device by which it leaves.
        seen = (*arguments, state.fields["oif"]) if state.at else arguments
        called = Event("call", (self.symbol, self.uses, self.changes), seen, state.at)
        happens, shifts = (
            where if at_most is None
            else terms.any(gone, terms.all(where, _for_packet(setting, state, at_most)))
            for at_most in (self.acts, self.shifts)
        )  # fmt: skip
        state.use(happens, called)
        logs: tuple[list[Any], ...] = (state.verdicts, state.bindings, state.events)
        for log in logs:
            log.append((happens, called))
        ends = self._ends(terms, says)
        for field, writes in self.writes.items():
            moves = self.moves.get(field, 0)
            value = terms.result(f"{self.symbol} {field}", arguments, width(field, setting.family))
            if moves:
                moved = shifts
                if field in self.at_once:
                    moved = terms.all(shifts, says(f"writes {field}"))
                state.assign(moved, field, _mixed(terms, moves, value, state.fields[field]))
            if rest := writes & ~moves:
                written = _mixed(terms, rest, value, state.fields[field])
                if field in self.binds:
                    written = terms.ite(ends, written, terms.const(1, 1))
                state.assign(gone, field, written)
        state.live = terms.all(state.live, terms.not_(terms.all(gone, ends)))
        return back

    def _ends(self, terms: Terms, says: Callable[[str], Term]) -> Term:
        """Where it ends the hook for a packet that does not stay: always, where it binds none."""
        if not self.decides:
            return terms.false
        return says("ends the hook") if self._bound else terms.true

    def _comes_back(self, setting: ProofContext, state: State, says: Callable[[str], Term]) -> Term:
        returns = self.returns
        if returns.exactly is not None:
            return _for_packet(setting, state, returns.exactly)
        if returns.at_most is None:
            return says("returns")
        at_most = _for_packet(setting, state, returns.at_most)
        return setting.terms.all(says("returns"), at_most)

    @property
    def _bound(self) -> tuple[str, ...]:
        return tuple(field for field in _DONE if field in self.writes)

    @property
    def binds(self) -> tuple[str, ...]:
        """The end that it binds wherever the packet neither stays nor gets a verdict.

        It is one of the two that it may bind, so it is the only one.
        """
        return self._bound if len(self._bound) == 1 else ()


def _for_packet(setting: ProofContext, state: State, condition: Term) -> Term:
    """A condition on any packet, for one as it is now."""
    read = (one for one in setting.terms.dependence.reads(condition) if one in setting.fields)
    here = {setting.fields[field]: state.fields[field] for field in read}
    return setting.terms.substitute(condition, here)


def _mixed(terms: Terms, mask: int, one: Term, other: Term) -> Term:
    """The bits of one word under a mask, and the rest of another one."""
    full = (1 << one.width) - 1
    taken, rest = (terms.const(bits, one.width) for bits in (mask, full & ~mask))
    return terms.bvor(terms.bvand(one, taken), terms.bvand(other, rest))


@attrs.define
class _Part:
    """What some rules do to packets that go on to the next ones, come back, or leave and stay."""

    back: Term | None  #: where they return, at most
    next: Term | None  #: where the next rules are reached, at most
    goes_on: bool  #: whether they are reached at all
    leaves: bool
    moves: dict[str, int] = attrs.Factory(dict)
    acts: list[Term | None] = attrs.Factory(list)  #: at most
    shifts: list[Term | None] = attrs.Factory(list)  #: at most

    def is_last_for_some(self, terms: Terms) -> bool:
        """Whether some packet stays that does not go on."""
        return self.leaves or self.back is not terms.false


@attrs.define
class Footprint:
    """What the rules of a chain look at, and what they may do."""

    reads: dict[str, int] = attrs.Factory(dict)
    writes: dict[str, int] = attrs.Factory(dict)
    #: Which bits of a field change at once, wherever some of them do.
    steps: dict[str, set[int]] = attrs.Factory(dict)
    apart: dict[str, int] = attrs.Factory(dict)  #: and which do not
    looks: set[Hashable] = attrs.Factory(set)
    uses: set[Hashable] = attrs.Factory(set)
    changes: set[Hashable] = attrs.Factory(set)
    decides: bool = False
    _parts: list[_Part] = attrs.Factory(list)
    #: The bits that have moved before the rules that come now.
    _moved: dict[str, int] = attrs.Factory(dict)
    #: Whether the rules are looked at for one value of a field after the other.
    _is_split: bool = False

    def split(self, setting: ProofContext, field: str) -> None:
        """The rules that come now are looked at for one value of a field after the other."""
        self.reads[field] = (1 << width(field, setting.family)) - 1
        self._is_split = True

    def add(
        self,
        setting: ProofContext,
        outcome: Mapping[str, Term],
        states: tuple[State, State],
        never: Callable[[Term], bool],
    ) -> None:
        """Some more rules, as either side has them; ``never`` says that no packet fits a term."""
        terms = setting.terms
        comes_on = terms.any(outcome["next"], outcome["back"])
        unbound = (terms.equal(outcome[end], terms.const(0, 1)) for end in _DONE if end in outcome)
        leaves = terms.all(setting.reachable, terms.not_(comes_on), outcome["undecided"], *unbound)
        part = _Part(
            self._at_most(setting, outcome["back"]),
            self._at_most(setting, outcome["next"]),
            goes_on=outcome["next"] is not terms.false,
            leaves=not never(_settled(terms, leaves)),
        )
        stays = terms.any(comes_on, leaves)
        nowhere: dict[Term, bool] = {}

        def is_for_some(where: Term, found: list[Term | None]) -> bool:
            here = _settled(terms, terms.all(stays, where))
            if here not in nowhere:
                nowhere[here] = never(here)
            if not nowhere[here]:
                found.append(self._at_most(setting, here))
            return not nowhere[here]

        for name, term in outcome.items():
            if name not in setting.fields:
                self.reads = joined(self.reads, terms.dependence.reads(term))
                continue
            change = terms.dependence.change(term, setting.fields[name])
            self.reads = joined(self.reads, change.reads)
            self.writes[name] = self.writes.get(name, 0) | change.mask
            for where, step in _steps(terms, term, setting.fields[name]):
                mask = step.mask
                if step.is_whole:
                    self.steps.setdefault(name, set()).add(mask)
                else:
                    self.apart[name] = self.apart.get(name, 0) | mask
                if is_for_some(where, part.shifts):
                    part.moves[name] = part.moves.get(name, 0) | mask
        for where in _few(terms, _happenings(setting, states)):
            is_for_some(where, part.acts)
        self.decides |= outcome["undecided"] is not setting.undecided
        for state in states:
            self.looks |= state.looked
            self.looks.update(set(state.used) - GIVEN)
            self.uses.update(state.used)
            self.changes |= state.changed
        self._parts.append(part)
        self._moved = joined(self._moved, part.moves)

    def _at_most(self, setting: ProofContext, way: Term) -> Term | None:
        """A condition on the packet as the chain found it: none of its bits has moved since."""
        terms = setting.terms
        if self._is_split or not terms.is_small(way, _PLAIN):
            return None
        if way is terms.false:
            return way
        here = dict.fromkeys((setting.undecided, *setting.reachable.terms), terms.true)
        found = _without_answers(terms, terms.substitute(way, here))
        read = terms.dependence.reads(found)
        if found is terms.true or any(mask & self._moved.get(one, 0) for one, mask in read.items()):
            return None
        return found

    def called(self, setting: ProofContext, symbol: str, exactly: Term | None) -> ChainSummary:
        """The chain, as it is called."""
        terms = setting.terms
        staying = self._parts_of_what_stays(terms)
        moves = joined(*(part.moves for part in staying))
        ways = [part.back for part in self._parts if part.back is not terms.false]
        at_most = _any_of(terms, (*ways, self._parts[-1].next)) if self._parts else None
        leaves = any(part.leaves for part in self._parts)
        comes_back = at_most if exactly is None else exactly
        stays = (None if leaves else comes_back) or terms.true
        acts, shifts = (
            _within(terms, _any_of(terms, [one for part in staying for one in where(part)]), stays)
            for where in (attrgetter("acts"), attrgetter("shifts"))
        )
        at_once = {
            field
            for field, bits in moves.items()
            if not bits & self.apart.get(field, 0)
            and all(step & bits in {0, bits} for step in self.steps.get(field, ()))
        }
        #: Of other bits that it may write, it may leave some as they are.
        as_they_are = {
            field: mask & ~(moves[field] if field in at_once else 0)
            for field, mask in self.writes.items()
        }
        reads = joined(self.reads, as_they_are)
        return ChainSummary(
            symbol,
            {
                field: reads[field]
                for field in sorted(reads)
                if field not in _NO_FIELDS and reads[field]
            },
            {field: self.writes[field] for field in sorted(self.writes)},
            {field: moves[field] for field in sorted(moves)},
            frozenset(at_once),
            frozenset(self.looks),
            frozenset(self.uses),
            frozenset(self.changes),
            self.decides,
            leaves,
            Returns(exactly, at_most),
            acts,
            shifts,
        )

    def _parts_of_what_stays(self, terms: Terms) -> list[_Part]:
        """The rules that come to packets that stay in the end.

        What comes to rules from which on none comes back and none leaves does not stay.
        """
        found: list[_Part] = []
        stays = self._is_split or not self._parts or self._parts[-1].goes_on
        for part in reversed(self._parts):
            stays = stays or part.is_last_for_some(terms)
            if stays:
                found.append(part)
        return found


def _within(terms: Terms, condition: Term | None, other: Term) -> Term | None:
    """Where both hold; None where that is too much to keep."""
    found = terms.all(terms.true if condition is None else condition, other)
    return found if found is not terms.true and terms.is_plain(found, _PLAIN) else None


def _any_of(terms: Terms, conditions: Sequence[Term | None]) -> Term | None:
    """Where any of them holds; None where one is not known, or they are too many."""
    known = tuple(dict.fromkeys(one for one in conditions if one is not None))
    if None in conditions or len(known) > _PLAIN:
        return None
    found = terms.any(*known)
    return found if terms.is_plain(found, _PLAIN) else None


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


def _few(terms: Terms, conditions: Iterable[Term]) -> list[Term]:
    """Conditions that are looked at one by one; many are one."""
    found = list(dict.fromkeys(conditions))
    return found if len(found) <= _FEW else [terms.any(*found)]


def _happenings(setting: ProofContext, states: tuple[State, State]) -> Iterator[Term]:
    """Where something happens that is more than a change of the packet."""
    for state in states:
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
        return term if terms.is_plain(term, _PLAIN) else unknown

    return weakened(condition, terms.true, terms.false)
