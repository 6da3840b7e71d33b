"""The base chains of all rulesets of a node, with what keeps state kept apart by its table.

Positions and sets are known by what iptables calls their table and themselves, so that a dump and
its translation can mean the same ones. Two tables of one node can have one name all the same, and
two tables of nft can have sets of one name: those are made different here.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from ..nft.names import TABLE_PREFIX
from ..semantics.iptables import IptablesProgram
from ..semantics.nft import NftProgram
from .other_names import OWN_NAMES
from .sample import chains_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.values import Family
    from ..iptables import ast as iptables
    from ..model.hook import BaseChain, Program
    from ..nft import ast as nft
    from .other_names import OtherNames


def chains_of_side(
    rulesets: Sequence[iptables.Ruleset | nft.Ruleset],
    family: Family,
    *,
    by_table: bool = False,
    as_lists: bool = False,
    other_names: OtherNames = OWN_NAMES,
) -> list[BaseChain]:
    """The base chains of a family.

    With ``by_table`` every set of nft is its table's. Without, one that rules do not change, or
    that is alone of its name, is the set of this name, as an ipset is. With ``as_lists`` the set
    that a translation has for a list of recent is that list, also where both are there (T101).
    ``other_names`` are those that objects have on the side that this one is compared with.
    """
    chains = [chain for ruleset in rulesets for chain in chains_of(ruleset, family)]
    programs = dict.fromkeys(
        chain.program for chain in chains if isinstance(chain.program, IptablesProgram | NftProgram)
    )
    changed = Counter(
        name
        for program in programs
        for name in program.changed_sets.values()
        if not (as_lists and isinstance(program, IptablesProgram) and name.startswith("recent-"))
    )
    homes: Counter[str] = Counter()
    told_apart: dict[Program, Program] = {}
    for own_program in programs:
        program = other_names.of(own_program) if other_names else own_program
        first = home = (program.other or program.table).removeprefix(TABLE_PREFIX)
        if homes[home]:
            home = f"{home} ({homes[home] + 1})"
        homes[first] += 1
        places = {at: attrs.evolve(one, table=home) for at, one in program.places.items()}
        match program:
            case NftProgram():
                twice = (name for name, of in program.changed_sets.items() if changed[of] > 1)
                own = program.sets if by_table or program.both else twice
                tables = {program.sets[name].name: home for name in own}
                told_apart[own_program] = attrs.evolve(program, places=places, tables=tables)
            case IptablesProgram():
                told_apart[own_program] = attrs.evolve(program, places=places)
    return [attrs.evolve(chain, program=told_apart[chain.program]) for chain in chains]
