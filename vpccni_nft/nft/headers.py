"""Where the fields of headers stand, as nft names them.

Offsets and lengths are in bits, counted from the start of the link layer's, the network or the
transport header, of an IPv6 extension header, or of a TCP option (nft: proto.c, exthdr.c,
tcpopt.c; the RFC of each header).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from . import datatypes as t
from .datatypes import KeyType, integer
from .words import PayloadBase

if TYPE_CHECKING:
    from collections.abc import Mapping


@attrs.frozen
class Field:
    """A field of a header."""

    offset: int
    type: KeyType
    bits: int


def _fields(**places: tuple[int, t.DataType]) -> dict[str, Field]:
    """Fields by their names, with dashes where Python wants underscores."""
    return {
        name.replace("_", "-"): Field(offset, (type_,), type_.bits)
        for name, (offset, type_) in places.items()
    }


_PORTS = {"sport": (0, t.INET_SERVICE), "dport": (16, t.INET_SERVICE)}
_TRANSPORT, _NETWORK = PayloadBase.TRANSPORT, PayloadBase.NETWORK

#: By protocol: the header that its fields are counted from.
BASES: Mapping[str, PayloadBase] = {
    "ether": PayloadBase.LINK, "ip": _NETWORK, "ip6": _NETWORK, "th": _TRANSPORT,
    "tcp": _TRANSPORT, "udp": _TRANSPORT, "udplite": _TRANSPORT, "sctp": _TRANSPORT,
    "dccp": _TRANSPORT, "icmp": _TRANSPORT, "icmpv6": _TRANSPORT, "ah": _TRANSPORT,
    "esp": _TRANSPORT, "comp": _TRANSPORT,
}  # fmt: skip

#: Fields of headers, by protocol and name.
HEADERS: Mapping[str, Mapping[str, Field]] = {
    "ether": _fields(daddr=(0, t.ETHER_ADDR), saddr=(48, t.ETHER_ADDR), type=(96, t.ETHER_TYPE)),
    "ip": _fields(
        version=(0, integer(4)), hdrlength=(4, integer(4)), dscp=(8, t.DSCP), ecn=(14, t.ECN),
        length=(16, integer(16)), id=(32, integer(16)), frag_off=(48, integer(16)),
        ttl=(64, integer(8)), protocol=(72, t.INET_PROTO), checksum=(80, integer(16)),
        saddr=(96, t.IPV4_ADDR), daddr=(128, t.IPV4_ADDR),
    ),
    "ip6": _fields(
        version=(0, integer(4)), dscp=(4, t.DSCP), ecn=(10, t.ECN), flowlabel=(12, integer(20)),
        length=(32, integer(16)), nexthdr=(48, t.INET_PROTO), hoplimit=(56, integer(8)),
        saddr=(64, t.IPV6_ADDR), daddr=(192, t.IPV6_ADDR),
    ),
    "tcp": _fields(
        **_PORTS, sequence=(32, integer(32)), ackseq=(64, integer(32)), doff=(96, integer(4)),
        flags=(104, t.TCP_FLAG), window=(112, integer(16)), checksum=(128, integer(16)),
        urgptr=(144, integer(16)),
    ),
    "udp": _fields(**_PORTS, length=(32, integer(16)), checksum=(48, integer(16))),
    "udplite": _fields(**_PORTS, checksum=(48, integer(16))),
    "sctp": _fields(**_PORTS, vtag=(32, integer(32)), checksum=(64, integer(32))),
    "dccp": _fields(**_PORTS, type=(67, t.DCCP_TYPE)),
    "th": _fields(**_PORTS),
    "icmp": _fields(
        type=(0, t.ICMP_TYPE), code=(8, t.ICMP_CODE), checksum=(16, integer(16)),
        id=(32, integer(16)), sequence=(48, integer(16)), mtu=(48, integer(16)),
    ),
    "icmpv6": _fields(
        type=(0, t.ICMPV6_TYPE), code=(8, t.ICMPV6_CODE), checksum=(16, integer(16)),
        id=(32, integer(16)), sequence=(48, integer(16)), mtu=(32, integer(32)),
        parameter_problem=(32, integer(32)), max_delay=(32, integer(16)),
    ),
    "ah": _fields(
        nexthdr=(0, t.INET_PROTO), hdrlength=(8, integer(8)), reserved=(16, integer(16)),
        spi=(32, integer(32)), sequence=(64, integer(32)),
    ),
    "esp": _fields(spi=(0, integer(32)), sequence=(32, integer(32))),
    "comp": _fields(nexthdr=(0, t.INET_PROTO), flags=(8, integer(8)), cpi=(16, integer(16))),
}  # fmt: skip

#: The same by one key, for the nodes.
PAYLOADS: Mapping[tuple[str, str], Field] = {
    (protocol, name): field
    for protocol, fields in HEADERS.items()
    for name, field in fields.items()
}

_NEXT = {"nexthdr": (0, t.INET_PROTO), "hdrlength": (8, integer(8))}

#: Fields of IPv6 extension headers.
EXTENSION_HEADERS: Mapping[str, Mapping[str, Field]] = {
    "frag": _fields(
        nexthdr=(0, t.INET_PROTO), reserved=(8, integer(8)), frag_off=(16, integer(13)),
        reserved2=(29, integer(2)), more_fragments=(31, integer(1)), id=(32, integer(32)),
    ),
    "hbh": _fields(**_NEXT),
    "dst": _fields(**_NEXT),
    "mh": _fields(**_NEXT, type=(16, t.MH_TYPE), checksum=(32, integer(16))),
    "rt": _fields(**_NEXT, type=(16, integer(8)), seg_left=(24, integer(8))),
    "srh": {
        **_fields(last_entry=(32, integer(8)), flags=(40, integer(8)), tag=(48, integer(16))),
        "sid[1]": Field(64, (t.IPV6_ADDR,), 128), "sid[2]": Field(192, (t.IPV6_ADDR,), 128),
    },
}  # fmt: skip

#: The extension headers whose presence can be asked for.
ASKED_HEADERS = frozenset({"frag", "hbh", "dst", "mh", "rt"})

#: The numbers of TCP options that nft has words for.
TCP_OPTIONS: Mapping[str, int] = {
    "eol": 0, "nop": 1, "maxseg": 2, "window": 3, "sack-perm": 4, "sack": 5, "timestamp": 8,
    "md5sig": 19, "mptcp": 30, "fastopen": 34,
}  # fmt: skip

_ANY_OPTION = _fields(kind=(0, integer(8)), length=(8, integer(8)))
_OPTIONS = {
    "maxseg": _fields(size=(16, integer(16))),
    "window": _fields(count=(16, integer(8))),
    "timestamp": _fields(tsval=(16, integer(32)), tsecr=(48, integer(32))),
}


def option_fields(name: str) -> Mapping[str, Field]:
    """Fields of a TCP option; every option has its kind and its length."""
    return _ANY_OPTION | _OPTIONS.get(name, {})
