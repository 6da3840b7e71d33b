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

#: Rules by their chains: their numbers.
Places = dict[str, set[int]]


def behind_templates(table: Table) -> Places:
    """The rules that come behind a CT on some way through the table, whatever either asks for."""
    if table.name != "raw":
        return {}  # the kernel takes no CT there
    rules = {chain.name: chain.rules for chain in table.chains}
    giving = _giving(table)
    found: Places = {}
    entered: set[str] = set()  # the chains that packets come to with a template
    todo = list(giving)
    while todo:
        name = todo.pop()
        has = name in entered
        for number, rule in enumerate(rules.get(name, ()), start=1):
            if has:
                found.setdefault(name, set()).add(number)
            target = rule.target
            if not isinstance(target, (Jump, Goto)):
                has = has or _gives(rule)
                continue
            if has and target.chain not in entered:
                entered.add(target.chain)
                todo.append(target.chain)
            # From a goto packets come back to this chain's caller.
            has = has or (isinstance(target, Jump) and target.chain in giving)
    return found


def _giving(table: Table) -> set[str]:
    """The chains in which a packet may get a template, or in those that they call."""
    callers: dict[str, list[str]] = {}
    todo = []
    for chain in table.chains:
        for rule in chain.rules:
            if isinstance(target := rule.target, (Jump, Goto)):
                callers.setdefault(target.chain, []).append(chain.name)
            elif _gives(rule):
                todo.append(chain.name)
    found: set[str] = set()
    while todo:
        if (name := todo.pop()) not in found:
            found.add(name)
            todo += callers.get(name, ())
    return found


def _gives(rule: Rule) -> bool:
    return isinstance(rule.target, Ct) and not rule.target.notrack
