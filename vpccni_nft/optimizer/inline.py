"""Put the rules of a chain in place of the only rule that leads to it.

kube-proxy gives each endpoint a chain, and the last endpoint of a Service is jumped to without a
condition: its rules can stand in the Service's chain.

Side conditions, for a rule R of chain P that leads to chain C:

- nothing else leads to C, no map either, and C is no base chain;
- R has no condition: only counters, then the jump or goto;
- P is no base chain, so that base chains show where the rules of each writer begin;
- where rules stand behind R, C has no RETURN and no goto, which would now act on P. Behind a goto
  nothing runs, and at the end of P a return from C and one from P come to the same;
- no step of C draws or keeps a state, in itself or in its helper chains: their places are named
  after the chain that they stand in;
- C has a rule.

R's counters stay: they now stand first in C's first rule, where they count whatever comes by.
Where that rule begins with a counter itself, they stay a rule of their own. The first rule's
comment has both comments. Paths of jumps become shorter, never longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..nft import names
from ..nft import statements as s

if TYPE_CHECKING:
    from ..nft.ast import Chain, Rule, Table
    from .calls import Calls

_COUNTERS = (s.Counter, s.NamedCounter)
_LEAVES = (s.Return, s.Goto)


def inline(table: Table, calls: Calls) -> Table:
    """The table with chains of one use in place of that use."""
    callers = calls.callers
    chains = {chain.name: chain for chain in table.chains}
    gone: set[str] = set()
    for name in calls.order:
        chain = chains[name]
        if chain.hook or not chain.rules:
            continue
        rules: list[Rule] = []
        for number, rule in enumerate(chain.rules, start=1):
            target = _only_jump(rule)
            callee = chains[target] if target else chain
            if (
                not target
                or callers[target] != 1
                or target in calls.anew
                or not _fits(callee, rule, is_last=number == len(chain.rules))
            ):
                rules.append(rule)
                continue
            rules += _in_place(rule, callee)
            gone.add(target)
        if len(rules) != len(chain.rules) or any(map(_differ, rules, chain.rules)):
            chains[name] = attrs.evolve(chain, rules=tuple(rules))
    if not gone:
        return table
    return attrs.evolve(
        table, chains=tuple(chain for name, chain in chains.items() if name not in gone)
    )


def _differ(one: object, other: object) -> bool:
    return one is not other


def _only_jump(rule: Rule) -> str:
    """The chain that every packet goes to which comes to this rule."""
    steps = rule.statements
    last = steps[-1] if steps else None
    if isinstance(last, s.Jump | s.Goto) and all(isinstance(one, _COUNTERS) for one in steps[:-1]):
        return last.chain
    return ""


def _fits(callee: Chain, rule: Rule, *, is_last: bool) -> bool:
    """Whether the callee's rules mean in this place what they mean in their own chain."""
    if callee.hook or not callee.rules:
        return False
    return is_last or (
        isinstance(rule.statements[-1], s.Jump)
        and not any(
            isinstance(step, (*_LEAVES, s.VerdictMap))
            for one in callee.rules
            for step in one.statements
        )
    )


def _in_place(rule: Rule, callee: Chain) -> tuple[Rule, ...]:
    """The callee's rules, with the counters of the rule that led to them."""
    first, *others = callee.rules
    counters = rule.statements[:-1]
    if counters and (not first.statements or isinstance(first.statements[0], _COUNTERS)):
        return (attrs.evolve(rule, statements=counters), *callee.rules)
    joined = attrs.evolve(
        first,
        statements=(*counters, *first.statements),
        comment=_both(rule.comment, first.comment),
        origin=rule.origin or first.origin,
        also=(*rule.also, *first.origins) if rule.origin else first.also,
    )
    return (joined, *others)


def _both(one: str, other: str) -> str:
    """Two comments as one; of two where one has the other in it, the longer one."""
    if one in other or other in one:
        return max(one, other, key=len)
    return names.comment(f"{one} | {other}")
