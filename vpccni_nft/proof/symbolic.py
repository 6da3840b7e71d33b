"""Terms for Z3: whether any packet makes a condition true, and which.

The only module that knows Z3, which the extra ``verify`` installs.
"""

from __future__ import annotations

import time
from functools import partial, reduce
from operator import rshift
from typing import TYPE_CHECKING, Any

import attrs

from .budget import Budget
from .term import CONDITION, LOG, postorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from .term import Term

try:
    import z3
except ImportError as missing:
    raise ImportError(
        "a proof needs z3-solver: pip install 'vpccni-nft[verify]'", name="z3"
    ) from missing


#: How many terms are translated before the budget is looked at again.
_OFTEN = 2048

#: How much work Z3's simple solver does for a question, as Z3 counts it: some seconds. The usual
#: one first takes a whole hook through tactics, most of a second for an answer that takes the
#: simple one a hundredth; but it answers some questions that the simple one has no end of. That it
#: is work, and not time, makes the packets that are found the same ones in each run.
_WORK = 100_000_000


class Undecided(Exception):  # noqa: N818 - an answer, not a mistake
    """The solver gave up: its time is over."""


@attrs.frozen
class Model:
    """Values that make a condition true."""

    _nodes: _Nodes
    _found: Any

    def holds(self, condition: Term) -> bool:
        """Whether a condition is true. Raises GaveUp."""
        self._nodes.budget.check_time()
        node = z3.BoolRef(self._nodes.of(condition), self._nodes.context)
        return bool(z3.is_true(self._found.evaluate(node, model_completion=True)))

    def value(self, term: Term) -> int:
        """A word's value; what the condition does not depend on is zero. Raises GaveUp."""
        self._nodes.budget.check_time()
        node = z3.BitVecRef(self._nodes.of(term), self._nodes.context)
        return int(self._found.evaluate(node, model_completion=True).as_long())


