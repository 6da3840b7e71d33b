"""Whether the owner of moved rules has written rules again: then the copy in nft is stale.

The copy runs ahead of iptables. So where it and the new rules say different things, the copy wins,
and no packet shows that anything has changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.diagnostics import Refused
from ..core.span import Source
from ..node.ownership import inventory
from ..text.sources import parse_sources
from .saved import SavedTable
from .writers import STAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .moves import Move


def written_again(move: Move, owners: frozenset[str], now: SavedTable) -> Iterator[str]:
    """Sentences about rules that are in iptables again, or new, of the owners whose rules move."""
    copy = f"the table {move.family.value} {move.nft_table}"
    if again := list(move.present(now)):
        yield (
            f"{move.name}: {len(again)} of the moved rules are in iptables again, besides those of"
            f" {copy}: {again[0]}"
        )
    for owner, texts in _new(move, owners - {STAYS}, now).items():
        yield (
            f"{move.name}: {copy} is a stale copy: {owner} has written {len(texts)} other rules"
            f" since: {texts[0]}"
        )


def _new(move: Move, owners: frozenset[str], now: SavedTable) -> dict[str, list[str]]:
    """The rules of owners that were neither left nor moved."""
    found: dict[str, list[str]] = {}
    known = {rule.text for table in (move.before, move.after) for chain in table.chains
             for rule in chain.rules}  # fmt: skip
    if not owners or all(rule.text in known for chain in now.chains for rule in chain.rules):
        return found
    source = Source.of("".join(f"{line}\n" for line in now.lines()), f"<{move.program}-save>")
    try:
        ruleset, _ = parse_sources((source,), move.family, None)
    except Refused:
        return found
    for one in inventory(ruleset).rules:
        text = source.lines[one.rule.span.line - 1] if one.rule.span else one.text
        if one.answer.owner in owners and text not in known:
            found.setdefault(one.answer.owner, []).append(text)
    return found
