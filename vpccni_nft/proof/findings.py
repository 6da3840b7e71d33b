"""Classes of differences of many cases, joined: what holds in every case needs no key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .classes import DifferenceClass
from .residue import renamed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.values import Family
    from .literals import Sides
    from .residue import Literal
    from .split import Says, Tree
    from .term import Term
    from .terms import Terms

#: A conjunction of literals.
Part = tuple["Term", ...]


@attrs.frozen
class Finding:
    """A class of packets, and the conjunctions of which such a packet fits one."""

    found: DifferenceClass
    parts: tuple[Part, ...]

    def renamed(self, terms: Terms, names: Mapping[Literal, Literal]) -> Finding | None:
        """The same with other literals, where that can be said."""
        parts = [renamed(terms, part, names) for part in self.parts]
        known = tuple(part for part in parts if part is not None)
        return attrs.evolve(self, parts=known) if len(known) == len(parts) else None

    def said(self, says: Says) -> Finding:
        """The same with the values that fields have. Facts are in the conditions already."""
        if not says.of_fields:
            return self
        parts = ((*says.terms, *part) for part in self.parts)
        return attrs.evolve(self, parts=tuple(parts))

    def unsaid(self, says: Says) -> Finding:
        """The same without what holds anyway."""
        parts = (tuple(one for one in part if one not in says.terms) for part in self.parts)
        return attrs.evolve(self, parts=tuple(parts))

    @property
    def key(self) -> tuple[object, ...]:
        """What is the same of classes that are one."""
        return self.found.kind, frozenset(map(frozenset, self.parts))


def joined(tree: Tree[list[Finding]], family: Family, sides: Sides) -> list[Finding]:
    """The classes of all cases, each with the conditions under which it is one."""
    found = in_all(tree)
    return [attrs.evolve(one, found=one.found.of_terms(one.parts, family, sides)) for one in found]


def in_all(tree: Tree[list[Finding]]) -> list[Finding]:
    """The classes of all cases; the conjunctions of each say which case it is of."""
    if not tree.cases:
        return list(tree.result or ())
    cases = [(says, in_all(case)) for says, case in tree.cases]
    plain = [{one.unsaid(says).key: one.unsaid(says) for one in case} for says, case in cases]
    everywhere = {key: one for key, one in plain[0].items() if all(key in one for one in plain)}
    rest = [
        one.said(says)
        for says, case in cases
        for one in case
        if one.unsaid(says).key not in everywhere
    ]
    return [*everywhere.values(), *rest]
