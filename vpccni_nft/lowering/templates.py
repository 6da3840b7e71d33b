"""Which rules meet packets with a template of CT in place of a connection.

``CT`` in the table raw hangs a template on the packet until conntrack runs. iptables reads marks,
status and tuples of it as those of a connection; nft takes such a packet for one without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..extensions.targets.ct import Ct
from ..iptables.ast import Goto, Jump

if TYPE_CHECKING:
    from ..iptables.ast import Rule, Table

#: Rules by their chains and numbers.
Places = frozenset[tuple[str, int]]


def behind_templates(table: Table) -> Places:
    """The rules that come behind a CT on some way through the table, whatever either asks for."""
    chains = {chain.name: chain.rules for chain in table.chains}
    if not any(_gives(rule) for rules in chains.values() for rule in rules):
        return frozenset()
    giving: set[str] = set()  # where packets may get a template
    entered: set[str] = set()  # where packets may come to with one
    found: set[tuple[str, int]] = set()
    known = -1
    while known < len(giving) + len(entered):
        known = len(giving) + len(entered)
        for name, rules in chains.items():
            has = name in entered
            for number, rule in enumerate(rules, start=1):
                if has:
                    found.add((name, number))
                target = rule.target
                if isinstance(target, (Jump, Goto)):
                    if has:
                        entered.add(target.chain)
                    gives = target.chain in giving
                else:
                    gives = _gives(rule)
                if gives:
                    giving.add(name)
                    # From a goto packets come back to this chain's caller.
                    has = has or not isinstance(target, Goto)
    return frozenset(found)


def _gives(rule: Rule) -> bool:
    return isinstance(rule.target, Ct) and not rule.target.notrack
