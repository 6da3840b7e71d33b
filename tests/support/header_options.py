"""What stands in the options of a packet's headers, and in its chunks, as nft finds it.

Kernel: net/netfilter/nft_exthdr.c, and __ip_options_compile in net/ipv4/ip_options.c.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vpccni_nft.iptables.protocols import SCTP, TCP
from vpccni_nft.model.oracle import Oracle, OracleKind
from vpccni_nft.nft.headers import (
    SCTP_CHUNKS,
    TCP_OPTIONS,
    chunk_fields,
    ip_option_fields,
    option_fields,
)
from vpccni_nft.replay.wire import options_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vpccni_nft.nft.headers import Field
    from vpccni_nft.replay.wire import Headers

_IP_OPTIONS = {"rr": 7, "lsrr": 131, "ssrr": 137, "ra": 148}


#: What is asked whether it is there, and what is asked for its bits.
_THERE = {
    OracleKind.HAS_TCP_OPTION_FIELD: OracleKind.TCP_OPTION_FIELD,
    OracleKind.HAS_IP_OPTION: OracleKind.IP_OPTION_FIELD,
    OracleKind.HAS_SCTP_CHUNK: OracleKind.SCTP_CHUNK_FIELD,
}


def answer(oracle: Oracle, headers: Headers) -> int | None:
    """The answer to a question about them; None to any other question."""
    kind = _THERE.get(oracle.kind, oracle.kind)
    if kind is OracleKind.HAS_TCP_OPTION:
        return int(any(oracle.parameters == (number,) for number, _ in _tcp(headers)))
    if kind not in _THERE.values():
        return None
    name, field = map(str, oracle.parameters)
    found, place = _found(kind, name, field, headers)
    if place is None:
        return int(bool(found))
    if oracle.kind in _THERE:
        return int(len(found) * 8 >= place.offset + place.bits)
    return _bits(found, place)


def _found(kind: OracleKind, name: str, field: str, headers: Headers) -> tuple[bytes, Field | None]:
    """The first option or chunk of a name, and where its field is."""
    match kind:
        case OracleKind.TCP_OPTION_FIELD:
            number, there, fields = int(TCP_OPTIONS.get(name, name)), _tcp(headers), option_fields
        case OracleKind.IP_OPTION_FIELD:
            number, there = _IP_OPTIONS[name], [*options_in(headers.options)]
            fields = ip_option_fields
        case _:
            number, there, fields = SCTP_CHUNKS[name], [*_chunks(headers)], chunk_fields
    found = next((octets for one, octets in there if one == number), b"")
    if name == "ra" and any(found[2:]):
        found = b""  # only the value zero alerts
    return found, fields(name)[field] if field else None


def _bits(octets: bytes, place: Field) -> int:
    rest = len(octets) * 8 - place.offset - place.bits
    return int.from_bytes(octets, "big") >> max(rest, 0) & (1 << place.bits) - 1


def _tcp(headers: Headers) -> list[tuple[int, bytes]]:
    """Those of TCP; the last byte of the header begins none."""
    if headers.protocol != TCP:
        return []
    return [*options_in(headers.behind[:-1])]


def _chunks(headers: Headers) -> Iterator[tuple[int, bytes]]:
    rest = headers.behind if headers.protocol == SCTP else b""
    while len(rest) >= 4:
        kind, length = struct.unpack_from("!BxH", rest)
        if not length:
            return
        yield kind, rest[:length]
        rest = rest[length + -length % 4 :]
