"""Whether the owner of moved rules has written rules again: then the copy in nft is stale.

The copy runs ahead of iptables. So where it and the new rules say different things, the copy wins,
and no packet shows that anything has changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.errors import CannotRead
from ..core.span import Source
from ..node.ownership import inventory
from ..node.partition import UNKNOWN_PARTS
from ..text.sources import parse_sources
from .copies import name_of
from .saved import SavedTable
from .writers import STAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .moves import TableMove


def in_iptables_again(move: TableMove, now: SavedTable, *, copied: bool) -> Iterator[str]:
    """A sentence about what has moved and is in iptables, beside the copy where there is one."""
    if again := list(move.again(now)):
        besides = f", besides {_copy(move)}" if copied else ""
        more = f", and {len(again) - 1} more" if len(again) > 1 else ""
        yield f"{move.name}: what has moved is in iptables again{besides}: {again[0]}{more}"


def stale(move: TableMove, owners: frozenset[str], now: SavedTable) -> Iterator[str]:
    """Sentences about rules that owners have written since, whose rules have moved.

    Raises CannotRead where a rule cannot be read.
    """
    for owner, texts in _new(move, owners - {STAYS}, now).items():
        yield (
            f"{move.name}: {_copy(move)} is a stale copy: {owner} has written {len(texts)} other"
            f" rule{'s' * (len(texts) != 1)} since: {texts[0]}"
        )


def _copy(move: TableMove) -> str:
    return f"the {name_of(move)}"


def _new(move: TableMove, owners: frozenset[str], now: SavedTable) -> dict[str, list[str]]:
    """The rules of owners, and those in moved chains, that were neither left nor moved."""
    found: dict[str, list[str]] = {}
    known = {rule.text for table in (move.before, move.after) for chain in table.chains
             for rule in chain.rules}  # fmt: skip
    if all(rule.text in known for chain in now.chains for rule in chain.rules):
        return found
    source = Source.of("".join(f"{line}\n" for line in now.lines()), f"<{move.program}-save>")
    ruleset, problems = parse_sources((source,), move.family, None)
    unread = [one for one in problems if one.refuses and one.code not in UNKNOWN_PARTS]
    if unread:
        raise CannotRead(f"it is unknown whether {_copy(move)} is stale: {unread[0].message}")
    for one in inventory(ruleset).rules:
        text = source.lines[one.rule.span.line - 1] if one.rule.span else one.text
        mine = one.answer.owner in owners or one.chain in move.chains
        if mine and text not in known:
            found.setdefault(one.answer.owner, []).append(text)
    return found
