"""What an answer says of rules that are not read: ``nft/unread.py``.

They are known to make no difference only where both sides have the same of them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from .. import nft
from ..core.diagnostics import UNREAD_RULES, Diagnostic
from ..nft.unread import unread_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..nft.unread import Unread
    from .side import Side

_HINT = "give the same table on both sides, or leave it out where its packets do not matter"


@attrs.frozen
class UnreadRules:
    """What is not read of two sides."""

    unknown: tuple[Diagnostic, ...]  #: what only one of them has, or another one of
    apart: tuple[Diagnostic, ...]  #: why a packet may not come to the rules that are read
    sentences: tuple[str, ...]  #: what an answer of equivalent rests on

    @classmethod
    def of(cls, before: Side, after: Side) -> UnreadRules:
        """Compare what is not read of each side."""
        ours, theirs = Counter(unread(before)), Counter(unread(after))
        one_sided = [one for one in (ours - theirs) + (theirs - ours) if one.where]
        both = [one for one in ours & theirs if one.where]
        nowhere = dict.fromkeys(one for one in ours + theirs if not one.where)
        return cls(
            tuple(_unknown(one) for one in one_sided),
            tuple(_apart(one) for one in both),
            (
                *(f"{one.name} is the same on both sides: {one.effect}" for one in both),
                *(f"no packet of IPv4 or IPv6 comes to the rules of {one.name}" for one in nowhere),
            ),
        )


def unread(side: Side) -> Iterator[Unread]:
    """What is not read of a side."""
    for ruleset in side.rulesets:
        if isinstance(ruleset, nft.Ruleset):
            yield from unread_rules(ruleset)


def _unknown(found: Unread) -> Diagnostic:
    return Diagnostic(
        UNREAD_RULES,
        f"{found.name} is on one side only, or not the same: {found.effect}",
        hint=_HINT,
    )


def _apart(found: Unread) -> Diagnostic:
    return Diagnostic(
        UNREAD_RULES,
        f"{found.name} is on both sides: {found.effect}, also those that are shown",
    )
