"""What packets go through or past that is no rule at a hook of IPv4 or IPv6.

The rules of tables of the families bridge, arp and netdev are not read, nor are those at ingress
looked into: a packet may never get to the hooks, or be changed on the way. Packets of connections
that a flowtable has skip the hooks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from .objects import Flowtable
from .words import HookName, OtherFamily

if TYPE_CHECKING:
    from collections.abc import Iterator

    from . import ast

#: What a listing has counted: of no weight for what a table does.
_COUNTED = re.compile(r"\bcounter packets \d+ bytes \d+")


@attrs.frozen
class At:
    """Which packets come to rules that are not read."""

    way: str  #: ``cross``, ``come in``, ``leave`` or what they do else
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

    skips: bool = False  #: whether it is a flowtable

    @property
    def effect(self) -> str:
        """What it can do, as a sentence."""
        packets = f"packets {' or '.join(dict.fromkeys(map(str, self.where)))}"
        if self.skips:
            return f"{packets} may skip the hooks"
        return f"its rules are not read, and {packets} may be dropped or changed there"


def unread_rules(ruleset: ast.Ruleset) -> Iterator[Unread]:
    """What is not read of a ruleset."""
    yield from map(_of_other, ruleset.others)
    for table in ruleset.tables:
        yield from _at_ingress(table)
        for found in table.objects:
            if isinstance(found, Flowtable):
                name = f"flowtable {found.name} of table {table.label}"
                where = (At("belong to its connections", found.devices),) if found.devices else ()
                yield Unread(name, where, (name, found), skips=True)


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
