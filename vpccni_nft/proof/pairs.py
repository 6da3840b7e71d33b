"""Which chains of two sides may be pairs: a hint from their names, and nothing more.

A name proves nothing. Two tables of a side can have the same name but for the prefix of
translations, and two names can be respelt from one; so a chain is known by its program, its table
as an object.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import attrs

from ..nft.names import TABLE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..model.hook import Program


@attrs.frozen
class ChainPart:
    """Some rules of a chain of one side."""

    program: Program
    chain: str
    numbers: Sequence[int]

    @classmethod
    def whole(cls, program: Program, chain: str) -> ChainPart:
        """All rules of a chain."""
        return cls(program, chain, range(len(program.rules(chain))))

    def first(self, count: int) -> ChainPart:
        """Its first rules."""
        return attrs.evolve(self, numbers=self.numbers[:count])

    def behind(self, count: int) -> ChainPart:
        """The rules behind its first ones."""
        return attrs.evolve(self, numbers=self.numbers[count:])

    @property
    def hint(self) -> tuple[str, str]:
        """What iptables would call the table and the chain."""
        table = self.program.other or self.program.table
        return table.removeprefix(TABLE_PREFIX), self.program.names[self.chain]


class Chains:
    """The chains of one side."""

    def __init__(self, programs: Iterable[Program]) -> None:
        self._numbers = {program: number for number, program in enumerate(programs)}
        self._parts: dict[tuple[Program, str], ChainPart] = {}
        self._by_hint: defaultdict[tuple[str, str], list[ChainPart]] = defaultdict(list)
        self._same_text: dict[tuple[Program, Program], bool] = {}
        for program in self._numbers:
            for chain in program.names:
                part = ChainPart.whole(program, chain)
                self._parts[program, chain] = part
                self._by_hint[part.hint].append(part)

    def __contains__(self, program: Program) -> bool:
        return program in self._numbers

    def number(self, program: Program) -> int:
        """A table's number, which no other one of this side has."""
        return self._numbers[program]

    def part(self, program: Program, chain: str) -> ChainPart:
        """All rules of a chain. Raises NoMeaning where the table does not have it."""
        return self._parts[program, chain]

    def has_text_of(self, own: ChainPart, other: ChainPart) -> bool:
        """Whether a part is that of the other side but for the places that its rules have.

        It is the same rules, in a table that is the same in all that meanings look at.
        """
        if (own.chain, own.numbers) != (other.chain, other.numbers):
            return False
        tables = own.program, other.program
        if tables not in self._same_text:
            self._same_text[tables] = _same_text(*tables)
        return self._same_text[tables]

    def like(self, other: ChainPart) -> list[ChainPart]:
        """The chains that one of the other side may be: first those whose names are the same."""
        found = self._by_hint.get(other.hint, [])
        return sorted(found, key=lambda part: _spelt(part) != _spelt(other))


#: What tells programs of one text apart: the names of places, and by what rules are found.
_NO_TEXT = {"places", "indices"}


def _same_text(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    names = (field.name for field in attrs.fields(type(one)) if field.name not in _NO_TEXT)
    return all(getattr(one, name) == getattr(other, name) for name in names)


def _spelt(part: ChainPart) -> tuple[str, str]:
    return part.program.table, part.chain
