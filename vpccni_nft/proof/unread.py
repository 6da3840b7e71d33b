"""Rules that are not read: tables of the families bridge, arp and netdev, and chains at ingress.

They run outside the hooks that a proof looks at: a packet may never get there, or be changed on the
way. That is known to make no difference only where both sides have the same of them.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import attrs

from .. import nft
from ..core.diagnostics import UNREAD_RULES, Diagnostic
from ..nft.words import HookName, OtherFamily

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .side import Side

_HINT = "give the same table on both sides, or leave it out where its packets do not matter"

#: What a listing has counted: of no weight for what a table does.
_COUNTED = re.compile(r"\bcounter packets \d+ bytes \d+")


@attrs.frozen
class Unread:
    """Rules that are not read."""

    name: str  #: ``table bridge t``
    where: tuple[str, ...]  #: which packets come to them, as parts of a sentence; empty: none
    content: object = attrs.field(repr=False)  #: where it is equal, they do the same


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
                *(f"{one.name} is the same on both sides; its rules are not read" for one in both),
                *(f"no packet of IPv4 or IPv6 comes to the rules of {one.name}" for one in nowhere),
            ),
        )


def unread(side: Side) -> Iterator[Unread]:
    """What is not read of a side."""
    for ruleset in side.rulesets:
        if isinstance(ruleset, nft.Ruleset):
            yield from map(_of_other, ruleset.others)
            for table in ruleset.tables:
                yield from _at_ingress(table)


def _of_other(table: nft.OtherTable) -> Unread:
    name = f"table {table.family} {table.name}"
    content = name, tuple(_COUNTED.sub("counter", line) for line in table.text)
    if table.family is OtherFamily.ARP:
        return Unread(name, (), content)
    if table.family is OtherFamily.BRIDGE:
        return Unread(name, ("that cross a bridge",) if table.chains else (), content)
    return Unread(name, tuple(_at(one.hook, one.devices) for one in table.chains), content)


def _at_ingress(table: nft.Table) -> Iterator[Unread]:
    """The chains of a table of inet that packets come to before all hooks."""
    found = [one.hook for one in table.chains if one.hook and one.hook.name is HookName.INGRESS]
    if found and not table.is_dormant:
        where = tuple(_at(one.name, one.devices) for one in found)
        yield Unread(f"the hook ingress of table {table.label}", where, table)


def _at(hook: str, devices: tuple[str, ...]) -> str:
    way = "leave" if hook == "egress" else "come in"
    return f"that {way} by {', '.join(devices) or 'some device'}"


def _unknown(found: Unread) -> Diagnostic:
    return Diagnostic(
        UNREAD_RULES,
        f"{found.name} is on one side only, or not the same, and its rules are not read: packets"
        f" {' or '.join(dict.fromkeys(found.where))} may be dropped or changed there",
        hint=_HINT,
    )


def _apart(found: Unread) -> Diagnostic:
    return Diagnostic(
        UNREAD_RULES,
        f"{found.name} is on both sides, and its rules are not read: it may drop packets"
        f" {' or '.join(dict.fromkeys(found.where))} that are shown",
    )
