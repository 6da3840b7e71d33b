"""Classes of packets that differ in the same way: what is shown of a difference.

A class has a condition on packets, an example that both interpreters were given, what becomes of it
on either side, and the rules that decide it. Classes that differ in literals alone, such as one for
each Service, are one class with a condition for each.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ..simulate.report import value_text
from .literals import literals_of, texts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..core.values import Family
    from .counterexample import Counterexample
    from .literals import Literal, Sides
    from .regions import Description
    from .term import Term

#: What differs between rules and conditions that are otherwise the same: numbers and addresses,
#: and names that have a number in them.
_LITERAL = re.compile(r"[^\s\"=]*\d[^\s\"]*")

#: A conjunction of literals.
Conjunction = tuple["Literal", ...]


@attrs.frozen
class DifferenceClass:
    """Packets that differ in the same way."""

    example: Counterexample
    #: Conjunctions, any of which such a packet fits; empty: every packet at the hook.
    conditions: tuple[Conjunction, ...]
    #: Whether no other packet is of this class.
    is_whole: bool
    #: How many classes that differ in literals alone are in this one.
    count: int = 1

    @classmethod
    def of(cls, example: Counterexample, description: Description, sides: Sides) -> DifferenceClass:
        """A class by an example and by what describes its packets."""
        family = example.family
        parts = dict.fromkeys(literals_of(part, family, sides) for part in description.parts)
        return cls(example, tuple(parts), description.is_whole)

    @property
    def texts(self) -> tuple[str, ...]:
        """The conditions as text; an empty one is every packet."""
        return texts_of(self.conditions)

    @property
    def family(self) -> Family:
        """What its packets are."""
        return self.example.family

    def of_terms(
        self, parts: Iterable[Iterable[Term]], family: Family, sides: Sides
    ) -> DifferenceClass:
        """The same with other conditions."""
        conditions = dict.fromkeys(literals_of(part, family, sides) for part in parts)
        return attrs.evolve(self, conditions=tuple(conditions))

    @property
    def pattern(self) -> tuple[object, ...]:
        """What classes have in common that differ in literals alone."""
        conditions = tuple(
            tuple((one.key, one.negated) for one in part) for part in self.conditions
        )
        return (*self.kind, conditions)

    @property
    def kind(self) -> tuple[object, ...]:
        """The same, whatever the conditions of the packets are."""
        differences = (
            (name, *(_without_literals(value_text(name, one, self.family)) for one in both))
            for name, both in self.example.differences.items()
        )
        rules = (
            tuple((step.table, _without_literals(step.text)) for step in side)
            for side in self.example.deciding
        )
        return (self.example.hook, tuple(differences), *rules, self.is_whole)


def merged(classes: Sequence[DifferenceClass]) -> tuple[DifferenceClass, ...]:
    """The same classes, those that differ in literals alone as one with all their conditions."""
    found: dict[tuple[object, ...], DifferenceClass] = {}
    for one in classes:
        key = one.pattern
        if key not in found:
            found[key] = one
            continue
        before = found[key]
        conditions = tuple(dict.fromkeys((*before.conditions, *one.conditions)))
        found[key] = attrs.evolve(before, conditions=conditions, count=before.count + one.count)
    return tuple(found.values())


def _without_literals(text: str) -> str:
    return _LITERAL.sub("#", text)