@attrs.define
class _Nodes:
    """Terms as nodes of Z3, made by the functions of its library.

    Its classes for Python look at each operand once more: with them a proof takes twice as long.
    Nodes stay until the context goes, so that each can be used again.
    """

    budget: Budget
    context: Any = attrs.Factory(z3.Context)
    _logs: Any = attrs.Factory(lambda self: z3.DeclareSort("Log", self.context), takes_self=True)
    _made: dict[Term, Any] = attrs.Factory(dict)
    _numbers: dict[tuple[int, int], Any] = attrs.Factory(dict)  #: by value and width
    _functions: dict[str, Any] = attrs.Factory(dict)

    def of(self, term: Term) -> Any:
        """The node of a term."""
        made = self._made
        for one in postorder(term, made):
            made[one] = self._node(one, [made[part] for part in one.terms])
            if len(made) % _OFTEN == 0:
                self.budget.check()
        return made[term]

    def _node(self, term: Term, parts: list[Any]) -> Any:  # noqa: PLR0912 - one a kind of term
        make = self._make
        match term.kind:
            case "true":
                return make(z3.Z3_mk_true)
            case "false":
                return make(z3.Z3_mk_false)
            case "variable":
                symbol = z3.Z3_mk_string_symbol(self.context.ref(), f"{term.parts[0]}")
                return make(z3.Z3_mk_const, symbol, self._sort(term.width).ast)
            case "const":
                return self._number(term.parts[0], term.width)
            case "ask" | "result" | "then":
                return make(z3.Z3_mk_app, self._function(term), *_listed(parts))
            case "not":
                return make(z3.Z3_mk_not, parts[0])
            case "and":
                return make(z3.Z3_mk_and, *_listed(parts))
            case "bits":
                _, mask, value = term.parts
                return make(z3.Z3_mk_eq, self._masked(term, parts, mask), self._like(term, value))
            case "up to":
                return make(z3.Z3_mk_bvule, parts[0], self._like(term, term.parts[1]))
            case "in":
                return make(z3.Z3_mk_or, *_listed([*self._members(term, parts)]))
            case "equal":
                return make(z3.Z3_mk_eq, *parts)
            case "ule":
                return make(z3.Z3_mk_bvule, *parts)
            case "masked":
                _, free, flipped = term.parts
                word = self._masked(term, parts, free)
                return make(z3.Z3_mk_bvxor, word, self._like(term, flipped))
            case "bvand":
                return make(z3.Z3_mk_bvand, *parts)
            case "bvor":
                return make(z3.Z3_mk_bvor, *parts)
            case "bvxor":
                return make(z3.Z3_mk_bvxor, *parts)
            case "ite":
                return make(z3.Z3_mk_ite, *parts)
            case "extract":
                low = term.parts[1]
                return make(z3.Z3_mk_extract, low + term.width - 1, low, parts[0])
            case "concat":
                return reduce(partial(make, z3.Z3_mk_concat), parts)
            case "bvadd":
                return make(z3.Z3_mk_bvadd, *parts)
        raise TypeError(f"no term of Z3 for {term!r}")

    def _make(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """A node, which is counted as used at once: Z3 throws away what is not."""
        node = function(self.context.ref(), *arguments)
        z3.Z3_inc_ref(self.context.ref(), node)
        return node

    def _masked(self, term: Term, parts: list[Any], mask: int) -> Any:
        """The first of a term's words without the bits that a mask leaves out."""
        return self._make(z3.Z3_mk_bvand, parts[0], self._like(term, mask))

    def _members(self, term: Term, parts: list[Any]) -> Iterator[Any]:
        """Whether the words are one of the keys of a set, key by key."""
        widths = [part.width for part in term.terms]
        for key in term.parts[0].by_key:
            if not any(map(rshift, key, widths)):
                numbers = map(self._number, key, widths)
                equal = [*map(partial(self._make, z3.Z3_mk_eq), parts, numbers)]
                yield self._make(z3.Z3_mk_and, *_listed(equal))

    def _like(self, term: Term, value: int) -> Any:
        """A number as wide as the first of a term's words."""
        return self._number(value, term.terms[0].width)

    def _number(self, value: int, width: int) -> Any:
        number = self._numbers.get((value, width))
        if number is None:
            number = self._make(z3.Z3_mk_numeral, str(value), self._sort(width).ast)
            self._numbers[value, width] = number
        return number

    def _function(self, term: Term) -> Any:
        """What the world answers, or what a log is after something has happened.

        Of the same name with other arguments it is another function.
        """
        widths = [part.width for part in term.terms]
        name = repr((term.kind, term.parts[0], term.width, widths))
        if name not in self._functions:
            sorts = map(self._sort, (*widths, term.width))
            self._functions[name] = z3.Function(name, *sorts)
        return self._functions[name].ast

    def _sort(self, width: int) -> Any:
        if width == CONDITION:
            return z3.BoolSort(self.context)
        return self._logs if width == LOG else z3.BitVecSort(width, self.context)


def _listed(nodes: Sequence[Any]) -> tuple[int, Any]:
    """Nodes as Z3 takes a number of them."""
    return len(nodes), (z3.Ast * len(nodes))(*nodes)


@attrs.define
class Solver:
    """Asks Z3, with so much time for each question."""

    seconds: float
    budget: Budget = attrs.Factory(Budget)
    _nodes: _Nodes = attrs.Factory(lambda self: _Nodes(self.budget), takes_self=True)

    def within(self, seconds: float) -> Solver:
        """The same, with no more time for each question than that; what is translated stays so."""
        return attrs.evolve(self, seconds=min(self.seconds, seconds))

    def find(self, condition: Term, given: Iterable[Term] = ()) -> Model | None:
        """Values for which a condition holds while all that is given holds; None if there are none.

        Raises Undecided where the time for a question does not do, and GaveUp where that of the
        whole proof is over.
        """
        conditions = (condition, *given)
        started = time.monotonic()
        solver = self._with(z3.SimpleSolver, conditions)
        solver.set("rlimit", _WORK)
        answer = self._check(solver)
        left = self.seconds - (time.monotonic() - started)
        if answer == z3.unknown and left > 0:
            solver = self._with(z3.Solver, conditions)
            answer = self._check(solver, seconds=left)
        if answer == z3.unknown:
            raise Undecided(solver.reason_unknown())
        return Model(self._nodes, solver.model()) if answer == z3.sat else None

    def least(
        self, literals: Sequence[Term], excluded: Term, given: Iterable[Term] = ()
    ) -> tuple[Term, ...] | None:
        """As few of the literals as rule out a condition while all that is given holds.

        The first ones are left out first. None where all of them together do not rule it out.
        Raises Undecided and GaveUp as ``find`` does.
        """
        solver = self._with(z3.SimpleSolver, (excluded, *given))
        context = self._nodes.context
        names = {z3.Bool(f"literal {number}", context): one for number, one in enumerate(literals)}
        for name, one in names.items():
            solver.add(z3.Implies(name, z3.BoolRef(self._nodes.of(one), context)))
        answer = self._check(solver, *names)
        if answer == z3.unknown:
            raise Undecided(solver.reason_unknown())
        if answer == z3.sat:
            return None
        needed = set(map(str, solver.unsat_core()))
        core = [name for name in names if str(name) in needed]
        for name in tuple(core):
            fewer = [one for one in core if one is not name]
            if self._check(solver, *fewer) == z3.unsat:
                core = fewer
        return tuple(names[name] for name in core)

    def _check(self, solver: Any, *assumed: Any, seconds: float | None = None) -> Any:
        """What Z3 answers in the time and room that are left. Raises GaveUp where none are."""
        seconds = min(self.seconds if seconds is None else seconds, self.budget.seconds_left)
        self.budget.check()
        solver.set("timeout", max(1, int(seconds * 1000)))
        solver.set("max_memory", max(1, int(self.budget.most_megabytes)))
        answer = solver.check(*assumed)
        if answer == z3.unknown:
            self.budget.check()
            if "memory" in solver.reason_unknown():
                raise self.budget.no_room("the solver has used up its memory")
        return answer

    def _with(self, make: Callable[..., Any], conditions: Iterable[Term]) -> Any:
        """A solver of Z3 with what is to hold."""
        context = self._nodes.context
        solver = make(ctx=context)
        for one in conditions:
            z3.Z3_solver_assert(context.ref(), solver.solver, self._nodes.of(one))
        return solver
