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
    "esp": _TRANSPORT, "comp": _TRANSPORT, "igmp": _TRANSPORT, "vlan": PayloadBase.LINK,
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
        gateway=(32, integer(32)),
    ),
    "igmp": _fields(
        type=(0, t.IGMP_TYPE), mrt=(8, integer(8)), checksum=(16, integer(16)),
        group=(32, t.IPV4_ADDR),
    ),
    "vlan": _fields(
        pcp=(112, integer(3)), dei=(115, integer(1)), cfi=(115, integer(1)), id=(116, integer(12)),
        type=(128, t.ETHER_TYPE),
    ),
    "icmpv6": _fields(
        type=(0, t.ICMPV6_TYPE), code=(8, t.ICMPV6_CODE), checksum=(16, integer(16)),
        id=(32, integer(16)), sequence=(48, integer(16)), mtu=(32, integer(32)),
        parameter_problem=(32, integer(32)), max_delay=(32, integer(16)),
        taddr=(64, t.IPV6_ADDR), daddr=(192, t.IPV6_ADDR),
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
    "mh": _fields(
        **_NEXT, type=(16, t.MH_TYPE), reserved=(24, integer(8)), checksum=(32, integer(16)),
    ),
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
    "md5sig": 19, "mptcp": 30, "fastopen": 34, "sack1": 5, "sack2": 5, "sack3": 5,
}  # fmt: skip

_ANY_OPTION = _fields(kind=(0, integer(8)), length=(8, integer(8)))
_OPTIONS = {
    "maxseg": _fields(size=(16, integer(16))),
    "window": _fields(count=(16, integer(8))),
    **{
        name: _fields(left=(first, integer(32)), right=(first + 32, integer(32)))
        for name, first in (("sack", 16), ("sack1", 80), ("sack2", 144), ("sack3", 208))
    },
    "mptcp": _fields(subtype=(16, t.MPTCP_SUBTYPE)),
    "timestamp": _fields(tsval=(16, integer(32)), tsecr=(48, integer(32))),
}


def option_fields(name: str) -> Mapping[str, Field]:
    """Fields of a TCP option; every option has its kind and its length."""
    return _ANY_OPTION | _OPTIONS.get(name, {})


_CHUNK = _fields(type=(0, integer(8)), flags=(8, integer(8)), length=(16, integer(16)))
_INIT = _fields(
    init_tag=(32, integer(32)), a_rwnd=(64, integer(32)), num_outbound_streams=(96, integer(16)),
    num_inbound_streams=(112, integer(16)), initial_tsn=(128, integer(32)),
)  # fmt: skip
_CHUNKS: Mapping[str, tuple[int, Mapping[str, Field]]] = {
    "data": (0, _fields(
        tsn=(32, integer(32)), stream=(64, integer(16)), ssn=(80, integer(16)),
        ppid=(96, integer(32)),
    )),
    "init": (1, _INIT), "init-ack": (2, _INIT),
    "sack": (3, _fields(
        cum_tsn_ack=(32, integer(32)), a_rwnd=(64, integer(32)),
        num_gap_ack_blocks=(96, integer(16)), num_dup_tsns=(112, integer(16)),
    )),
    "heartbeat": (4, {}), "heartbeat-ack": (5, {}), "abort": (6, {}),
    "shutdown": (7, _fields(cum_tsn_ack=(32, integer(32)))),
    "shutdown-ack": (8, {}), "error": (9, {}), "cookie-echo": (10, {}), "cookie-ack": (11, {}),
    "ecne": (12, _fields(lowest_tsn=(32, integer(32)))),
    "cwr": (13, _fields(lowest_tsn=(32, integer(32)))), "shutdown-complete": (14, {}),
    "asconf-ack": (128, _fields(seqno=(32, integer(32)))),
    "forward-tsn": (192, _fields(new_cum_tsn=(32, integer(32)))),
    "asconf": (193, _fields(seqno=(32, integer(32)))),
}  # fmt: skip

#: The types of SCTP's chunks, by nft's words.
SCTP_CHUNKS: Mapping[str, int] = {name: number for name, (number, _) in _CHUNKS.items()}


def chunk_fields(name: str) -> Mapping[str, Field]:
    """Fields of an SCTP chunk; every chunk has its type, flags and length."""
    return {**_CHUNK, **_CHUNKS[name][1]}


_IP_OPTION = _fields(type=(0, integer(8)), length=(8, integer(8)))
_ROUTES = _fields(ptr=(16, integer(8)), addr=(24, t.IPV4_ADDR))
#: The options of the IPv4 header that nft knows, with the fields that each adds.
IP_OPTIONS: Mapping[str, Mapping[str, Field]] = {
    "lsrr": _ROUTES, "rr": _ROUTES, "ssrr": _ROUTES, "ra": _fields(value=(16, integer(16))),
}  # fmt: skip


def ip_option_fields(name: str) -> Mapping[str, Field]:
    """Fields of an option of the IPv4 header. Raises KeyError where nft has no such option."""
    return {**_IP_OPTION, **IP_OPTIONS[name]}
