"""One table of iptables, as texts: what is saved, what stays, and what takes the rest away.

The lines are those of the dump itself. So what is given to ``iptables-restore`` is spelt as the
program spelt it, and what is compared after it, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import BAD_STRUCTURE, Diagnostic, Refused
from ..iptables.ast import Policy
from ..node.detection import SLOTS
from .writers import KEPT_CHAINS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .. import nft
    from ..core.span import Source
    from ..iptables.ast import Table

_RULE_COUNTERS = re.compile(r"^\[\d+:\d+\] ")
_CHAIN_COUNTERS = re.compile(r"^(:.*) \[\d+:\d+\]$")


@attrs.frozen(kw_only=True)
class MovedTable:
    """A table with rules that move."""

    slot: str  #: which dump it is in, by the names of ``detection.SLOTS``
    table: Table = attrs.field(repr=False)
    taken: Table = attrs.field(repr=False)  #: the part that moves
    rest: Table = attrs.field(repr=False)  #: the part that stays
    saved: tuple[str, ...] = attrs.field(repr=False)  #: the lines of the dump

    @property
    def program(self) -> str:
        """What the names of the programs begin with: ``iptables-legacy``."""
        return SLOTS[self.slot].program.removesuffix("-save")

    @property
    def name(self) -> str:
        """The name of its directory, and the program's and the table's in one."""
        return f"{self.program}.{self.table.name}"

    @property
    def nft_table(self) -> str:
        """The table that takes the rules."""
        return f"vpccni-{self.table.name}"

    @property
    def before(self) -> tuple[str, ...]:
        """The table as it is, without counters."""
        return normal(self.saved)

    @property
    def rules(self) -> list[str]:
        """The rules that move, as the dump spells them."""
        lines = sorted(
            rule.span.line for chain in self.taken.chains for rule in chain.rules if rule.span
        )
        return [self._line(line) for line in lines]

    @property
    def chains(self) -> list[str]:
        """The chains that go: those that move but for the ones that agents look at."""
        return [
            chain.name
            for chain in self.taken.chains
            if not chain.policy and chain.name not in KEPT_CHAINS
        ]

    @property
    def policies(self) -> list[str]:
        """The built-in chains whose policy moves; they accept from then on."""
        stays = {chain.name: chain.policy for chain in self.rest.chains}
        return [
            chain.name
            for chain in self.taken.chains
            if chain.policy is Policy.DROP and stays.get(chain.name) is not Policy.DROP
        ]

    @property
    def after(self) -> Iterator[str]:
        """What is left of the table, without counters."""
        gone = {rule.span.line for chain in self.taken.chains for rule in chain.rules if rule.span}
        chains = {f":{chain} -" for chain in self.chains}
        policies = {f":{chain} DROP": f":{chain} ACCEPT" for chain in self.policies}
        first = self._first
        for number, line in enumerate(self.saved, first):
            plain = _plain(line)
            if number not in gone and plain not in chains:
                yield policies.get(plain, plain)

    @property
    def _first(self) -> int:
        assert self.table.span
        return self.table.span.line

    def _line(self, number: int) -> str:
        return _plain(self.saved[number - self._first])


def nft_table_of(ruleset: nft.Ruleset, moved: MovedTable) -> nft.Ruleset:
    """The new table of a table."""
    key = (moved.table.family, moved.nft_table)
    tables = (one for one in ruleset.tables if (one.family, one.name) == key)
    return attrs.evolve(ruleset, tables=tuple(tables))


def has_rules(table: Table) -> bool:
    """Whether there is something to take away."""
    return any(
        chain.rules
        or chain.policy is Policy.DROP
        or not (chain.policy or chain.name in KEPT_CHAINS)
        for chain in table.chains
    )


def lines_of(table: Table) -> tuple[str, ...]:
    """The lines of a table in its dump. Raises Refused where it is no whole table."""
    span = table.span
    if span and span.source.lines[span.line - 1].startswith("*"):
        lines = span.source.lines[span.line - 1 :]
        if "COMMIT" in lines:
            return tuple(line for line in lines[: lines.index("COMMIT") + 1])
    problem = Diagnostic(
        BAD_STRUCTURE,
        "the table does not go from its name to COMMIT",
        span,
        "plan from what iptables-save prints",
    )
    raise Refused([problem])


def slot_of(table: Table, dumps: dict[str, Source]) -> str:
    """Which of the dumps a table is in."""
    assert table.span
    return next(slot for slot, source in dumps.items() if source is table.span.source)


def removal(tables: Sequence[MovedTable]) -> str:
    """What removes the new tables, whether they are there or not."""
    names = dict.fromkeys(f"{one.table.family.value} {one.nft_table}" for one in tables)
    return "".join(f"add table {name}\ndelete table {name}\n" for name in names)


def dump_file(slot: str) -> str:
    """What a dump is called in the directory."""
    return f"{SLOTS[slot].program.removesuffix('-save')}.save"


def normal(lines: Sequence[str]) -> tuple[str, ...]:
    """Lines of a dump without remarks and counters."""
    return tuple(_plain(line) for line in lines if not line.startswith("#"))


def _plain(line: str) -> str:
    return _CHAIN_COUNTERS.sub(r"\1", _RULE_COUNTERS.sub("", line))
