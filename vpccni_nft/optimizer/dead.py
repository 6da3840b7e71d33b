"""Remove what no packet comes to, and what does nothing.

- A rule behind one that always ends the chain: a rule of nothing but counters and a verdict other
  than a jump, or a NAT statement that does not look its address up.
- A chain that no base chain leads to.
- A jump to a chain without rules, which comes back at once, and a goto there, which is a return.
- A rule of conditions alone.

Side conditions: a rule with a counter stays, because the number is part of the dump, and so do the
chains that it leads to; conditions that draw or keep a state stay. Base chains stay, even empty
ones: the kernel calls them, and a chain of type nat makes it look at connections. What is left
means the same: it runs for the same packets, in the same order.

The places of draws keep their names: what is removed has no draw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..nft import statements as s
from .calls import Calls, always_ends

if TYPE_CHECKING:
    from collections.abc import Set

    from ..nft.ast import Chain, Rule, Table

_COUNTERS = (s.Counter, s.NamedCounter)


def remove_dead(table: Table, calls: Calls) -> Table:
    """The table without what no packet comes to."""
    empty = {chain.name for chain in table.chains if not chain.rules and not chain.hook}
    counting = {set_.name for set_ in table.sets if set_.counts}
    chains = tuple(_without_idle(chain, empty, counting) for chain in table.chains)
    if not all(map(_is, chains, table.chains)):
        table = attrs.evolve(table, chains=chains)
        calls = Calls.of(table, calls)
    kept = _needed(table, calls)
    if len(kept) < len(table.chains):
        chains = tuple(chain for chain in table.chains if chain.name in kept)
        return attrs.evolve(table, chains=chains)
    return table


def _without_idle(chain: Chain, empty: Set[str], counting: Set[str]) -> Chain:
    """The chain without rules that never run or do nothing."""
    rules: list[Rule] = []
    ended = False
    for rule in chain.rules:
        if ended and not any(map(_is_stateful, rule.statements)):
            continue
        last = rule.statements[-1] if rule.statements else None
        if isinstance(last, s.Jump | s.Goto) and last.chain in empty:
            rest = (s.Return(),) if isinstance(last, s.Goto) else ()
            rule = attrs.evolve(rule, statements=(*rule.statements[:-1], *rest))  # noqa: PLW2901
            last = rule.statements[-1] if rule.statements else None
        if (last is None or type(last) is s.Match) and _is_idle(rule, counting):
            continue
        rules.append(rule)
        ended = ended or _always_ends(rule)
    if len(rules) == len(chain.rules) and all(map(_is, rules, chain.rules)):
        return chain
    return attrs.evolve(chain, rules=tuple(rules))


def _is(one: object, other: object) -> bool:
    return one is other


def _is_stateful(step: s.Statement) -> bool:
    """Whether there is a number to keep, or a place to name."""
    return isinstance(step, _COUNTERS) or s.is_stateful(step)


def _is_idle(rule: Rule, counting: Set[str]) -> bool:
    """Whether a rule does nothing, whatever the packet."""
    return all(
        isinstance(step, s.Match)
        and not s.has_side_effect(step)
        and not s.is_stateful(step)
        and getattr(step.right, "name", None) not in counting
        for step in rule.statements
    )


def _always_ends(rule: Rule) -> bool:
    """Whether a rule ends the chain, and has no condition."""
    steps = rule.statements
    return (
        bool(steps)
        and always_ends(steps[-1])
        and all(isinstance(step, _COUNTERS) for step in steps[:-1])
    )


def _needed(table: Table, calls: Calls) -> Set[str]:
    """The base chains, those with something to keep, and all that these lead to."""
    kept: set[str] = set()
    _reach(kept, [chain.name for chain in table.chains if chain.hook], calls)
    # A map's elements name chains, whether or not a rule uses the map.
    for set_ in table.sets:
        for element in set_.elements:
            value = getattr(element, "value", None)
            if isinstance(value, s.Jump | s.Goto):
                _reach(kept, [value.chain], calls)
    for chain in table.chains:
        if chain.name not in kept and any(
            _is_stateful(step) for rule in chain.rules for step in rule.statements
        ):
            _reach(kept, [chain.name], calls)
    return kept


def _reach(kept: set[str], waiting: list[str], calls: Calls) -> None:
    """Keep chains, and all that they lead to."""
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept.add(name)
            waiting += calls.facts[name].called
