"""Where iptables takes a match or a target: in which tables and chains, behind which protocol."""

from __future__ import annotations

from typing import Any

import attrs

from ..core.values import Family
from ..extensions.matches import addrtype, multiport, physdev
from ..extensions.matches.ah import Ah
from ..extensions.matches.cgroup import Cgroup
from ..extensions.matches.dccp import Dccp
from ..extensions.matches.devgroup import DevGroup
from ..extensions.matches.ecn import Ecn
from ..extensions.matches.esp import Esp
from ..extensions.matches.eui64 import Eui64
from ..extensions.matches.frag import Frag
from ..extensions.matches.hop_limit import Hl, Ttl
from ..extensions.matches.icmp import Icmp, Icmp6
from ..extensions.matches.ipcomp import IpComp
from ..extensions.matches.ipv6header import Ipv6Header
from ..extensions.matches.mac import Mac
from ..extensions.matches.mh import Mh
from ..extensions.matches.option_headers import Dst, Hbh
from ..extensions.matches.osf import Osf
from ..extensions.matches.owner import Owner
from ..extensions.matches.policy import Policy
from ..extensions.matches.realm import Realm
from ..extensions.matches.rpfilter import RpFilter
from ..extensions.matches.rt import Rt
from ..extensions.matches.sctp import Sctp
from ..extensions.matches.socket import Socket
from ..extensions.matches.srh import Srh
from ..extensions.matches.tcp import Tcp
from ..extensions.matches.tcpmss import TcpMss
from ..extensions.matches.udp import Udp
from ..extensions.targets import reject
from ..extensions.targets.checksum import Checksum
from ..extensions.targets.classify import Classify
from ..extensions.targets.clusterip import ClusterIp
from ..extensions.targets.connsecmark import ConnSecMark
from ..extensions.targets.ct import Ct, Notrack
from ..extensions.targets.dscp import SetDscp
from ..extensions.targets.ecn import SetEcn
from ..extensions.targets.hmark import Hmark
from ..extensions.targets.hop_limit import SetHl, SetTtl
from ..extensions.targets.nat import Dnat, Masquerade, Redirect, Snat
from ..extensions.targets.netmap import Netmap
from ..extensions.targets.npt import Dnpt, Snpt
from ..extensions.targets.secmark import SecMark
from ..extensions.targets.synproxy import Synproxy
from ..extensions.targets.tcpmss import SetMss
from ..extensions.targets.tcpoptstrip import TcpOptStrip
from ..extensions.targets.tos import SetTos
from ..extensions.targets.tproxy import Tproxy
from ..extensions.targets.trace import Trace
from ..extensions.targets.ulog import Ulog
from ..extensions.targets.verdicts import Drop
from ..iptables import Match, Target
from .values import AH, DCCP, ESP, ICMP, ICMPV6, IPCOMP, MOBILITY, SCTP, TCP, UDP, WITH_PORTS

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


#: Where packets have an interface that they came by, and one that they leave by.
_COME_BY, _LEAVE_BY = ("PREROUTING", "INPUT", "FORWARD"), ("FORWARD", "OUTPUT", "POSTROUTING")

