"""What the tables, chains and sets of one side are on another side, where names differ.

A name is no identity: what keeps state in a chain that was only renamed is the same on both sides.
These names are what objects are known by; texts and traces keep their own.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from ..nft.names import demangle
from ..semantics.nft import NftProgram

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..semantics.iptables import IptablesProgram

#: The name of an object, behind that of its table.
Named = tuple[str, str]


@attrs.frozen
class OtherNames:
    """The names that objects of a side have on the other one, by their own."""

    tables: Mapping[str, str] = attrs.Factory(dict)
    chains: Mapping[Named, str] = attrs.Factory(dict)
    sets: Mapping[Named, str] = attrs.Factory(dict)

    def __bool__(self) -> bool:
        return bool(self.tables or self.chains or self.sets)

    def of(self, program: IptablesProgram | NftProgram) -> IptablesProgram | NftProgram:
        """A table whose chains, places and sets are known by these names.

        What dumps may call them counts: a name that is another one's already is not taken.
        """
        table, spell = program.table, demangle if isinstance(program, NftProgram) else str
        called = {name: spell(name) for name in program.chains}
        chains = free_names(called, {old: spell(new) for old, new in _in(self.chains, table)})
        spelt = {called[old]: new for old, new in chains.items()}
        places = {
            at: attrs.evolve(one, chain=spelt.get(one.chain, one.chain))
            for at, one in program.places.items()
        }
        other, names = self.tables.get(table, ""), {**program.names, **chains}
        if not isinstance(program, NftProgram):
            return attrs.evolve(program, places=places, names=names, other=other)
        renamed = dict(_in(self.sets, table))
        free = free_names(
            {name: demangle(name) for name in program.sets},
            {old: demangle(new) for old, new in renamed.items()},
        )
        sets = {
            name: attrs.evolve(one, name=renamed[name]) if name in free else one
            for name, one in program.sets.items()
        }
        return attrs.evolve(program, places=places, names=names, sets=sets, other=other)


def _in(names: Mapping[Named, str], table: str) -> list[tuple[str, str]]:
    """The names of one table."""
    return [(name, other) for (of, name), other in names.items() if of == table]


def free_names(called: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """The names that leave no two objects with one, where each has had one of its own."""
    taken, wanted = Counter(called.values()), Counter(others.values())
    return {
        name: other
        for name, other in others.items()
        if taken[called[name]] == 1 and not taken[other] and wanted[other] == 1
    }


#: Nothing has another name.
OWN_NAMES = OtherNames()
