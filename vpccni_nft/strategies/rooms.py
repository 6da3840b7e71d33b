"""Every match and target by its node: how it is drawn, and where iptables takes it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from .. import extensions
from ..core.values import Family
from ..extensions.extension import Extension
from ..extensions.placement import Place
from ..iptables import Match, Target
from .kinds import strategy
from .values import ByFamily

Room = type[Any]  #: the node of a match or of a target

#: The records by the nodes that they are of.
RECORDS: Mapping[Room, Extension[Any]] = MappingProxyType(
    {record.node: record for record in (*extensions.MATCHES.values(), *extensions.TARGETS.values())}
)


def _draws(records: Iterable[Extension[Any]]) -> Mapping[Room, ByFamily[Any]]:
    return MappingProxyType(
        {record.node: functools.partial(strategy, record.draw) for record in records}
    )


#: The strategies for the nodes of every match and of every target; they know of no place.
MATCHES: Mapping[type[Match], ByFamily[Match]] = _draws(extensions.MATCHES.values())
TARGETS: Mapping[type[Target], ByFamily[Target]] = _draws(extensions.TARGETS.values())

#: The built-in chains of each table, in the order in which they are saved.
BUILT_IN = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}


def places_of(node: Room) -> list[Place]:
    """The built-in chains whose rules may have this match or target."""
    placement = RECORDS[node].placement
    protocol = placement.protocols[0] if placement.protocols else None
    every = (
        Place(family, table, frozenset({chain}))
        for family in Family
        for table, chains in BUILT_IN.items()
        for chain in chains
    )
    return [place for place in every if placement.fits(place, protocol)]
