"""What nft puts ahead of a statement in a table of the family inet.

A statement that reads a header of IPv4 or IPv6 gets a test of ``meta nfproto`` there, so that it
ends the rule for packets of the other family (nftables: src/payload.c, payload_gen_dependency;
src/exthdr.c; src/evaluate.c, stmt_evaluate_reject_inet).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.values import Family
from .expressions import ExtensionHeader, Inner, IpOption, Payload
from .statements import Reject, parts_of

if TYPE_CHECKING:
    from .statements import Statement

_HEADERS = {
    "ip": Family.IP, "icmp": Family.IP, "igmp": Family.IP, "ip6": Family.IP6, "icmpv6": Family.IP6,
}  # fmt: skip


def implied_family(statement: Statement) -> Family | None:
    """The family that packets must be of; None where a statement is for both."""
    inside = {id(part.inside) for part in parts_of(statement) if isinstance(part, Inner)}
    for part in parts_of(statement):
        match part:
            case _ if id(part) in inside:
                pass  # a header within a tunnel, whatever it goes through
            case Inner():
                return None  # a tunnel may be of either family
            case IpOption():
                return Family.IP
            case Payload(protocol) if protocol in _HEADERS:
                return _HEADERS[protocol]
            case IpOption():
                return Family.IP
            case ExtensionHeader():
                return Family.IP6
            case Reject(protocol) if protocol.value in _HEADERS:
                return _HEADERS[protocol.value]
    return None
