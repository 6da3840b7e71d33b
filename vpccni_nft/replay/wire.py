"""Packets as bytes: built for a conversation, and read where a probe or a device shows them.

Only what rules look at is modelled: no authentication. RFC 791, 8200, 9293, 768, 792, 4443, 9260.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import attrs

from ..core.values import Family
from ..iptables.protocols import ICMP, ICMPV6, SCTP, TCP, UDP
from ..model.packet import TCP_FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterator

#: IPv6 headers that may stand before the transport header.
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _OPTIONS = 0, 43, 44, 60

_IPV6_VERSION = 6
_IPV6_HEADER = 40
_MORE_FRAGMENTS = 0x2000
_OFFSET = 0x1FFF
_TCP_HEADER = 20
_MSS_OPTION, _TIMESTAMP, _TIMESTAMP_LENGTH = 2, 8, 10

#: Kinds of options without a length: the end of the list, and nothing.
_OF_ONE_BYTE = {0, 1}

#: Its tag, its window, one stream each way, its first number.
_INIT = struct.pack("!BBHIIHHI", 1, 0, 20, 1, 65535, 1, 1, 1)

#: Types of ICMP messages that ask and answer.
ECHO = {Family.IP: (8, 0), Family.IP6: (128, 129)}
#: Types of ICMP errors, which quote the packet that they are about.
ERRORS = {Family.IP: {3, 4, 5, 11, 12}, Family.IP6: {1, 2, 3, 4}}

UDPLITE, DCCP = 136, 33


class Headers(NamedTuple):
    """What of a packet is compared; addresses are bytes in network order, the rest numbers."""

    source: bytes
    target: bytes
    protocol: int
    tos: int  #: the traffic class in IPv6
    ttl: int  #: the hop limit in IPv6
    length: int  #: of the whole packet, in bytes
    offset: int  #: of a fragment, in units of 8 bytes
    fragmented: bool
    sport: int = 0  #: the identifier, in an echo
    dport: int = 0
    flags: int = 0  #: of TCP
    mss: int = 0  #: 0 where there is no such option
    kind: int = 0  #: type of an ICMP message
    code: int = 0
    quoted: Headers | None = None  #: what an ICMP error is about
    tag: int = 0  #: the identification, or the flow label in IPv6; kept by routers
    options: bytes = b""  #: of IPv4
    #: The options of TCP, where timestamps tell no time, or the chunks of SCTP.
    behind: bytes = b""

    @property
    def family(self) -> Family:
        """Known by the length of the addresses."""
        return Family.IP if len(self.source) == Family.IP.bits // 8 else Family.IP6


@attrs.frozen(kw_only=True)
class Datagram:
    """A packet to be built; addresses and ports in host order."""

    family: Family
    source: int
    target: int
    protocol: int
    sport: int = 0  #: the identifier, in an echo
    dport: int = 0
    flags: int = 0
    sequence: int = 0
    acknowledged: int = 0
    mss: int = 0
    kind: int = 0
    code: int = 0
    tos: int = 0
    ttl: int = 64
    tag: int = 1
    options: bytes = b""  #: of IPv4, in words of 4 bytes
    tcp_options: bytes = b""  #: the same of TCP, behind that of segment sizes
    chunks: bytes = b""  #: of SCTP; empty: an INIT, which a first packet must have for conntrack
    payload: bytes = b""

    def build(self) -> bytes:
        """The whole packet."""
        return b"".join(self._packet(self._transport()))

    def fragments(self) -> tuple[bytes, ...]:
        """The packet in two fragments; the transport header is in the first one."""
        transport = self._transport()
        cut = max(8, len(transport) // 16 * 8)
        first, rest = transport[:cut], transport[cut:]
        if self.family is Family.IP:
            return (
                b"".join(self._packet(first, flags_and_offset=_MORE_FRAGMENTS)),
                b"".join(self._packet(rest, flags_and_offset=cut // 8)),
            )
        fragment = struct.Struct("!BBHI")
        return (
            b"".join(self._packet(fragment.pack(self.protocol, 0, 1, self.tag) + first, _FRAGMENT)),
            b"".join(
                self._packet(fragment.pack(self.protocol, 0, cut, self.tag) + rest, _FRAGMENT)
            ),
        )

    def _packet(
        self, body: bytes, next_header: int | None = None, flags_and_offset: int = 0
    ) -> tuple[bytes, bytes]:
        size = self.family.bits // 8
        source, target = self.source.to_bytes(size, "big"), self.target.to_bytes(size, "big")
        if self.family is Family.IP:
            size = 20 + len(self.options)
            fields = (0x40 | size // 4, self.tos, size + len(body), self.tag, flags_and_offset)
            start = struct.pack("!BBHHH", *fields)
            head = start + struct.pack("!BBH4s4s", self.ttl, self.protocol, 0, source, target)
            head += self.options
            return head[:10] + checksum(head) + head[12:], body
        first = 6 << 28 | self.tos << 20 | self.tag
        start = struct.pack("!IHBB", first, len(body), next_header or self.protocol, self.ttl)
        return start + source + target, body

    def _transport(self) -> bytes:
        match self.protocol:
            case 6:
                return self._tcp()
            case 17 | 136:
                length = 8 + len(self.payload)
                head = struct.pack("!HHHH", self.sport, self.dport, length, 0)
                return self._summed(head + self.payload, 6)
            case 1 | 58:
                head = struct.pack("!BBHHH", self.kind, self.code, 0, self.sport, self.dport)
                return self._summed(head + self.payload, 2)
            case 132:
                return struct.pack("!HHII", self.sport, self.dport, 0, 0) + (self.chunks or _INIT)
            case 33:
                # A request: sequence numbers of 48 bits, and a service code.
                start = struct.pack("!HHBBH", self.sport, self.dport, 5, 0, 0)
                return self._summed(start + struct.pack("!BBHII", 1, 0, 0, 1, 0), 6)
            case 47:
                # A tunnel of IPv4, without a key.
                return b"\0\0\x08\0\0\0\0\0" + self.payload
        # Long enough for the headers of AH, ESP and IPComp.
        return self.payload.ljust(16, b"x")

    def _tcp(self) -> bytes:
        options = struct.pack("!BBH", _MSS_OPTION, 4, self.mss) if self.mss else b""
        options += self.tcp_options
        words = (_TCP_HEADER + len(options)) // 4
        fields = (self.sport, self.dport, self.sequence, self.acknowledged)
        head = struct.pack("!HHIIBBHHH", *fields, words << 4, self.flags, 65535, 0, 0)
        return self._summed(head + options + self.payload, 16)

    def _summed(self, segment: bytes, place: int) -> bytes:
        """With the checksum at its place; that of ICMP has no pseudo header."""
        size = self.family.bits // 8
        pseudo = b""
        if self.protocol != ICMP:
            ends = self.source.to_bytes(size, "big") + self.target.to_bytes(size, "big")
            pseudo = ends + struct.pack("!II", len(segment), self.protocol)
        total = checksum(pseudo + segment)
        if self.protocol == UDP and total == b"\0\0":
            total = b"\xff\xff"
        return segment[:place] + total + segment[place + 2 :]


def checksum(octets: bytes) -> bytes:
    """The Internet checksum (RFC 1071).

    >>> checksum(bytes.fromhex("4500003c1c4640004006" "0000" "ac100a63ac100a0c")).hex()
    'b1e6'
    """
    if len(octets) % 2:
        octets += b"\0"
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")


def icmp_error(about: bytes, sender: int, receiver: int, kind: int, code: int, tag: int) -> bytes:
    """An ICMP error that quotes a packet."""
    family = Family.IP6 if about[0] >> 4 == _IPV6_VERSION else Family.IP
    quote = about[: 4 * (about[0] & 0xF) + 8 if family is Family.IP else 1232 - 8]
    # The four bytes before the quotation are unused, or the MTU of the next hop.
    return Datagram(
        family=family,
        source=sender,
        target=receiver,
        protocol=ICMP if family is Family.IP else ICMPV6,
        kind=kind,
        code=code,
        dport=1280 if (family, kind) in {(Family.IP, 3), (Family.IP6, 2)} else 0,
        tag=tag,
        payload=quote,
    ).build()


def read(packet: bytes, *, whole: bool = True) -> Headers | None:
    """What a packet says; None where it is cut off too early, or is no IP packet.

    ``whole`` is false for a quotation, which may end behind the ports.
    """
    if not packet:
        return None
    if packet[0] >> 4 == _IPV6_VERSION:
        return _read_ipv6(packet, whole=whole)
    if len(packet) < 20:
        return None
    tos, length, tag, fragment, ttl, protocol = struct.unpack_from("!xBHHHBB", packet)
    source, target = packet[12:16], packet[16:20]
    offset = fragment & _OFFSET
    fragmented = bool(fragment & (_OFFSET | _MORE_FRAGMENTS))
    base = Headers(source, target, protocol, tos, ttl, length, offset, fragmented, tag=tag)
    end = (packet[0] & 0xF) * 4
    if whole:
        base = base._replace(options=packet[20:end])
    return _read_transport(base, packet, end, whole=whole)


def _read_ipv6(packet: bytes, *, whole: bool) -> Headers | None:
    if len(packet) < _IPV6_HEADER:
        return None
    first, length, protocol, ttl = struct.unpack_from("!IHBB", packet)
    at, offset, fragmented = _IPV6_HEADER, 0, False
    while protocol in {_HOP_BY_HOP, _ROUTING, _FRAGMENT, _OPTIONS} and len(packet) >= at + 8:
        if protocol == _FRAGMENT:
            fragmented, offset = True, struct.unpack_from("!H", packet, at + 2)[0] >> 3
            protocol, at = packet[at], at + 8
            if offset:
                break
        else:
            protocol, at = packet[at], at + 8 * (packet[at + 1] + 1)
    ends = packet[8:24], packet[24:40]
    base = Headers(
        *ends,
        protocol,
        first >> 20 & 0xFF,
        ttl,
        length + _IPV6_HEADER,
        offset,
        fragmented,
        tag=first & 0xFFFFF,
    )
    return _read_transport(base, packet, at, whole=whole)


def _read_transport(base: Headers, packet: bytes, at: int, *, whole: bool) -> Headers:
    if base.offset or len(packet) < at + 8:
        return base
    match base.protocol:
        case 6:
            sport, dport = struct.unpack_from("!HH", packet, at)
            flags = packet[at + 13] if len(packet) > at + 13 else 0
            options = _tcp_options(packet, at) if whole else b""
            mss = int.from_bytes(dict(options_in(options)).get(_MSS_OPTION, b"")[2:4], "big")
            return base._replace(sport=sport, dport=dport, flags=flags, mss=mss, behind=options)
        case 17 | 33 | 132 | 136:
            sport, dport = struct.unpack_from("!HH", packet, at)
            chunks = packet[at + 12 :] if whole and base.protocol == SCTP else b""
            return base._replace(sport=sport, dport=dport, behind=chunks)
        case 1 | 58:
            kind, code, identifier = struct.unpack_from("!BBxxH", packet, at)
            if kind in ERRORS[base.family]:
                quoted = read(packet[at + 8 :], whole=False) if whole else None
                return base._replace(kind=kind, code=code, quoted=quoted)
            return base._replace(kind=kind, code=code, sport=identifier)
    return base


def _tcp_options(packet: bytes, at: int) -> bytes:
    """The options of a TCP header; a timestamp has zeros for what the time was."""
    if len(packet) < at + _TCP_HEADER:
        return b""
    options = bytearray(packet[at + _TCP_HEADER : at + (packet[at + 12] >> 4) * 4])
    place = 0
    for kind, option in options_in(bytes(options)):
        if kind == _TIMESTAMP and len(option) == _TIMESTAMP_LENGTH:
            options[place + 2 : place + _TIMESTAMP_LENGTH] = bytes(_TIMESTAMP_LENGTH - 2)
        place += len(option)
    return bytes(options)


def options_in(octets: bytes) -> Iterator[tuple[int, bytes]]:
    r"""Options of IPv4 or TCP by their kinds, each with its kind and length in front.

    >>> list(options_in(bytes.fromhex("0204 05b4 01 0402 00")))
    [(2, b'\x02\x04\x05\xb4'), (1, b'\x01'), (4, b'\x04\x02'), (0, b'\x00')]
    """
    while octets:
        kind, length = octets[0], 1
        if kind not in _OF_ONE_BYTE and len(octets) > 1:
            length = max(2, octets[1])
        yield kind, octets[:length]
        octets = octets[length:]


#: What has ports, and an identifier that NAT treats as one.
WITH_PORTS = {TCP, UDP, SCTP, UDPLITE, DCCP}

SYN, ACK, FIN, RST, PSH = (TCP_FLAGS[name] for name in ("syn", "ack", "fin", "rst", "psh"))
