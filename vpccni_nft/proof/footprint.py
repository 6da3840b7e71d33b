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
from typing import TYPE_CHECKING

import attrs

from ..model.oracle import GIVEN
from ..model.packet import width
from .dependence import joined
from .part_summary import PLAIN
from .returns import are_apart, comes_back
from .summary import ChainSummary, Returns

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from ..model.packet import State
    from .context import ProofContext
    from .part_summary import PartSummary
    from .returns import Ways
    from .term import Term
    from .terms import Terms

#: What is asked of rules that are gone through, beside the packet.
_NO_FIELDS = ("undecided", "reached", "log")


@attrs.frozen
class _Part:
    """What some rules do, as conditions on the packet as the chain found it."""

    does: PartSummary
    back: Term | None  #: where they return, at most
    next: Term | None  #: where the next rules are reached, at most
    acts: list[Term | None]  #: at most
    shifts: list[Term | None]  #: at most

    def is_last_for_some(self, terms: Terms) -> bool:
        """Whether some packet stays that does not go on."""
        return self.does.leaves or self.back is not terms.false


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
    #: Where rules lead, and whether bits have moved that it hangs on.
    _ways: list[Ways] = attrs.Factory(list)
    _have_moved: bool = False

    def split(self, setting: ProofContext, field: str) -> None:
        """The rules that come now are looked at for one value of a field after the other."""
        self.reads[field] = (1 << width(field, setting.family)) - 1
        self._is_split = True

    def add(
        self,
        setting: ProofContext,
        part: PartSummary,
        outcome: Mapping[str, Term],
        states: Iterable[State],
    ) -> None:
        """Some more rules, as either side has them."""
        self._parts.append(
            _Part(
                part,
                self._as_found(setting, part.back),
                self._as_found(setting, part.next),
                [self._as_found(setting, where) for where in part.acts],
                [self._as_found(setting, where) for where in part.shifts],
            )
        )
        ways = outcome["back"], outcome["next"]
        self._have_moved |= any(self._has_moved(setting, way) for way in ways)
        self._ways.append(ways)
        for own, found in ((self.reads, part.reads), (self.writes, part.writes),
                           (self.apart, part.apart), (self._moved, part.moves)):  # fmt: skip
            _join(own, found)
        for field, masks in part.steps.items():
            self.steps.setdefault(field, set()).update(masks)
        self.decides |= part.decides
        for state in states:
            self.looks |= state.looked
            self.looks.update(set(state.used) - GIVEN)
            self.uses.update(state.used)
            self.changes |= state.changed

    def _as_found(self, setting: ProofContext, condition: Term | None) -> Term | None:
        """The condition on the packet as the chain found it: none of its bits has moved since."""
        if self._is_split or condition is None or self._has_moved(setting, condition):
            return None
        return condition

    def _has_moved(self, setting: ProofContext, condition: Term) -> bool:
        """Whether bits that a condition hangs on may have moved since the chain was called."""
        if not self._moved:
            return False
        read = setting.terms.dependence.reads(condition)
        return any(mask & self._moved.get(one, 0) for one, mask in read.items())

    @property
    def is_sum(self) -> bool:
        """Whether where the rules come back is what they say each by themselves."""
        return not (self._is_split or self._have_moved) and are_apart(self._ways)

    def comes_back(self, setting: ProofContext) -> Term | None:
        """Where the rules come back, of a sum; None where that is not plain to see."""
        return comes_back(setting, self._ways)

    def called(self, setting: ProofContext, symbol: str, exactly: Term | None) -> ChainSummary:
        """The chain, as it is called."""
        terms = setting.terms
        staying = self._parts_of_what_stays(terms)
        moves = joined(*(part.does.moves for part in staying))
        ways = [part.back for part in self._parts if part.back is not terms.false]
        at_most = _any_of(terms, (*ways, self._parts[-1].next)) if self._parts else None
        leaves = any(part.does.leaves for part in self._parts)
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
        stays = self._is_split or not self._parts or self._parts[-1].does.goes_on
        for part in reversed(self._parts):
            stays = stays or part.is_last_for_some(terms)
            if stays:
                found.append(part)
        return found


def _join(own: dict[str, int], found: Mapping[str, int]) -> None:
    """Add bits to those that are known."""
    for name, mask in found.items():
        own[name] = own.get(name, 0) | mask


def _within(terms: Terms, condition: Term | None, other: Term) -> Term | None:
    """Where both hold; None where that is too much to keep."""
    found = terms.all(terms.true if condition is None else condition, other)
    return found if found is not terms.true and terms.is_plain(found, PLAIN) else None


def _any_of(terms: Terms, conditions: Sequence[Term | None]) -> Term | None:
    """Where any of them holds; None where one is not known, or they are too many."""
    known = tuple(dict.fromkeys(one for one in conditions if one is not None))
    if None in conditions or len(known) > PLAIN:
        return None
    found = terms.any(*known)
    return found if terms.is_plain(found, PLAIN) else None
