"""Rules that are not read: tables of the families bridge, arp and netdev, and chains at ingress.

They run outside the hooks of IPv4 and IPv6: a packet may never get there, or be changed on the way.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from .words import HookName, OtherFamily

if TYPE_CHECKING:
    from collections.abc import Iterator

    from . import ast

#: What a listing has counted: of no weight for what a table does.
_COUNTED = re.compile(r"\bcounter packets \d+ bytes \d+")


@attrs.frozen
class At:
    """Which packets come to rules that are not read."""

    way: str  #: ``cross``, ``come in`` or ``leave``
    devices: tuple[str, ...] = ()  #: empty: any, or any bridge

    def __str__(self) -> str:
        if self.way == "cross":
            return "that cross a bridge"
        return f"that {self.way} by {', '.join(self.devices) or 'some device'}"


@attrs.frozen
class Unread:
    """Rules that are not read."""

    name: str  #: ``table bridge t``
    where: tuple[At, ...]  #: empty: no packet of IPv4 or IPv6 comes to them
    content: object = attrs.field(repr=False)  #: where it is equal, they do the same

    @property
    def packets(self) -> str:
        """The packets that come to them, as a part of a sentence."""
        return f"packets {' or '.join(dict.fromkeys(map(str, self.where)))}"


def unread_rules(ruleset: ast.Ruleset) -> Iterator[Unread]:
    """What is not read of a ruleset."""
    yield from map(_of_other, ruleset.others)
    for table in ruleset.tables:
        yield from _at_ingress(table)


def _of_other(table: ast.OtherTable) -> Unread:
    name = f"table {table.family} {table.name}"
    content = name, tuple(_COUNTED.sub("counter", line) for line in table.text)
    if table.family is OtherFamily.ARP:
        return Unread(name, (), content)
    if table.family is OtherFamily.BRIDGE:
        return Unread(name, (At("cross"),) if table.chains else (), content)
    return Unread(name, tuple(_at(one.hook, one.devices) for one in table.chains), content)


def _at_ingress(table: ast.Table) -> Iterator[Unread]:
    """The chains of a table of inet that packets come to before all hooks."""
    found = [one.hook for one in table.chains if one.hook and one.hook.name is HookName.INGRESS]
    if found and not table.is_dormant:
        where = tuple(_at(one.name, one.devices) for one in found)
        yield Unread(f"the hook ingress of table {table.label}", where, table)


def _at(hook: str, devices: tuple[str, ...]) -> At:
    return At("leave" if hook == "egress" else "come in", devices)
