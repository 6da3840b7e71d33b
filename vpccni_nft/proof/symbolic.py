"""Terms for Z3: whether any packet makes a condition true, and which.

The only module that knows Z3, which the extra ``verify`` installs.
"""

from __future__ import annotations

from operator import rshift
from typing import TYPE_CHECKING, Any

import attrs

from .budget import Budget
from .terms import CONDITION, LOG, postorder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .terms import Term

try:
    import z3
except ImportError as missing:
    raise ImportError(
        "a proof needs z3-solver: pip install 'vpccni-nft[verify]'", name="z3"
    ) from missing


#: How many terms are translated before the budget is looked at again.
_OFTEN = 2048


class Undecided(Exception):  # noqa: N818 - an answer, not a mistake
    """The solver gave up: its time is over."""


@attrs.frozen
class Model:
    """Values that make a condition true."""

    _solver: Solver
    _found: Any

    def holds(self, condition: Term) -> bool:
        """Whether a condition is true."""
        found = self._found.evaluate(self._solver.translate(condition), model_completion=True)
        return bool(z3.is_true(found))

    def value(self, term: Term) -> int:
        """A word's value; what the condition does not depend on is zero."""
        found = self._found.evaluate(self._solver.translate(term), model_completion=True)
        return int(found.as_long())


@attrs.define
class Solver:
    """Asks Z3, with so much time for each question."""

    seconds: float
    budget: Budget = attrs.Factory(Budget)
    _context: Any = attrs.Factory(z3.Context)
    _logs: Any = attrs.Factory(lambda self: z3.DeclareSort("Log", self._context), takes_self=True)
    _translated: dict[Term, Any] = attrs.Factory(dict)

    def within(self, seconds: float) -> Solver:
        """The same, with no more time for each question than that; what is translated stays so."""
        return attrs.evolve(self, seconds=min(self.seconds, seconds))

    def find(self, condition: Term, given: Iterable[Term] = ()) -> Model | None:
        """Values for which a condition holds while all that is given holds; None if there are none.

        Raises Undecided where the time for a question does not do, and GaveUp where that of the
        whole proof is over.
        """
        solver = self._with(condition, *given)
        self.budget.check()
        seconds = min(self.seconds, self.budget.seconds_left)
        solver.set("timeout", max(1, int(seconds * 1000)))
        solver.set("max_memory", max(1, int(self.budget.most_megabytes)))
        answer = solver.check()
        if answer == z3.unknown:
            self.budget.check()
            if "memory" in (reason := solver.reason_unknown()):
                raise self.budget.no_room("the solver has used up its memory")
            raise Undecided(reason)
        return Model(self, solver.model()) if answer == z3.sat else None

    def least(
        self, literals: Sequence[Term], excluded: Term, given: Iterable[Term] = ()
    ) -> tuple[Term, ...] | None:
        """As few of the literals as rule out a condition while all that is given holds.

        The first ones are left out first. None where all of them together do not rule it out.
        Raises Undecided and GaveUp as ``find`` does.
        """
        self.budget.check()
        solver = self._with(excluded, *given)
        solver.set("timeout", max(1, int(min(self.seconds, self.budget.seconds_left) * 1000)))
        names = {z3.Bool(f"literal {number}", self._context): one
                 for number, one in enumerate(literals)}  # fmt: skip
        for name, one in names.items():
            solver.add(z3.Implies(name, self.translate(one)))
        answer = solver.check(*names)
        if answer == z3.unknown:
            raise Undecided(solver.reason_unknown())
        if answer == z3.sat:
            return None
        needed = set(map(str, solver.unsat_core()))
        core = [name for name in names if str(name) in needed]
        for name in tuple(core):
            self.budget.check()
            fewer = [one for one in core if one is not name]
            if solver.check(*fewer) == z3.unsat:
                core = fewer
        return tuple(names[name] for name in core)

    def _with(self, *conditions: Term) -> Any:
        """A solver of Z3 with what is to hold.

        Its simple one: the usual one first takes a whole hook through tactics, most of a second
        for an answer that takes the simple one a hundredth.
        """
        solver = z3.SimpleSolver(ctx=self._context)
        solver.add(*map(self.translate, conditions))
        return solver

    def translate(self, term: Term) -> Any:
        """A term of Z3."""
        for one in postorder(term, self._translated):
            parts = [self._translated[part] for part in one.terms]
            self._translated[one] = self._node(one, parts)
            if len(self._translated) % _OFTEN == 0:
                self.budget.check()
        return self._translated[term]

    def _node(self, term: Term, parts: list[Any]) -> Any:  # noqa: PLR0912 - one a kind of term
        match term.kind:
            case "true" | "false":
                return z3.BoolVal(term.kind == "true", self._context)
            case "variable":
                return z3.Const(f"{term.parts[0]}", self._sort(term.width))
            case "const":
                return z3.BitVecVal(term.parts[0], term.width, self._context)
            case "ask" | "result" | "then":
                return self._function(term, parts)(*parts)
            case "not":
                return z3.Not(parts[0])
            case "and":
                return z3.And(*parts)
            case "bits":
                _, mask, value = term.parts
                return parts[0] & mask == value
            case "up to":
                return z3.ULE(parts[0], term.parts[1])
            case "in":
                keys = (
                    [part == value for part, value in zip(parts, key, strict=True)]
                    for key in term.parts[0].by_key
                    if not any(map(rshift, key, (part.width for part in term.terms)))
                )
                return z3.Or([z3.And(*key) for key in keys])
            case "equal":
                return parts[0] == parts[1]
            case "ule":
                return z3.ULE(*parts)
            case "masked":
                _, free, flipped = term.parts
                return parts[0] & free ^ flipped
            case "bvand":
                return parts[0] & parts[1]
            case "bvor":
                return parts[0] | parts[1]
            case "bvxor":
                return parts[0] ^ parts[1]
            case "ite":
                return z3.If(*parts)
            case "extract":
                low = term.parts[1]
                return z3.Extract(low + term.width - 1, low, parts[0])
            case "concat":
                return z3.Concat(*parts)
            case "bvadd":
                return parts[0] + parts[1]
        raise TypeError(f"no term of Z3 for {term!r}")

    def _function(self, term: Term, parts: list[Any]) -> Any:
        """What the world answers, or what a log is after something has happened.

        Of the same name with other arguments it is another function.
        """
        name = repr((term.kind, term.parts[0], term.width, [part.width for part in term.terms]))
        sorts = [part.sort() for part in parts]
        return z3.Function(name, *sorts, self._sort(term.width))

    def _sort(self, width: int) -> Any:
        if width == CONDITION:
            return z3.BoolSort(self._context)
        return self._logs if width == LOG else z3.BitVecSort(width, self._context)
