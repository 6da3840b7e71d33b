"""Which chain calls which, and what a chain may have changed when it comes back to its caller."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from ..nft import expressions as x
from ..nft import statements as s
from ..semantics.nft import answers_anew

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..nft.ast import Chain, Rule, Set, Table

#: The most chains on a path of jumps, the base chain included (NFT_JUMP_STACK_SIZE).
MOST_CHAINS = 16

#: The most sets of a table that passes add to: nft and the kernel look each one up by its name
#: among all others, so that the time to load them grows with the square of their number.
MOST_SETS = 1000

#: Characters of a name, so that there is room for a number behind it.
LONGEST_NAME = 200


@attrs.frozen(eq=False)
class Calls:
    """What the chains of a table lead to."""

    chains: Mapping[str, Chain]
    sets: Mapping[str, Set]
    #: The chains that each chain jumps or goes to, in order.
    called: Mapping[str, tuple[str, ...]]
    #: For each chain what it sets, or a chain that it calls.
    writes: Mapping[str, frozenset[x.Expression]]
    #: Chains with a step whose place matters, in themselves or in helpers that they call.
    anew: frozenset[str]

    @classmethod
    def of(cls, table: Table) -> Calls:
        """Read a table, each rule once."""
        chains = {chain.name: chain for chain in table.chains}
        sets = {set_.name: set_ for set_ in table.sets}
        called: dict[str, tuple[str, ...]] = {}
        writes: dict[str, frozenset[x.Expression]] = {}
        anew: set[str] = set()
        for chain in table.chains:
            called[chain.name] = tuple(called_by(chain.rules, sets))
            writes[chain.name] = frozenset(written_by(chain.rules))
            if any(answers_anew(step) for rule in chain.rules for step in rule.statements):
                anew.add(chain.name)
        for name in callees_first(called):
            for target in called[name]:
                if writes[target]:
                    writes[name] |= writes[target]
                if target.startswith(".") and target in anew:
                    anew.add(name)
        return cls(chains, sets, called, writes, frozenset(anew))

    @property
    def callers(self) -> Counter[str]:
        """How many places lead to each chain."""
        return Counter(target for targets in self.called.values() for target in targets)

    @property
    def depth(self) -> int:
        """The chains on the longest path from a base chain."""
        length: dict[str, int] = {}
        for name in callees_first(self.called):
            length[name] = 1 + max((length[target] for target in self.called[name]), default=0)
        return max((length[name] for name, chain in self.chains.items() if chain.hook), default=0)

    def written(self, statements: Iterable[s.Statement]) -> frozenset[x.Expression]:
        """What may be another value behind these statements."""
        found: frozenset[x.Expression] = frozenset()
        for step in statements:
            if isinstance(step, s.Set):
                found |= {step.key}
            for target in s.targets(step, self.sets):
                found |= self.writes[target]
        return found

    def place_matters(self, statements: Iterable[s.Statement]) -> bool:
        """Whether a step draws or counts, here or in a helper chain that it leads to."""
        return any(
            answers_anew(step)
            or any(
                target in self.anew
                for target in s.targets(step, self.sets)
                if target.startswith(".")
            )
            for step in statements
        )


def called_by(rules: Iterable[Rule], sets: Mapping[str, Set]) -> Iterable[str]:
    """The chains that rules lead to."""
    return (
        target for rule in rules for step in rule.statements for target in s.targets(step, sets)
    )


def written_by(rules: Iterable[Rule]) -> Iterable[x.Expression]:
    """What rules themselves set."""
    return (step.key for rule in rules for step in rule.statements if isinstance(step, s.Set))


def callees_first(called: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The chains in an order in which each comes after all that it calls; no recursion."""
    done: set[str] = set()
    order: list[str] = []
    stack = [(name, False) for name in reversed(called)]
    while stack:
        name, all_called = stack.pop()
        if all_called:
            order.append(name)
        elif name not in done:
            done.add(name)
            stack.append((name, True))
            stack += ((target, False) for target in called[name])
    return order


def fresh(name: str, taken: set[str]) -> str:
    """The name, or the first of ``name-2``, ``name-3``, ... that is free; it is taken then."""
    name = name[:LONGEST_NAME]
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    taken.add(found)
    return found
