"""Sets and chains that are not there: a text is checked when it is read, objects are here.

A counter is no more than its name in a proof. nft loads no such ruleset (nf_tables_api.c: ENOENT).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import nft
from ..core.diagnostics import NFT_MISSING, Diagnostic
from ..nft import statements as s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .side import Side


def missing_names(side: Side) -> Iterator[Diagnostic]:
    """One diagnostic for each name that its table does not have."""
    for ruleset in side.rulesets:
        if isinstance(ruleset, nft.Ruleset):
            for table in ruleset.tables:
                yield from _missing_in(table)


def _missing_in(table: nft.Table) -> Iterator[Diagnostic]:
    sets = {one.name: one for one in table.sets}
    chains = {one.name for one in table.chains}
    missing: dict[tuple[str, str], None] = {}
    for chain in table.chains:
        for rule in chain.rules:
            for step in rule.statements:
                named = list(s.sets_of(step))
                absent = [("set", name) for name in named if name not in sets]
                if not absent:
                    absent += (
                        ("chain", name) for name in s.targets(step, sets) if name not in chains
                    )
                missing |= dict.fromkeys(absent)
    for kind, name in missing:
        yield Diagnostic(NFT_MISSING, f"the table {table.name} has no {kind} {name}")