NEEDS: dict[type[Match | Target], Needs] = {
    Cgroup: Needs(hooks=("INPUT", "OUTPUT", "POSTROUTING")),
    Mac: Needs(hooks=_COME_BY),
    Osf: Needs(family=Family.IP, hooks=_COME_BY, protocols=(TCP,)),
    Owner: Needs(hooks=("OUTPUT", "POSTROUTING")),
    Realm: Needs(family=Family.IP, hooks=("INPUT", "FORWARD", "OUTPUT", "POSTROUTING")),
    Socket: Needs(hooks=("PREROUTING", "INPUT")),
    Dccp: Needs(protocols=(DCCP,)),
    Dst: Needs(family=Family.IP6),
    Esp: Needs(protocols=(ESP,)),
    Eui64: Needs(family=Family.IP6, hooks=("PREROUTING", "INPUT", "FORWARD")),
    Frag: Needs(family=Family.IP6),
    Hbh: Needs(family=Family.IP6),
    Hl: Needs(family=Family.IP6),
    IpComp: Needs(protocols=(IPCOMP,)),
    Ipv6Header: Needs(family=Family.IP6),
    Mh: Needs(family=Family.IP6, protocols=(MOBILITY,)),
    Rt: Needs(family=Family.IP6),
    Srh: Needs(family=Family.IP6),
    TcpMss: Needs(protocols=(TCP,)),
    Ttl: Needs(family=Family.IP),
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
    Checksum: Needs(tables=("mangle",)),
    Classify: Needs(hooks=("FORWARD", "OUTPUT", "POSTROUTING")),
    ConnSecMark: Needs(tables=("mangle", "security")),
    Dnpt: Needs(family=Family.IP6, tables=("mangle",), hooks=("PREROUTING", "OUTPUT")),
    SetDscp: Needs(tables=("mangle",)),
    SetEcn: Needs(family=Family.IP, tables=("mangle",)),
    SetHl: Needs(family=Family.IP6, tables=("mangle",)),
    Hmark: Needs(tables=("mangle",)),
    Netmap: Needs(tables=("nat",)),
    SecMark: Needs(tables=("mangle", "security")),
    Snpt: Needs(family=Family.IP6, tables=("mangle",), hooks=("INPUT", "POSTROUTING")),
    Synproxy: Needs(hooks=("INPUT", "FORWARD"), protocols=(TCP,)),
    SetMss: Needs(protocols=(TCP,)),
    TcpOptStrip: Needs(tables=("mangle",), protocols=(TCP,)),
    SetTos: Needs(tables=("mangle",)),
    Tproxy: Needs(tables=("mangle",), hooks=("PREROUTING",), protocols=(TCP, UDP)),
    Trace: Needs(tables=("raw",)),
    SetTtl: Needs(family=Family.IP, tables=("mangle",)),
    ClusterIp: Needs(family=Family.IP, tables=("filter",), hooks=("INPUT",)),
    Ulog: Needs(family=Family.IP),
}
ANYWHERE = Needs()


def needed_protocols(node: Match | Target, family: Family) -> tuple[int, ...] | None:
    """The protocols of which a rule of a family with this node must have one."""
    with_ports = (
        (isinstance(node, Dnat | Snat) and node.to.ports)
        or (isinstance(node, Masquerade | Redirect) and node.ports)
    )  # fmt: skip
    if with_ports:
        return (TCP, UDP, SCTP, DCCP, ICMP)
    if isinstance(node, SetEcn) and (node.ece, node.cwr) != (None, None):
        return (TCP,)
    if isinstance(node, reject.Reject) and node.kind and node.kind.name == "tcp-reset":
        return (TCP,)
    if isinstance(node, Ah) and family is Family.IP:
        return (AH,)
    if isinstance(node, Ecn) and (node.ece or node.cwr):
        return (TCP,)
    return NEEDS.get(type(node), ANYWHERE).protocols


def fits(node: Match | Target, place: Place, protocol: int | None) -> bool:
    """Whether iptables takes a node in this place."""
    if not NEEDS.get(type(node), ANYWHERE).fit(place, protocol):
        return False
    needed = needed_protocols(node, place.family)
    if needed is not None and protocol not in needed:
        return False
    if isinstance(node, Ah) and place.family is Family.IP:
        return not (node.length or node.reserved)
    if isinstance(node, addrtype.AddrType):
        return not (
            (node.limit_in and not place.is_under(*_COME_BY))
            or (node.limit_out and not place.is_under(*_LEAVE_BY))
        )
    if isinstance(node, DevGroup):
        return not (
            (node.source and not place.is_under(*_COME_BY))
            or (node.destination and not place.is_under(*_LEAVE_BY))
        )
    if isinstance(node, Policy):
        return place.is_under(*(_COME_BY if node.direction == "in" else _LEAVE_BY))
    if isinstance(node, SetMss) and node.size is None:
        return place.is_under("FORWARD", "OUTPUT", "POSTROUTING")
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
