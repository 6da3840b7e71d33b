"""Conditions with their literals as variables: what holds of all of a shape is proved once.

Thousands of rules differ in an address, a port and a chain's name. What the solver is given
about one of them is stated with unknown constants, no two of them equal, and unknown functions in
place of what the world and chains answer. If no packet makes that true, none makes any condition of
the shape true.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import attrs

from .term import postorder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .term import Term
    from .terms import Terms


#: Of more constants the shape is not worth the trouble: no other condition has it. Where a port
#: stands hangs on the protocol, of which a dozen have one, or something else in its place.
_MOST = 32


@attrs.define
class ConditionShape:
    """A condition's shape."""

    _terms: Terms
    #: The unknown constants, by their width and value.
    _constants: dict[tuple[int, int], Term] = attrs.field(factory=dict, init=False)
    _names: dict[object, str] = attrs.field(factory=dict, init=False)
    _done: dict[Term, Term] = attrs.field(factory=dict, init=False)

    def of(self, condition: Term) -> Term:
        """The condition with its literals as variables."""
        done = self._done
        for one in postorder(condition, done):
            done[one] = self._again(one, [done[part] for part in one.terms])
        return done[condition]

    @property
    def is_common(self) -> bool:
        """Whether other conditions may have it, too."""
        return len(self._constants) <= _MOST

    def distinct(self) -> Iterator[Term]:
        """That no two constants of one width are equal."""
        terms = self._terms
        for (bits, one), (width, other) in combinations(self._constants, 2):
            if bits == width:
                same = (self._constants[bits, one], self._constants[width, other])
                yield terms.not_(terms.raw("equal", same, 0))

    def _again(self, term: Term, parts: list[Term]) -> Term:
        match term.kind, term.parts:
            case "const", (value,):
                return self._constant(term.width, value)
            case "bits", (word, mask, value) if mask == (1 << word.width) - 1:
                same = (parts[0], self._constant(word.width, value))
                return self._terms.raw("equal", same, term.width)
            case (("ask" | "result" | "then" | "in"), (name, *_)):
                name = self._names.setdefault((term.kind, name), f"function {len(self._names)}")
                # An oracle's name is no text, nor is a set of keys.
                kind = "then" if term.kind == "then" else "result"
                return self._terms.raw(kind, (name, *parts), term.width)
            case "variable", _:
                return term
        rest = [part for part in term.parts if isinstance(part, int)]
        return self._terms.raw(term.kind, (*parts, *rest), term.width)

    def _constant(self, bits: int, value: int) -> Term:
        found = self._constants.get((bits, value))
        if found is None:
            found = self._terms.variable(f"constant {len(self._constants)}", bits)
            self._constants[bits, value] = found
        return found
