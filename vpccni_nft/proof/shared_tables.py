"""Tables that a dump of iptables and an nft ruleset both have.

``iptables-nft`` keeps its rules in nft tables called filter, nat, mangle, raw and security, and nft
lists them, too, not always with all that is in them. ``iptables-legacy`` keeps its rules elsewhere:
beside them a table of nft that is called filter counts, too.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Self

import attrs

from ..core.diagnostics import SAME_TABLE, Diagnostic
from ..core.values import Family
from ..text.nft_outline import outline, without
from ..text.saved_from import SavedFrom

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .. import iptables
    from ..core.span import Source
    from ..text.nft_outline import OutlinedTable
    from ..text.nft_reader import Loaded

_HINT = "compare without one of them, or with a dump whose remark names its program"

#: What nft lists ahead of a table of iptables-nft, since release 1.0.2.
_MANAGED = re.compile(r"# Warning: table (ip6?) (\S+) is managed by iptables-nft, do not touch!")


@attrs.frozen
class SharedTables:
    """What of nft rulesets counts beside a dump."""

    dump: iptables.Ruleset
    saved: SavedFrom  #: where the rules of the dump are in the kernel
    scripts: tuple[Source, ...]  #: without the tables that are taken from the dump
    taken: frozenset[tuple[Family, str]]

    @classmethod
    def of(cls, dump: iptables.Ruleset, saved: SavedFrom, scripts: Sequence[Source]) -> Self:
        """Leave out of listings what is iptables-nft's and what the dump has, too.

        Before they are read: nft does not print the extensions of iptables in a way that can be
        read.
        """
        outlines = [outline(script) for script in scripts]
        count = Counter((one.family, one.name) for tables in outlines for one in tables)
        managed = set(_managed(scripts))
        tables = {(table.family, table.name): table for table in dump.tables}
        taken = set()
        for listed in (one for found in outlines for one in found if one.of_iptables):
            key = (Family(listed.family), listed.name)
            one_table = saved is SavedFrom.NFT or (key in managed and saved is not SavedFrom.LEGACY)
            once = count[listed.family, listed.name] == 1
            if one_table and once and key in tables and _has_all(tables[key], listed):
                taken.add(key)
        rest = tuple(
            without(script, [one for one in found if _key_of(one) in taken])
            for script, found in zip(scripts, outlines, strict=True)
        )
        return cls(dump, saved, rest, frozenset(taken))

    @property
    def left_out(self) -> tuple[str, ...]:
        """Sentences about tables that are taken from the dump."""
        tables = (table for table in self.dump.tables if (table.family, table.name) in self.taken)
        return tuple(
            f"table {table.family.value} {table.name} is as the dump has it, not as nft lists it"
            for table in tables
        )

    def unknown(self, loaded: Loaded) -> Iterator[Diagnostic]:
        """Where it is not known whether two tables are one."""
        tables = {(table.family, table.name) for table in loaded.ruleset.tables}
        for mine in self.dump.tables if self.saved is not SavedFrom.LEGACY else ():
            key = (mine.family, mine.name)
            name = f"{mine.family.value} {mine.name}"
            if loaded.cleared_all or key in loaded.cleared:
                yield _unknown(f"nft deletes or flushes the table {name}, and the dump's")
            elif key in tables:
                yield _unknown(f"nft has a table {name}, and the dump's")


def _key_of(listed: OutlinedTable) -> tuple[Family, str] | None:
    return (Family(listed.family), listed.name) if listed.of_iptables else None


def _unknown(what: str) -> Diagnostic:
    return Diagnostic(
        SAME_TABLE, f"{what} is that one where iptables-nft wrote it; it is not known", hint=_HINT
    )


def _managed(scripts: Iterable[Source]) -> Iterator[tuple[Family, str]]:
    """The tables that nft says are those of iptables-nft."""
    for script in scripts:
        for line in script.lines:
            if found := _MANAGED.match(line):
                yield Family(found[1]), found[2]


def _has_all(dump: iptables.Table, listed: OutlinedTable) -> bool:
    """Whether a dump has the chains that nft lists, with as many rules in each.

    A chain that is not listed is one without rules: iptables-nft makes built-in chains when they
    are needed.
    """
    ours = {chain.name: chain for chain in dump.chains}
    for chain in listed.chains:
        mine = ours.pop(chain.name, None)
        if mine is None or len(mine.rules) != len(chain.rules):
            return False
        if (mine.policy is None) != (not chain.hook):
            return False
    ends = bool(listed.last)
    return listed.plain and ends and not any(chain.rules for chain in ours.values())
