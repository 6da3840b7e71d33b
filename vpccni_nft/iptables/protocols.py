"""Transport protocols by the names that iptables prints.

iptables asks its own short list first (xtables_chain_protos), then the dumping host's
/etc/protocols; the names here are those that distributions ship (IANA's assigned numbers).
"""

from __future__ import annotations

from ..core.values import parse_integer

ICMP, TCP, UDP, DCCP, ESP, AH, ICMPV6 = 1, 6, 17, 33, 50, 51, 58
IPCOMP, SCTP, MOBILITY, UDPLITE = 108, 132, 135, 136

#: Those whose headers begin with two ports.
WITH_PORTS = (TCP, UDP, DCCP, SCTP, UDPLITE)

#: The names, by number. iptables prints the first one of a number.
PROTOCOLS = {
    "hopopt": 0, "icmp": 1, "igmp": 2, "ggp": 3, "ipencap": 4, "st": 5, "tcp": 6, "egp": 8,
    "igp": 9, "pup": 12, "udp": 17, "hmp": 20, "xns-idp": 22, "rdp": 27, "iso-tp4": 29,
    "dccp": 33, "xtp": 36, "ddp": 37, "idpr-cmtp": 38, "ipv6": 41, "ipv6-route": 43,
    "ipv6-frag": 44, "idrp": 45, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "skip": 57,
    "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "rspf": 73, "vmtp": 81, "eigrp": 88,
    "ospf": 89, "ax.25": 93, "ipip": 94, "etherip": 97, "encap": 98, "pim": 103, "ipcomp": 108,
    "vrrp": 112, "l2tp": 115, "isis": 124, "sctp": 132, "fc": 133, "mobility-header": 135,
    "udplite": 136, "mpls-in-ip": 137, "manet": 138, "hip": 139, "shim6": 140, "wesp": 141,
    "rohc": 142, "ethernet": 143,
    # Other names for the same numbers.
    "icmpv6": 58, "ipv6-mh": 135, "mh": 135, "ipv4": 4,
    "all": 0,
}  # fmt: skip

_NAMES: dict[int, str] = {}
for _name, _number in PROTOCOLS.items():
    _NAMES.setdefault(_number, _name)


def parse_protocol(text: str) -> int:
    """Read a protocol's name or number."""
    number = PROTOCOLS.get(text.lower())
    if number is not None:
        return number
    try:
        return parse_integer(text, 255)
    except ValueError:
        raise ValueError(f"“{text}” is not a protocol") from None


def protocol_name(number: int) -> str:
    """The name that iptables prints, or the number."""
    return _NAMES.get(number, str(number))
