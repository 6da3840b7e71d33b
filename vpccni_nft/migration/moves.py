"""What a stored plan moves of one table, and where the rules of the move are now."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs

from ..core.values import Family
from .copies import comment_of
from .programs import run
from .saved import SavedTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@attrs.frozen(kw_only=True)
class TableMove:
    """The rules, chains and policies of one table that a plan moves."""

    name: str  #: of its directory in the plan: ``iptables-nft.nat``
    program: str  #: what the names of the programs begin with: ``iptables-nft``
    family: Family
    table: str
    nft_table: str
    comment: str = ""  #: of that table, by which it is known to be this plan's
    before: SavedTable = attrs.field(repr=False)  #: when the plan was made
    after: SavedTable = attrs.field(repr=False)  #: the same without what moves
    script: str = attrs.field(default="", repr=False)  #: what loads all new tables of the plan
    #: The rules that move, by their chains. Equal rules of a chain move together.
    rules: dict[str, tuple[str, ...]] = attrs.field(init=False, repr=False, eq=False)

    @rules.default
    def _rules(self) -> dict[str, tuple[str, ...]]:
        found = {}
        for chain in self.before.chains:
            kept = self.after.chain(chain.name)
            stay = {rule.text for rule in kept.rules} if kept else set()
            if moved := tuple(rule.text for rule in chain.rules if rule.text not in stay):
                found[chain.name] = moved
        return found

    @classmethod
    def read(cls, directory: Path, entry: Mapping[str, Any], comment: str) -> TableMove:
        """What a plan says of one table. Raises CannotRead and OSError."""
        name, table = str(entry["name"]), str(entry["table"])
        before, after = (
            SavedTable.of(table, _lines(directory / "tables" / name / which))
            for which in ("saved", "after")
        )
        return cls(
            name=name,
            program=name.partition(".")[0],
            family=Family(entry["family"]),
            table=table,
            nft_table=str(entry["nft_table"]),
            comment=comment,
            before=before,
            after=after,
            script=_text(directory / "apply.nft"),
        )

    @property
    def legacy(self) -> bool:
        """Whether it is of iptables-legacy, not of iptables-nft."""
        return self.program.endswith("-legacy")

    @property
    def chains(self) -> tuple[str, ...]:
        """The user-defined chains that move as a whole."""
        return tuple(one.name for one in self.before.chains if not self.after.chain(one.name))

    @property
    def policies(self) -> tuple[str, ...]:
        """The built-in chains whose DROP moves, and that accept meanwhile."""
        return tuple(
            one.name
            for one in self.before.chains
            if (kept := self.after.chain(one.name)) and kept.policy != one.policy
        )

    def now(self) -> SavedTable:
        """The table as it is on this node. Raises CannotRead and ProgramFailed."""
        text = run(f"{self.program}-save", "-c", "-t", self.table)
        return SavedTable.printed(self.table, text)

    def present(self, now: SavedTable) -> Iterator[str]:
        """The rules that move and that are in iptables now."""
        for name, texts in self.rules.items():
            if chain := now.chain(name):
                moved = frozenset(texts)
                yield from (rule.text for rule in chain.rules if rule.text in moved)

    def again(self, now: SavedTable) -> Iterator[str]:
        """What of the move is in iptables now: rules, and policies as commands."""
        yield from self.present(now)
        for name in self.policies:
            if (chain := now.chain(name)) and chain.policy == "DROP":
                yield f"-P {name} DROP"

    def missing(self, now: SavedTable) -> list[str]:
        """What of the move is not in iptables now: rules, chains, and policies as commands."""
        found = []
        for name, texts in self.rules.items():
            chain = now.chain(name)
            there = Counter(rule.text for rule in (chain.rules if chain else ()))
            for text in texts:
                there[text] -= 1
                if there[text] < 0:
                    found.append(text)
        found += (f"-N {name}" for name in self.chains if not now.chain(name))
        found += (
            f"-P {name} DROP"
            for name in self.policies
            if (chain := now.chain(name)) is None or chain.policy != "DROP"
        )
        return found


def moves_of(directory: Path, about: Mapping[str, Any]) -> list[TableMove]:
    """All tables of a plan. Raises CannotRead and OSError."""
    comment = comment_of(about["id"])
    return [TableMove.read(directory, entry, comment) for entry in about["tables"]]


def _lines(path: Path) -> list[str]:
    return _text(path).split("\n")


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape")
