"""What a ruleset says of ipsets: which rules name them, and whether they are there.

It loads the rooms that name ipsets, and so only where the output of ipset save is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.diagnostics import MISSING_SET, Diagnostic
from ..extensions.matches.set import MatchSet
from ..extensions.targets.set import SetTarget
from ..ipset.ast import IpSets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.values import Family
    from ..iptables.ast import Rule, Ruleset, Table

#: The tables whose rules name a set, by its name.
Users = dict[str, frozenset[tuple["Family", str]]]


def sets_and_users(ruleset: Ruleset) -> tuple[IpSets, Users]:
    """The sets of a ruleset that has some, and who names them, be it as a member of a list."""
    known = ruleset.ipsets or ()
    changed = frozenset(
        members.name
        for table in ruleset.tables
        for rule in _rules(table)
        if isinstance(target := rule.target, SetTarget)
        for members in (target.add, target.delete)
        if members
    )
    ipsets = IpSets({one.name: one for one in known}, changed=changed)
    users: dict[str, set[tuple[Family, str]]] = {}
    for table in ruleset.tables:
        for rule in _rules(table):
            for name in _named(rule):
                for one in (name, *(member.name for member in ipsets.members(name))):
                    users.setdefault(one, set()).add((table.family, table.name))
    return ipsets, {name: frozenset(tables) for name, tables in users.items()}


def missing_sets(ruleset: Ruleset, table: Table) -> Iterator[Diagnostic]:
    """The sets that rules of a table name and that are not there."""
    known = {one.name for one in ruleset.ipsets or ()}
    for rule in _rules(table):
        for name in _named(rule):
            if name not in known:
                message = f"the output of ipset save has no set {name}"
                hint = "save the sets and the rules of one node at one time"
                yield Diagnostic(MISSING_SET, message, rule.span, hint)


def _named(rule: Rule) -> list[str]:
    """The ipsets that a rule names."""
    used = [match.members.value.name for match in rule.matches if isinstance(match, MatchSet)]
    if isinstance(target := rule.target, SetTarget):
        used += [members.name for members in (target.add, target.delete, target.map) if members]
    return used


def _rules(table: Table) -> Iterator[Rule]:
    for chain in table.chains:
        yield from chain.rules
