"""The CNI's own form: ``table ip aws-cni``, as release v1.23 writes its connmark rules.

That release has two chains, ``nat-prerouting`` and ``snat-mark``. Its other rules, which it leaves
to iptables, stand beside them here in the same style.

Two of its rules are not what the iptables rules are, and here they are not so either: ``fib daddr
type local return`` keeps packets for the node from being marked, and ``meta mark set ct mark &
0x80`` wipes the marks of others. They keep the form by which the CNI knows them
(``nftables_connmark.go``), so that it leaves the chain alone: it looks for statements and reads
over those that it does not look for.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import attrs

from .. import iptables, nft
from ..core.diagnostics import NATIVE_TABLE_TAKEN, Diagnostic, Refused
from ..core.values import Address, Family, mask_of_length
from ..extensions.matches.comment import Comment
from ..extensions.targets.verdicts import Return
from ..lowering.layout import PRIORITIES, table_name
from ..nft import expressions as x
from ..nft import statements as s

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TABLE = "aws-cni"

#: What the CNI calls its chains here, by how their names in iptables begin.
_CHAINS = {"AWS-CONNMARK-CHAIN": "snat-mark", "AWS-SNAT-CHAIN": "snat-source"}

_BASE, _MARK = "nat-prerouting", "snat-mark"

_RESTORE = re.compile(r"restore-mark-(0x[0-9a-f]+)")

#: No packet fits it. Without a rule of this form the CNI writes all rules of the chain anew.
_LOCAL_RETURN = nft.Rule(
    (
        s.Match(x.Fib(("daddr",), "type"), "==", x.Symbol("local")),
        s.Match(x.Fib(("daddr",), "type"), "!=", x.Symbol("local")),
        s.Return(),
    ),
    comment="never true; the CNI looks for this form",
)


# --- cascades -----------------------------------------------------------------------------------


def uncascaded(ruleset: iptables.Ruleset) -> iptables.Ruleset:
    """The same rules with a RETURN for each network, as the CNI writes them since v1.16.1.

    Before, each network had a chain: its rule led whatever went elsewhere to the next one.
    """
    return attrs.evolve(ruleset, tables=tuple(map(_uncascaded_table, ruleset.tables)))


def _uncascaded_table(table: iptables.Table) -> iptables.Table:
    chains = {chain.name: chain for chain in table.chains}
    callers = Counter(_called(rule) for chain in table.chains for rule in chain.rules)
    merged: set[str] = set()

    def longer(chain: iptables.Chain) -> iptables.Chain:
        """The chain with those that its last rule leads to in their places."""
        while rule := _link(chain):
            following = chains.get(_called(rule))
            if not following or not _is_link(following, chain, callers):
                break
            merged.add(following.name)
            rules = (*chain.rules[:-1], _turned_round(rule), *following.rules)
            chain = attrs.evolve(chain, rules=rules)
        return chain

    found = [longer(chain) for chain in table.chains]
    kept = (chain for chain in found if chain.name not in merged)
    return attrs.evolve(table, chains=tuple(kept))


def _called(rule: iptables.Rule) -> str:
    return rule.target.chain if isinstance(rule.target, iptables.Jump | iptables.Goto) else ""


def _link(chain: iptables.Chain) -> iptables.Rule | None:
    """A chain's last rule, if it jumps away and asks for nothing but another destination."""
    if chain.policy or not chain.rules:
        return None
    rule = chain.rules[-1]
    comments = tuple(one for one in rule.matches if isinstance(one, Comment))
    alone = iptables.Rule(destination=rule.destination, matches=comments, target=rule.target)
    if attrs.evolve(rule, counters=None) != alone or not isinstance(rule.target, iptables.Jump):
        return None
    return rule if rule.destination and rule.destination.negated else None


def _is_link(chain: iptables.Chain, caller: iptables.Chain, callers: Mapping[str, int]) -> bool:
    """Whether a chain can stand in the place of the one jump that leads to it."""
    return not chain.policy and chain.name != caller.name and callers[chain.name] == 1


def _turned_round(rule: iptables.Rule) -> iptables.Rule:
    assert rule.destination
    there = attrs.evolve(rule.destination, negated=False)
    return attrs.evolve(rule, destination=there, target=Return(), counters=None)


# --- names --------------------------------------------------------------------------------------


def native(ruleset: nft.Ruleset, beside: Sequence[nft.Ruleset] = ()) -> nft.Ruleset:
    """One table for each family, from the tables of the mirror layout.

    Chains that the CNI already has in its own table ``beside`` stay as they are. Raises Refused
    where two of them would have the same name.
    """
    families = dict.fromkeys(family for table in ruleset.tables for family in table.families)
    return nft.Ruleset(tuple(_table(family, ruleset, beside) for family in families))


