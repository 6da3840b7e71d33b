"""Tables that a dump of iptables and an nft ruleset both have.

``iptables-nft`` keeps its rules in nft tables called filter, nat, mangle, raw and security, and nft
lists them, too, not always with all that is in them. ``iptables-legacy`` keeps its rules elsewhere:
beside them a table of nft that is called filter counts, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from .. import iptables, nft
from ..core.diagnostics import SAME_TABLE, Diagnostic
from ..core.values import Family
from ..text.saved_from import SavedFrom

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..core.span import Source
    from ..text.nft_reader import Loaded

_HINT = "compare without one of them, or with a dump whose remark names its program"

#: What nft lists ahead of a table of iptables-nft, since release 1.0.2.
_MANAGED = re.compile(r"# Warning: table (ip6?) (\S+) is managed by iptables-nft, do not touch!")


@attrs.frozen
class SharedTables:
    """What of an nft ruleset counts beside a dump."""

    kept: nft.Ruleset
    left_out: tuple[str, ...]  #: sentences about tables that are taken from the dump
    unknown: tuple[Diagnostic, ...]  #: where it is not known whether two tables are one

    @classmethod
    def of(
        cls,
        dump: iptables.Ruleset,
        saved: SavedFrom,
        loaded: Loaded,
        scripts: Iterable[Source],
    ) -> SharedTables:
        """Look at each table of the dump; ``saved`` says where its rules are in the kernel."""
        tables = {(table.family, table.name): table for table in loaded.ruleset.tables}
        managed = set(_managed(scripts))
        kept, left_out, unknown = dict(tables), [], []
        for mine in dump.tables:
            key = (mine.family, mine.name)
            name = f"{mine.family.value} {mine.name}"
            if saved is SavedFrom.LEGACY:
                continue
            if loaded.cleared_all or key in loaded.cleared:
                unknown.append(_unknown(f"nft deletes or flushes the table {name}, and the dump's"))
            elif key not in tables:
                continue
            elif (saved is SavedFrom.NFT or key in managed) and _has_all(mine, tables[key]):
                del kept[key]
                left_out.append(f"table {name} is as the dump has it, not as nft lists it")
            else:
                unknown.append(_unknown(f"nft has a table {name}, and the dump's"))
        rest = nft.Ruleset(tuple(kept.values()), loaded.ruleset.others)
        return cls(rest, tuple(left_out), tuple(unknown))


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


def _has_all(dump: iptables.Table, listed: nft.Table) -> bool:
    """Whether a dump has the chains that nft lists, with as many rules in each.

    A chain that is not listed is one without rules: iptables-nft makes built-in chains when they
    are needed.
    """
    ours = {chain.name: chain for chain in dump.chains}
    for chain in listed.chains:
        mine = ours.pop(chain.name, None)
        if mine is None or len(mine.rules) != len(chain.rules):
            return False
        if (mine.policy is None) != (chain.hook is None):
            return False
    return not any(chain.rules for chain in ours.values())
