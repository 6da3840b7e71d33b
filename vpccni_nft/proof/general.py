"""Terms with their literals as variables: what holds of them holds of all terms of their shape."""

from __future__ import annotations

from itertools import combinations
from operator import is_
from typing import TYPE_CHECKING

from .term import Term, postorder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .terms import Terms

#: Narrower constants are no literals: protocols, flags and states are few, and say more.
_WIDE = 16

#: What the variables in place of literals are called.
_LITERAL = "literal "


class LiteralShape:
    """The shape of some terms, with their literals: addresses, ports, names of functions."""

    def __init__(self, terms: Terms, fixed: dict[Term, Term]) -> None:
        """``fixed`` keeps the terms without literals, of all shapes."""
        self._terms = terms
        self._fixed = fixed
        self._variables: dict[tuple[int, int], Term] = {}
        self._names: dict[object, str] = {}
        self._shapes: dict[Term, Term] = {}
        self._generals: dict[Term, Term] = {}

    def of(self, term: Term) -> Term:
        """The shape of a term, in no normal form: to be compared with others."""
        fixed, shapes = self._fixed, self._shapes
        waiting = [term]
        while waiting:
            one = waiting[-1]
            if one in fixed or one in shapes:
                waiting.pop()
                continue
            missing = [part for part in one.terms if part not in fixed and part not in shapes]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            parts = [fixed.get(part) or shapes[part] for part in one.terms]
            found = self._shape(one, parts)
            (fixed if found is one else shapes)[one] = found
        return fixed.get(term) or shapes[term]

    def _shape(self, term: Term, parts: list[Term]) -> Term:
        raw = self._terms.raw
        match term.kind:
            case "const" if term.width >= _WIDE:
                return self._variable(term.width, term.parts[0])
            case "bits" if _compares_all(term):
                same = (parts[0], self._variable(parts[0].width, term.parts[2]))
                return raw("equal", same, term.width)
            case "ask" | "result" | "then":
                return self._named(term, parts)
        if all(map(is_, parts, term.terms)):
            return term
        rest = [part for part in term.parts if not isinstance(part, Term)]
        return raw(term.kind, (*parts, *rest), term.width)

    def general(self, term: Term) -> Term:
        """A term whose shape was asked for, with variables in place of its literals.

        It is in normal form, as other terms are.
        """
        terms, done = self._terms, self._generals
        for one in postorder(term, done):
            parts = [done[part] for part in one.terms]
            if one in self._fixed:
                done[one] = one
            elif one.kind == "const":
                done[one] = self._variable(one.width, one.parts[0])
            elif one.kind == "bits" and _compares_all(one):
                literal = self._variable(parts[0].width, one.parts[2])
                done[one] = terms.equal(parts[0], literal)
            elif one.kind in {"ask", "result", "then"}:
                done[one] = self._named(one, parts)
            else:
                done[one] = terms.rebuilt(one, parts)
        return done[term]

    def particular(self, term: Term) -> Term:
        """A general term of this shape, with the literals."""
        const, variables = self._terms.const, self._variables
        literals = {one: const(value, width) for (width, value), one in variables.items()}
        return self._terms.substitute(term, literals)

    def distinct(self) -> Iterator[Term]:
        """That no two literals of one width are equal."""
        for one, other in combinations(self._variables.values(), 2):
            if one.width == other.width:
                yield self._terms.not_(self._terms.equal(one, other))

    @staticmethod
    def without_literals(reads: Mapping[str, int]) -> dict[str, int]:
        """What of that which a general term hangs on is no literal."""
        return {name: mask for name, mask in reads.items() if not name.startswith(_LITERAL)}

    def _variable(self, width: int, value: int) -> Term:
        found = self._variables.get((width, value))
        if found is None:
            found = self._terms.variable(f"{_LITERAL}{len(self._variables)}", width)
            self._variables[width, value] = found
        return found

    def _named(self, term: Term, parts: list[Term]) -> Term:
        """What the world or a chain answers, or a log is: of a function without a name."""
        kind = "then" if term.kind == "then" else "result"
        name = self._names.setdefault(term.parts[0], f"function {len(self._names)}")
        return self._terms.raw(kind, (name, *parts), term.width)


def _compares_all(term: Term) -> bool:
    """Whether it compares all bits of a wide word with a literal."""
    word, mask, _ = term.parts
    everything: int = (1 << word.width) - 1
    return bool(word.width >= _WIDE and mask == everything)
