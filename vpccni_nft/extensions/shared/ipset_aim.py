"""Packets that are in an ipset whose elements are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.values import Network
from ...ipset.ast import InterfacePart, MacPart, MarkPart, PortPart
from ...iptables.protocols import ICMP, ICMPV6
from ...model.oracle import OracleKind
from ...model.packet import interface_word
from .set_names import FIELDS

if TYPE_CHECKING:
    from ...ipset.ast import IpSets, Part
    from ..aiming import Draft
    from .set_names import Members


def aim_member(members: Members, sets: IpSets, draft: Draft) -> None:
    """Give the packet what some element of a set has."""
    entries = [entry for one in sets.members(members.name) for entry in one.entries]
    if entries:
        entry = draft.random.choice(entries)
        for part, way in zip(entry.parts, members.directions, strict=False):
            _aim_part(part, way, draft)


def _aim_part(part: Part, way: str, draft: Draft) -> None:
    fields = draft.fields
    match part:
        case Network(_, address, mask):
            draft.fit_bits(FIELDS[way], address, mask)
        case PortPart(protocol, number) if protocol in (ICMP, ICMPV6):
            fields |= {"protocol": protocol, "fragment": 0}
            fields |= {"icmp_type": number >> 8, "icmp_code": number & 0xFF}
        case PortPart(protocol, number):
            fields["protocol"] = protocol
            fields["sport" if way == "src" else "dport"] = number
        case MacPart(value):
            fields["mac_source"] = value
            draft.answer(OracleKind.CAME_BY_ETHERNET, 1)
        case MarkPart(value):
            fields["mark"] = value
        case InterfacePart(name) if fields["iif" if way == "src" else "oif"]:
            fields["iif" if way == "src" else "oif"] = interface_word(name)
