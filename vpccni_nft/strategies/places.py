"""Where iptables takes a match or a target: in which tables and chains, behind which protocol."""

from __future__ import annotations

from typing import Any

import attrs

from ..core.values import Family
from ..extensions.matches import addrtype, multiport, physdev
from ..extensions.matches.icmp import Icmp
from ..extensions.matches.icmp6 import Icmp6
from ..extensions.matches.rpfilter import RpFilter
from ..extensions.matches.sctp import Sctp
from ..extensions.matches.tcp import Tcp
from ..extensions.matches.udp import Udp
from ..extensions.targets import reject
from ..extensions.targets.ct import Ct
from ..extensions.targets.dnat import Dnat
from ..extensions.targets.drop import Drop
from ..extensions.targets.masquerade import Masquerade
from ..extensions.targets.notrack import Notrack
from ..extensions.targets.redirect import Redirect
from ..extensions.targets.snat import Snat
from ..iptables import Match, Target
from .values import DCCP, ICMP, ICMPV6, SCTP, TCP, UDP, WITH_PORTS

Room = type[Any]  #: the node of a match or of a target

#: The built-in chains of each table, in the order in which they are saved.
BUILT_IN = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}


@attrs.frozen
class Place:
    """A chain's place: ``hooks`` are the built-in chains that lead to it."""

    family: Family
    table: str
    hooks: frozenset[str]

    def is_under(self, *hooks: str) -> bool:
        """Whether no other built-in chain leads here."""
        return self.hooks.issubset(hooks)


@attrs.frozen(kw_only=True)
class Needs:
    """Where iptables takes a room; None is everywhere."""

    family: Family | None = None
    tables: tuple[str, ...] | None = None
    hooks: tuple[str, ...] | None = None
    protocols: tuple[int, ...] | None = None

    def fit(self, place: Place, protocol: int | None) -> bool:
        """Whether a rule for this protocol may have the room in this place."""
        return (
            self.family in (None, place.family)
            and (self.tables is None or place.table in self.tables)
            and (self.hooks is None or place.is_under(*self.hooks))
            and (self.protocols is None or protocol in self.protocols)
        )


NEEDS: dict[type[Match | Target], Needs] = {
    Icmp: Needs(family=Family.IP, protocols=(ICMP,)),
    Icmp6: Needs(family=Family.IP6, protocols=(ICMPV6,)),
    multiport.Multiport: Needs(protocols=WITH_PORTS),
    RpFilter: Needs(tables=("raw", "mangle"), hooks=("PREROUTING",)),
    Sctp: Needs(protocols=(SCTP,)),
    Tcp: Needs(protocols=(TCP,)),
    Udp: Needs(protocols=(UDP,)),
    Ct: Needs(tables=("raw",)),
    Dnat: Needs(tables=("nat",), hooks=("PREROUTING", "OUTPUT")),
    Drop: Needs(tables=("filter", "mangle", "raw", "security")),
    Masquerade: Needs(tables=("nat",), hooks=("POSTROUTING",)),
    Notrack: Needs(tables=("raw",)),
    Redirect: Needs(tables=("nat",), hooks=("PREROUTING", "OUTPUT")),
    reject.Reject: Needs(tables=("filter",)),
    Snat: Needs(tables=("nat",), hooks=("INPUT", "POSTROUTING")),
}
ANYWHERE = Needs()


def needed_protocols(node: Match | Target) -> tuple[int, ...] | None:
    """The protocols of which a rule with this node must have one."""
    with_ports = (
        (isinstance(node, Dnat | Snat) and node.to.ports)
        or (isinstance(node, Masquerade | Redirect) and node.ports)
    )  # fmt: skip
    if with_ports:
        return (TCP, UDP, SCTP, DCCP, ICMP)
    if isinstance(node, reject.Reject) and node.kind and node.kind.name == "tcp-reset":
        return (TCP,)
    return NEEDS.get(type(node), ANYWHERE).protocols


def fits(node: Match | Target, place: Place, protocol: int | None) -> bool:
    """Whether iptables takes a node in this place."""
    if not NEEDS.get(type(node), ANYWHERE).fit(place, protocol):
        return False
    needed = needed_protocols(node)
    if needed is not None and protocol not in needed:
        return False
    if isinstance(node, addrtype.AddrType):
        into, out_of = ("PREROUTING", "INPUT", "FORWARD"), ("FORWARD", "OUTPUT", "POSTROUTING")
        return not (
            (node.limit_in and not place.is_under(*into))
            or (node.limit_out and not place.is_under(*out_of))
        )
    if isinstance(node, physdev.Physdev) and (node.is_out or node.out_port):
        return "OUTPUT" not in place.hooks
    return True


def places_of(node: Room) -> list[Place]:
    """The built-in chains whose rules may have this room."""
    needs = NEEDS.get(node, ANYWHERE)
    protocol = needs.protocols[0] if needs.protocols else None
    every = (
        Place(family, table, frozenset({chain}))
        for family in Family
        for table, chains in BUILT_IN.items()
        for chain in chains
    )
    return [place for place in every if needs.fit(place, protocol)]
