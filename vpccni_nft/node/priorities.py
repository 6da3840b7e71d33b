"""Where one owner's base chains run among those of the others.

Of base chains of one hook and one priority the kernel calls the one first that was registered last.
So none of the owner's has the priority of another one: each stands ahead of iptables' own or behind
it, as its rules did in the built-in chain.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import attrs

from .. import iptables, nft
from ..lowering.layout import HOOKS, table_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from ..core.values import Family

#: A built-in chain: family, table, name.
BaseChainName = tuple["Family", str, str]

#: A hook of a family, by the kernel's name for it.
HookOf = tuple["Family", str]

#: How far from iptables' own priority: as far as the CNI's nat-prerouting is from dstnat.
STEP = 10

AHEAD, BEHIND = -1, 1


def turns(
    whole: iptables.Ruleset, taken: iptables.Ruleset
) -> dict[HookOf, list[dict[BaseChainName, int]]]:
    """On which side of iptables' own the owner's base chains can run, the likeliest one first.

    Each hook on its own: what happens at one of them has nothing to do with another one.
    """
    at: dict[HookOf, list[tuple[BaseChainName, int]]] = {}
    for place, mine, all_rules in _shared(whole, taken):
        at.setdefault((place[0], HOOKS[place[2]]), []).append((place, _side(mine, all_rules)))
    return {
        hook: [
            {place: side * sign for (place, side), sign in zip(found, signs, strict=True)}
            for signs in product((1, -1), repeat=len(found))
        ]
        for hook, found in at.items()
    }


def _shared(
    whole: iptables.Ruleset, taken: iptables.Ruleset
) -> Iterator[tuple[BaseChainName, set[int], list[int]]]:
    """The built-in chains with rules of the owner: these rules and all rules, by identity."""
    every = {
        (table.family, table.name, chain.name): [id(rule) for rule in chain.rules]
        for table in whole.tables
        for chain in table.chains
    }
    for table in taken.tables:
        for chain in table.chains:
            if chain.policy and chain.rules and chain.name in HOOKS:
                place = (table.family, table.name, chain.name)
                yield place, {id(rule) for rule in chain.rules}, every[place]


def _side(mine: Collection[int], all_rules: list[int]) -> int:
    """Behind, unless a rule of the owner comes first and one of the others last."""
    return AHEAD if all_rules[0] in mine and all_rules[-1] not in mine else BEHIND


@attrs.frozen
class Occupied:
    """The priorities that base chains of others have."""

    priorities: frozenset[tuple[Family, str, int]]

    @classmethod
    def by(cls, *others: iptables.Ruleset | nft.Ruleset) -> Occupied:
        """Those of base chains in nft rulesets; iptables' own are passed over anyway."""
        return cls(
            frozenset(
                (family, chain.hook.name, chain.hook.priority)
                for ruleset in others
                if isinstance(ruleset, nft.Ruleset)
                for table in ruleset.tables
                for family in table.families
                for chain in table.chains
                if chain.hook
            )
        )

    def next_to(self, family: Family, hook: nft.Hook, side: int) -> int:
        """The next priority on one side that no chain has."""
        priority = hook.priority + side * STEP
        while (family, hook.name, priority) in self.priorities:
            priority += side
        return priority


def placed(
    ruleset: nft.Ruleset, sides: Mapping[BaseChainName, int], occupied: Occupied
) -> nft.Ruleset:
    """The mirror of an owner's rules, with its base chains on the sides that are given.

    Base chains without rules are left out: nothing would happen in them.
    """
    found = {(family, table_name(table), chain): side
             for (family, table, chain), side in sides.items()}  # fmt: skip
    tables = []
    for table in ruleset.tables:
        (family,) = table.families  # of a dump, which has tables of one family each
        chains = []
        for chain in table.chains:
            side = found.get((family, table.name, chain.name))
            if chain.hook is None:
                chains.append(chain)
            elif side:
                priority = occupied.next_to(family, chain.hook, side)
                chains.append(attrs.evolve(chain, hook=attrs.evolve(chain.hook, priority=priority)))
        tables.append(attrs.evolve(table, chains=tuple(chains)))
    return nft.Ruleset(tuple(tables))