def _table(family: Family, ruleset: nft.Ruleset, beside: Sequence[nft.Ruleset]) -> nft.Table:
    tables = [table for table in ruleset.tables if table.family is family]
    there = [
        table
        for one in beside
        for table in one.tables
        if (table.family, table.name) == (family, TABLE)
    ]
    chains: dict[str, nft.Chain] = {}
    for table in tables:
        for chain in _reached(table):
            renamed = _renamed(table, chain)
            known = chains.setdefault(renamed.name, renamed)
            assert known == renamed, "helper chains of one name have the same rules"
    own = [_as_the_cni(chain) for chain in chains.values()]
    taken = [chain for table in there for chain in table.chains if chain.name in chains]
    if taken:
        raise Refused([_name_taken(taken)])
    return nft.Table(
        family,
        TABLE,
        chains=(*(chain for table in there for chain in table.chains), *own),
        sets=tuple(one for table in (*there, *tables) for one in table.sets),
        counters=tuple(one for table in (*there, *tables) for one in table.counters),
    )


def _name_taken(chains: Sequence[nft.Chain]) -> Diagnostic:
    names = ", ".join(chain.name for chain in chains)
    return Diagnostic(
        NATIVE_TABLE_TAKEN,
        f"the table {TABLE} has rules already where those of iptables would go: {names}",
        hint="the CNI's rules are in several back ends: see M001; or use --layout mirror",
    )


def _reached(table: nft.Table) -> Iterator[nft.Chain]:
    """The chains that packets can come to."""
    chains = {chain.name: chain for chain in table.chains}
    seen = dict.fromkeys(chain.name for chain in table.chains if chain.hook)
    todo = list(seen)
    while todo:
        for rule in chains[todo.pop()].rules:
            for statement in rule.statements:
                if isinstance(statement, s.Jump | s.Goto) and statement.chain not in seen:
                    seen[statement.chain] = None
                    todo.append(statement.chain)
    return (chain for chain in table.chains if chain.name in seen)


def _renamed(table: nft.Table, chain: nft.Chain) -> nft.Chain:
    rules = tuple(
        attrs.evolve(rule, statements=tuple(_redirected(table, one) for one in rule.statements))
        for rule in chain.rules
    )
    return attrs.evolve(chain, name=_name(table, chain.name), rules=rules)


def _redirected(table: nft.Table, statement: s.Statement) -> s.Statement:
    if isinstance(statement, s.Jump | s.Goto):
        return attrs.evolve(statement, chain=_name(table, statement.chain))
    return statement


def _name(table: nft.Table, chain: str) -> str:
    if _RESTORE.fullmatch(chain.removeprefix(".")):
        return chain.removeprefix(".")  # the same rules in each table
    stem, _, number = chain.rpartition("-")
    if stem in _CHAINS:
        return _CHAINS[stem] + f"-{number}" * (number != "0")
    return f"{_iptables_table(table)}-{chain.removeprefix('.').lower()}"


def _iptables_table(table: nft.Table) -> str:
    return next(name for name in PRIORITIES if table_name(name) == table.name)


# --- what the CNI looks for ---------------------------------------------------------------------


def _as_the_cni(chain: nft.Chain) -> nft.Chain:
    if chain.name == _BASE:
        rules = (_LOCAL_RETURN, *map(_restoring, chain.rules))
        return attrs.evolve(chain, rules=rules)
    if chain.name == _MARK:
        return attrs.evolve(chain, rules=tuple(map(_returning, chain.rules)))
    return chain


def _restoring(rule: nft.Rule) -> nft.Rule:
    """A jump to the masked restore that also gives the mark its own value.

    The CNI looks for the connection's mark, masked, and for something that goes to the packet's.
    """
    match rule.statements:
        case (*counter, s.Jump(helper)) if found := _RESTORE.fullmatch(helper):
            mask = int(found[1], 16)
            outside = ~mask & -~mask  # the lowest bit that is not in the mask
            masked = x.Binary("&", x.Ct("mark"), x.Hex(mask))
            always = s.Match(masked, "!=", x.Hex(outside))
            same = s.Assign(x.Meta("mark"), x.Meta("mark"))
            return attrs.evolve(rule, statements=(always, *counter, same, s.Jump(helper)))
        case _:
            return rule


def _returning(rule: nft.Rule) -> nft.Rule:
    """The network with its mask: nft leaves the mask out where a network ends with a byte."""
    match rule.statements:
        case (s.Match(x.Payload("ip", "daddr") as field, "==", to), *others, s.Return()):
            if not isinstance(to, x.Prefix | x.Host):
                return rule
            network = (to.address, to.length if isinstance(to, x.Prefix) else 32)
        case (*others, s.Return()) if not any(isinstance(one, s.Match) for one in others):
            field, network = x.Payload("ip", "daddr"), (Address(Family.IP, 0), 0)
        case _:
            return rule
    address, length = network
    mask = x.Host(Address(Family.IP, mask_of_length(Family.IP, length)))
    masked = s.Match(x.Binary("&", field, mask), "==", x.Host(address))
    return attrs.evolve(rule, statements=(masked, *others, s.Return()))
