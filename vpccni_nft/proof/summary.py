"""A chain that means the same on both sides, as its callers know it.

It is the same unknown function wherever it is called: of the bits that it reads, and of what has
happened to the objects that it looks at. What it may do is known beside that (``footprint``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ..model.packet import Event, width

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from ..model.packet import State
    from .context import ProofContext
    from .term import Term
    from .terms import Terms

#: The fields that a binding sets.
BOUND = ("snat_done", "dnat_done")


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
        return tuple(field for field in BOUND if field in self.writes)

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
