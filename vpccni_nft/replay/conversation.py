"""What is said between two ends through a node, and what is seen of it."""

from __future__ import annotations

import enum
from typing import NamedTuple

import attrs

from ..core.values import Address, Family
from ..iptables.protocols import ICMP, ICMPV6, TCP, protocol_name
from ..model.packet import TCP_FLAGS
from .wire import WITH_PORTS, Headers


class Way(enum.Enum):
    """Who sends, and what."""

    FORTH = "forth"  #: the end that began
    BACK = "back"  #: the other end, to whoever the packet seems to come from
    ERROR_BACK = "error back"  #: an ICMP error about the last packet that went forth
    ERROR_FORTH = "error forth"  #: an ICMP error about the last packet that came back
    MARK = "mark"  #: no packet: the connection gets a mark


@attrs.frozen(kw_only=True)
class ConversationPacket:
    """One packet of a conversation."""

    way: Way = Way.FORTH
    flags: int = 0  #: of TCP
    length: int = 0  #: of the payload, in bytes
    fragmented: bool = False
    shift: int = 0  #: added to the port of the end that began: another connection of it
    neighbour: int = 0  #: bits of the first end's address that are turned: another host
    kind: int = 0  #: of an ICMP error
    code: int = 0
    mark: int = 0  #: for the connection


#: What is not worth showing.
_PLAIN = {"ttl": 64}


@attrs.frozen(kw_only=True)
class Conversation:
    """Two ends, and the moves they make. Addresses and ports are numbers in host order."""

    family: Family
    device: str  #: where the first packet comes in; empty where the node itself sends it
    source: int
    target: int
    protocol: int
    sport: int = 0  #: the identifier, in an echo
    dport: int = 0
    kind: int = 0  #: of an ICMP message
    code: int = 0
    tos: int = 0
    ttl: int = 64
    mss: int = 0
    options: bytes = b""  #: of IPv4, of each packet but errors
    tcp_options: bytes = b""  #: of each packet
    chunks: bytes = b""  #: of SCTP, in each packet; empty: an INIT
    mark: int = 0  #: of each packet that goes forth
    user: int = 0  #: whose the node's own sockets are
    group: int = 0
    moves: tuple[ConversationPacket, ...] = (ConversationPacket(),)

    @property
    def has_ports(self) -> bool:
        """Whether another port makes another connection."""
        return self.protocol in WITH_PORTS

    def __str__(self) -> str:
        source, target = (str(Address(self.family, one)) for one in (self.source, self.target))
        words = [f"from {self.device or 'the node'}", protocol_name(self.protocol)]
        if self.protocol in {ICMP, ICMPV6}:
            words += [f"{source} > {target}", f"type {self.kind} code {self.code}"]
        else:
            words.append(f"{source}:{self.sport} > {target}:{self.dport}")
        for name in ("tos", "ttl", "mss", "mark", "user", "group"):
            if (value := getattr(self, name)) != _PLAIN.get(name, 0):
                words.append(f"{name} {value:#x}" if name == "mark" else f"{name} {value}")
        for name in ("options", "tcp_options", "chunks"):
            if octets := getattr(self, name):
                words.append(f"{name.replace('_', ' ')} {octets.hex()}")
        return " ".join(words) + ": " + ", ".join(map(self._move, self.moves))

    def _move(self, move: ConversationPacket) -> str:
        words = [move.way.value]
        if self.protocol == TCP and move.way in {Way.FORTH, Way.BACK}:
            flags = "|".join(name for name, bit in TCP_FLAGS.items() if move.flags & bit)
            words.append(flags or "no flags")
        if move.way in {Way.ERROR_BACK, Way.ERROR_FORTH}:
            words.append(f"type {move.kind} code {move.code}")
        if move.way is Way.MARK:
            words.append(f"{move.mark:#x}")
        words += ["in fragments"] * move.fragmented + [f"+{move.shift}"] * bool(move.shift)
        words += [f"from its neighbour {move.neighbour}"] * bool(move.neighbour)
        return " ".join(words)


class KernelEvent(NamedTuple):
    """Something that is seen after a move."""

    #: ``begin``, ``track`` and ``hook`` (a hook's beginning is reached, the place behind conntrack,
    #: its end), ``left`` (by a device), ``log``,
    #: ``refused`` (the kernel does not send it), ``marked`` (the connection is) or ``nothing``
    #: (there is no packet to answer, no connection to mark)
    kind: str
    place: str = ""  #: the hook; the log's prefix; the reason
    state: str = ""  #: of the connection, where conntrack runs
    iif: str = ""
    oif: str = ""
    mark: int = 0
    ct_mark: int = 0  #: at the end of the last hook
    headers: Headers | None = None

    def __str__(self) -> str:
        words = [self.kind, self.place, self.state]
        words += [f"iif={self.iif}"] * bool(self.iif) + [f"oif={self.oif}"] * bool(self.oif)
        words += [f"mark={self.mark:#x}"] * bool(self.mark)
        words += [f"ctmark={self.ct_mark:#x}"] * bool(self.ct_mark)
        return " ".join(word for word in (*words, self.headers and text_of(self.headers)) if word)


#: What was seen after each move.
Seen = tuple[tuple[KernelEvent, ...], ...]


def text_of(headers: Headers) -> str:
    r"""A packet in a line.

    >>> text_of(Headers(b"\x0a\0\0\1", b"\x0a\0\0\2", 17, 0, 64, 28, 0, False, 1000, 53))
    'udp 10.0.0.1:1000 > 10.0.0.2:53 ttl=64 length=28'
    """
    family = headers.family
    source, target = (
        str(Address(family, int.from_bytes(end, "big"))) for end in (headers.source, headers.target)
    )
    words = [protocol_name(headers.protocol)]
    if headers.protocol in {ICMP, ICMPV6}:
        words += [f"{source} > {target} type={headers.kind} code={headers.code}"]
        words += [f"id={headers.sport}"] * (headers.quoted is None)
    else:
        words.append(f"{source}:{headers.sport} > {target}:{headers.dport}")
    if headers.protocol == TCP:
        flags = "|".join(name for name, bit in TCP_FLAGS.items() if headers.flags & bit)
        words.append(f"flags={flags}")
    for name in ("mss", "tos", "ttl", "offset", "length"):
        if value := getattr(headers, name):
            words.append(f"{name}={value}")
    if headers.options:
        words.append(f"options={headers.options.hex()}")
    if len(headers.behind) > (4 if headers.mss else 0):
        words.append(f"behind={headers.behind.hex()}")
    if headers.quoted:
        words.append(f"about [{text_of(headers.quoted)}]")
    return " ".join(words)
