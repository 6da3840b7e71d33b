"""An edit of one table as it is now: which rules go, and which come, and where.

An edit names each rule by its place among those that were read. What carries it out
(``commit``) makes sure that they are still the same.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import NODE_CHANGED, Diagnostic
from .saved import NO_POLICY, SavedChain, SavedRule, SavedTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .moves import TableMove

_JUMP = re.compile(r" -[jg] (\S+)$")


class InTheWay(Exception):  # noqa: N818 - the message says what is in the way
    """A table cannot be changed as it is to be."""


class TableChanged(Exception):  # noqa: N818 - it names what happened
    """The table is not the one that was read: another program has changed it."""


class EditKind(enum.Enum):
    """What becomes of a rule."""

    KEPT = " "
    DELETED = "-"
    INSERTED = "+"


@attrs.frozen
class EditedRule:
    """A rule, and what becomes of it."""

    rule: SavedRule
    sign: EditKind


@attrs.frozen(kw_only=True)
class ChainEdit:
    """What becomes of a chain."""

    name: str
    rows: tuple[EditedRule, ...] = ()  #: the rules before and after in one order
    policy: str = ""  #: the new policy; empty where it stays
    counters: str = ""  #: those of the new policy, where it gets any
    created: bool = False
    deleted: bool = False

    @property
    def result(self) -> tuple[SavedRule, ...]:
        """The rules afterwards."""
        return tuple(row.rule for row in self.rows if row.sign is not EditKind.DELETED)

    def policy_command(self) -> str:
        """The new policy for iptables-restore."""
        if self.counters:
            return f":{self.name} {self.policy} [{self.counters}]"
        return f"-P {self.name} {self.policy}"

    def commands(self) -> Iterator[str]:
        """The rules' changes for iptables-restore, each at its place when its turn comes."""
        number = 1
        for row in self.rows:
            if row.sign is EditKind.DELETED:
                yield f"-D {self.name} {number}"
                continue
            if row.sign is EditKind.INSERTED:
                rest = f" {row.rule.specification}".rstrip()
                yield f"[{row.rule.counters}] -I {self.name} {number}{rest}"
            number += 1


@attrs.frozen
class Edit:
    """The changes of one table."""

    now: SavedTable  #: the table that it is an edit of
    chains: tuple[ChainEdit, ...] = ()  #: those that change

    @property
    def result(self) -> SavedTable:
        """The table afterwards."""
        edits = {one.name: one for one in self.chains}
        chains = []
        for chain in self.now.chains:
            edit = edits.pop(chain.name, None)
            if edit is None:
                chains.append(chain)
            elif not edit.deleted:
                chains.append(
                    attrs.evolve(chain, rules=edit.result, policy=edit.policy or chain.policy)
                )
        for name, edit in edits.items():
            chains.append(SavedChain(name, edit.policy or NO_POLICY, edit.result))
        return SavedTable(self.now.name, tuple(chains))

    def script(self) -> str:
        """What ``iptables-restore --noflush --counters`` is given: one transaction."""
        lines = [f"*{self.now.name}"]
        lines += (f"-N {one.name}" for one in self.chains if one.created)
        lines += (command for one in self.chains for command in one.commands())
        lines += (one.policy_command() for one in self.chains if one.policy)
        lines += (f"-X {one.name}" for one in self.chains if one.deleted)
        return "".join(f"{line}\n" for line in (*lines, "COMMIT"))

    def shown(self) -> Iterator[str]:
        """The same for a reader: each chain that changes, with the rules beside a change."""
        for chain in self.chains:
            what = "new chain" if chain.created else "chain"
            yield (
                f"{what} {chain.name}"
                + f", policy {chain.policy}" * bool(chain.policy)
                + (", deleted" if chain.deleted else "")
            )
            rows = chain.rows
            for number, row in enumerate(rows):
                beside = rows[max(0, number - 1) : number + 2]
                if any(one.sign is not EditKind.KEPT for one in beside):
                    numbers = f"[{row.rule.counters}] " * (row.sign is EditKind.INSERTED)
                    yield f"  {row.sign.value} {numbers}{row.rule.text}"


def no_longer_fits(name: str, why: InTheWay) -> Diagnostic:
    """A table is not as a plan needs it."""
    return Diagnostic(
        NODE_CHANGED, f"the table {name} no longer fits the plan: {why}", None, "plan again"
    )


def taking(move: TableMove, now: SavedTable) -> Edit:
    """Take the moved rules out of a table as it is now. Raises InTheWay.

    Where none of them is there, there is nothing to do.
    """
    missing = move.missing(now)
    if missing and not any(move.present(now)) and not any(map(now.chain, move.chains)):
        return Edit(now)
    if missing:
        raise InTheWay(f"of the rules that move, this is not in iptables: {missing[0]}")
    edits = [_taken(move, chain) for chain in now.chains if chain.name in move.rules]
    edits += (ChainEdit(name=name, deleted=True) for name in move.chains if name not in move.rules)
    edits += (
        ChainEdit(
            name=name,
            rows=tuple(EditedRule(rule, EditKind.KEPT) for rule in chain.rules),
            policy="ACCEPT",
        )
        for name in move.policies
        if name not in move.rules and (chain := now.chain(name))
    )
    _check_unused({one.name for one in edits if one.deleted}, now, edits)
    return Edit(now, tuple(edits))


def _taken(move: TableMove, chain: SavedChain) -> ChainEdit:
    texts = move.rules[chain.name]
    moved = frozenset(texts)
    there = tuple(rule.text for rule in chain.rules if rule.text in moved)
    if there != texts:
        extra = next((text for text in there if there.count(text) > texts.count(text)), "")
        raise InTheWay(
            f"a rule that moves is there more often than in the plan: {extra}"
            if extra
            else f"the rules that move are in another order in the chain {chain.name}"
        )
    deleted = chain.name in move.chains
    kept = [rule.text for rule in chain.rules if rule.text not in moved]
    if deleted and kept:
        raise InTheWay(
            f"the chain {chain.name} moves, and has a rule that is not in the plan: {kept[0]}"
        )
    rows = (
        EditedRule(rule, EditKind.DELETED if rule.text in moved else EditKind.KEPT)
        for rule in chain.rules
    )
    policy = "ACCEPT" if chain.name in move.policies else ""
    return ChainEdit(name=chain.name, rows=tuple(rows), policy=policy, deleted=deleted)


def _check_unused(gone: set[str], now: SavedTable, edits: list[ChainEdit]) -> None:
    """No rule that stays may jump to a chain that goes."""
    changed = {one.name: one.result for one in edits}
    for chain in now.chains if gone else ():
        for rule in changed.get(chain.name, chain.rules):
            if (target := target_of(rule.text)) in gone:
                raise InTheWay(
                    f"the chain {target} moves, and a rule that stays jumps to it: {rule.text}"
                )


def target_of(text: str) -> str:
    """The chain that a rule jumps or goes to, or a target of that name."""
    found = _JUMP.search(text)
    return found[1] if found else ""
