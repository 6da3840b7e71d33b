"""Which chain calls which, and what a chain may have changed when it comes back to its caller."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from ..lowering.depth import callees_first
from ..nft import expressions as x
from ..nft import statements as s

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..nft.ast import Chain, Set, Table

#: The most sets of a table that passes add to: nft and the kernel look each one up by its name
#: among all others, so that the time to load them grows with the square of their number.
MOST_SETS = 1000

#: Characters of a name, so that there is room for a number behind it.
LONGEST_NAME = 200


@attrs.frozen(eq=False)
class _Facts:
    """What the rules of one chain say."""

    chain: Chain
    called: tuple[str, ...]  #: the chains that they jump or go to, in order
    writes: frozenset[x.Expression]  #: what they set
    anew: bool  #: whether the place of a step matters


@attrs.define(eq=False)
class Calls:
    """What the chains of a table lead to."""

    sets: Mapping[str, Set]
    facts: Mapping[str, _Facts]
    _order: tuple[str, ...] = ()
    _writes: dict[str, frozenset[x.Expression]] = attrs.Factory(dict)
    _anew: frozenset[str] | None = None

    @classmethod
    def of(cls, table: Table, before: Calls | None = None) -> Calls:
        """Read the rules of a table, but for chains that are as they were ``before``."""
        sets = {set_.name: set_ for set_ in table.sets}
        known = before.facts if before else {}
        facts = {}
        for chain in table.chains:
            found = known.get(chain.name)
            if found is None or found.chain is not chain:
                found = _facts(chain, sets)
            facts[chain.name] = found
        return cls(sets, facts)

    @property
    def order(self) -> tuple[str, ...]:
        """The chains, each after all that it calls."""
        if not self._order:
            called = {name: facts.called for name, facts in self.facts.items()}
            self._order = tuple(callees_first(called))
        return self._order

    @property
    def anew(self) -> frozenset[str]:
        """Chains with a step whose place matters, in themselves or in helpers that they call."""
        if self._anew is None:
            found = {name for name, facts in self.facts.items() if facts.anew}
            if found:
                for name in self.order:
                    if any(one[0] == "." and one in found for one in self.facts[name].called):
                        found.add(name)
            self._anew = frozenset(found)
        return self._anew

    @property
    def writes(self) -> Mapping[str, frozenset[x.Expression]]:
        """For each chain what it sets, or a chain that it calls."""
        if not self._writes:
            for name in self.order:
                facts = self.facts[name]
                found = facts.writes
                for target in facts.called:
                    if more := self._writes[target]:
                        found = found | more if found else more
                self._writes[name] = found
        return self._writes

    @property
    def callers(self) -> Counter[str]:
        """How many places lead to each chain."""
        callers: Counter[str] = Counter()
        for facts in self.facts.values():
            callers.update(facts.called)
        return callers

    @property
    def depth(self) -> int:
        """The chains on the longest path from a base chain."""
        length: dict[str, int] = {}
        deepest = 0
        for name in self.order:
            facts = self.facts[name]
            length[name] = 1 + max((length[target] for target in facts.called), default=0)
            if facts.chain.hook:
                deepest = max(deepest, length[name])
        return deepest

    def written(self, statements: Iterable[s.Statement]) -> frozenset[x.Expression]:
        """What may be another value behind these statements."""
        found: frozenset[x.Expression] = frozenset()
        for step in statements:
            kind = type(step)
            if kind is s.Assign:
                found |= {step.key}  # type: ignore[attr-defined]
            elif kind in _LEADING:
                for target in s.targets(step, self.sets):
                    found |= self.writes[target]
        return found

    def place_matters(self, statements: Iterable[s.Statement]) -> bool:
        """Whether a step draws or counts, here or in a helper chain that it leads to."""
        return any(
            s.is_stateful(step)
            or (
                type(step) in _LEADING
                and any(one[0] == "." and one in self.anew for one in s.targets(step, self.sets))
            )
            for step in statements
            if type(step) not in _QUIET
        )


#: Statements that lead to chains; they are the last one of their rule.
_LEADING = (s.Jump, s.Goto, s.VerdictMap)

#: Statements that set nothing, draw nothing and lead nowhere.
_QUIET = frozenset({s.Counter, s.NamedCounter, s.Accept, s.Drop, s.Return, s.Nat, s.Reject})


def _facts(chain: Chain, sets: Mapping[str, Set]) -> _Facts:
    called: list[str] = []
    writes: set[x.Expression] = set()
    anew = False
    for rule in chain.rules:
        for step in rule.statements:
            kind = type(step)
            if kind in _QUIET or (kind is s.Match and type(step.left) is x.Payload):  # type: ignore[attr-defined]
                continue
            if kind in _LEADING:
                called += s.targets(step, sets)
            elif kind is s.Assign:
                writes.add(step.key)  # type: ignore[attr-defined]
            anew = anew or s.is_stateful(step)
    return _Facts(chain, tuple(called), frozenset(writes), anew)


def always_ends(step: s.Statement) -> bool:
    """Whether no packet that comes to the end of a rule comes to the next one.

    A NAT statement that looks its address up ends the rule alone, where there is none.
    """
    if isinstance(step, s.Nat):
        return not isinstance(step.address, x.Lookup) and not isinstance(step.port, x.Lookup)
    return isinstance(step, _ENDS)


_ENDS = (s.Accept, s.Drop, s.Return, s.Goto, s.Reject)


def fresh(name: str, taken: set[str]) -> str:
    """The name, or the first of ``name-2``, ``name-3``, ... that is free; it is taken then."""
    name = name[:LONGEST_NAME]
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    taken.add(found)
    return found
