"""Divide a ruleset into one owner's rules and what stays.

Nothing is copied and nothing is lost: each rule and each chain is on one side. Whether both sides
together mean what the whole did is another question, for the order of their base chains decides it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import (
    NOTHING_OWNED,
    SHARED_CHAIN,
    UNKNOWN_MATCH,
    UNKNOWN_OPTION,
    UNKNOWN_TARGET,
    Diagnostic,
    Refused,
)
from ..iptables.ast import Chain, Counters, Goto, Jump, Policy, Ruleset, Table
from .owners import OWNERS
from .ownership import inventory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.values import Family
    from .ownership import Inventory, OwnedRule

#: Whose rules can be taken.
OWNER_NAMES = tuple(owner.name for owner in OWNERS)

#: In what stays they do not matter, and in what is taken lowering reports them.
UNKNOWN_PARTS = (UNKNOWN_MATCH, UNKNOWN_OPTION, UNKNOWN_TARGET)

#: A chain by the family and the table that it is in.
_Place = tuple["Family", str, str]

#: A rule by its chain and its identity. Where one object stands twice in a chain, both are equal.
_RulePlace = tuple["Family", str, str, int]


def take(ruleset: Ruleset, owner: str) -> tuple[Ruleset, Ruleset]:
    r"""Divide a ruleset into the rules and chains of an owner, and the rest.

    The owner's rules in built-in chains go with the owner. The policies of built-in chains, with
    their counters, stay with the rest: on the owner's side they are ACCEPT, which lets packets on
    to the rest. Tables that the owner has nothing in are not in the owner's ruleset.

    Raises Refused where a rule of one side would need a chain of the other, where a chain has rules
    of both, and where nothing is the owner's. Raises ValueError where the name is not one of
    ``owners.OWNERS``.

    >>> from vpccni_nft import parse
    >>> from vpccni_nft.node.partition import take
    >>> dump = "*filter\n:FORWARD DROP [0:0]\n:ts-forward - [0:0]\n" + (
    ...     "-A FORWARD -s 10.0.0.0/8 -j ACCEPT\n-A FORWARD -j ts-forward\nCOMMIT\n")
    >>> taken, rest = take(parse(dump), "tailscale")
    >>> [(chain.name, chain.policy, len(chain.rules)) for chain in taken.tables[0].chains]
    [('FORWARD', <Policy.ACCEPT: 'ACCEPT'>, 1), ('ts-forward', None, 0)]
    >>> [(chain.name, chain.policy, len(chain.rules)) for chain in rest.tables[0].chains]
    [('FORWARD', <Policy.DROP: 'DROP'>, 1)]
    """
    if owner not in OWNER_NAMES:
        raise ValueError(f"{owner} is not one of {', '.join(OWNER_NAMES)}")
    division = _Division.of(inventory(ruleset), owner)
    if problems := tuple(division.problems()):
        raise Refused(problems)
    sides = [
        attrs.evolve(
            ruleset,
            tables=tuple(
                _side(table, division, taken=taken)
                for table in ruleset.tables
                if not taken or (table.family, table.name) in division.tables
            ),
        )
        for taken in (True, False)
    ]
    return sides[0], sides[1]


@attrs.frozen
class _Division:
    owner: str
    found: Inventory
    chains: frozenset[_Place]  #: the owner's
    rules: frozenset[_RulePlace]  #: the owner's

    @classmethod
    def of(cls, found: Inventory, owner: str) -> _Division:
        return cls(
            owner,
            found,
            frozenset(
                (one.family, one.table, one.chain.name)
                for one in found.chains
                if one.answer.owner == owner
            ),
            frozenset(
                (one.family, one.table, one.chain, id(one.rule))
                for one in found.rules
                if one.answer.owner == owner
            ),
        )

    @property
    def tables(self) -> frozenset[tuple[Family, str]]:
        """The tables that the owner has something in."""
        rules = {(family, table) for family, table, _, _ in self.rules}
        return frozenset(rules | {(family, table) for family, table, _ in self.chains})

    def problems(self) -> Iterator[Diagnostic]:
        if not self.rules and not self.chains:
            yield Diagnostic(
                NOTHING_OWNED,
                f"no chain and no rule belongs to {self.owner}",
                None,
                "vpccni-nft inventory shows whose they are",
            )
        owners = {
            (one.family, one.table, one.chain.name): one.answer.owner for one in self.found.chains
        }
        for one in self.found.rules:
            here = (one.family, one.table, one.chain)
            mine = (*here, id(one.rule)) in self.rules
            target = one.rule.target.chain if isinstance(one.rule.target, Jump | Goto) else ""
            there = (one.family, one.table, target)
            if here in owners and (here in self.chains) is not mine:
                yield _in_chain_of(one, owners[here])
            elif there in owners and (there in self.chains) is not mine:
                yield _jump_to_chain_of(one, target, owners[there])


def _in_chain_of(one: OwnedRule, owner: str) -> Diagnostic:
    return Diagnostic(
        SHARED_CHAIN,
        f"the rule belongs to {one.answer.owner}, and the chain {one.chain} to {owner}",
        one.rule.span,
        "delete the rule, or move it to a chain of its owner",
    )


def _jump_to_chain_of(one: OwnedRule, chain: str, owner: str) -> Diagnostic:
    return Diagnostic(
        SHARED_CHAIN,
        f"the rule belongs to {one.answer.owner}, and jumps to the chain {chain}, which belongs"
        f" to {owner}",
        one.rule.target_span or one.rule.span,
        "a chain goes with one of them only: a copy would not follow what its owner changes",
    )


def _side(table: Table, division: _Division, *, taken: bool) -> Table:
    chains = (
        _side_of_chain(table, chain, division, taken=taken)
        for chain in table.chains
        if chain.policy or ((table.family, table.name, chain.name) in division.chains) is taken
    )
    return attrs.evolve(table, chains=tuple(chains))


def _side_of_chain(table: Table, chain: Chain, division: _Division, *, taken: bool) -> Chain:
    if not chain.policy:
        return chain
    place = (table.family, table.name, chain.name)
    rules = tuple(rule for rule in chain.rules if ((*place, id(rule)) in division.rules) is taken)
    if not taken:
        return attrs.evolve(chain, rules=rules)
    return attrs.evolve(chain, rules=rules, policy=Policy.ACCEPT, counters=Counters(0, 0))
