"""What the kernel answers of the node that the packets go through, as far as it is known.

The node of the replay has raw sockets that send, no others; taps and lo for its devices; routes
without a gateway; no transformations, and no list of systems but the one that nft may have loaded.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import attrs

from vpccni_nft.core.values import Family
from vpccni_nft.model.headers import CHANGING
from vpccni_nft.model.oracle import Oracle, OracleKind
from vpccni_nft.model.packet import interface_word
from vpccni_nft.nft.datatypes import IFACE_TYPE
from vpccni_nft.replay.conversation import Way
from vpccni_nft.strategies.nft_values import SYSTEMS

from . import header_options

if TYPE_CHECKING:
    from vpccni_nft.replay.conversation import Conversation, ConversationPacket, KernelEvent

_LOOPBACK = interface_word("lo")

#: Whatever a question is about, the answer is this one.
_ALWAYS = {
    OracleKind.SOCKET_IS_FOUND: 0,  # none is for TCP or UDP
    OracleKind.SOCKET_IS_TRANSPARENT: 0,
    OracleKind.SOCKET_IS_FULL: 1,
    OracleKind.SOCKET_IS_WILDCARD: 1,
    OracleKind.TRANSFORMATIONS: 0,
    OracleKind.TRANSFORMATION: 0,
    OracleKind.TRANSFORMATION_HAS: 0,
    OracleKind.HELPER_FORESAW: 0,
    OracleKind.MASTER_HELPER: 0,
    OracleKind.LABELS_ARE_KEPT: 1,
}

_WORDS = sorted({word for words in SYSTEMS.values() for word in words})
#: Of what a path takes: devices take 1500 bytes, lo more than counts, and ICMP errors say 1280.
_SEGMENTS = {Family.IP: (1460, 536, 1240, 65495), Family.IP6: (1440, 536, 1220)}
_DAY = 24 * 60 * 60


@attrs.define
class Traffic:
    """What a connection has counted: packets and bytes of each way, by ``>`` and ``<``."""

    packets: dict[str, int] = attrs.Factory(lambda: {">": 0, "<": 0})
    octets: dict[str, int] = attrs.Factory(lambda: {">": 0, "<": 0})

    def count(self, begin: KernelEvent, state: str) -> None:
        """Count a packet that conntrack has looked at; errors are none of the connection's own."""
        assert begin.headers
        way = state[-1]
        if way in self.packets and not state.startswith("related") and begin.iif != "lo":
            self.packets[way] += 1
            self.octets[way] += begin.headers.length

    def answer(self, way: str, what: str) -> int:
        """Packets, bytes, or bytes a packet, of a direction or of both."""
        ways = {"original": ">", "reply": "<"}.get(way, "><")
        packets = sum(self.packets[one] for one in ways)
        octets = sum(self.octets[one] for one in ways)
        mean = octets // packets if packets else 0
        return {"packets": packets, "bytes": octets, "avgpkt": mean}[what]


@attrs.frozen
class Host:
    """A packet at a hook of the node."""

    conversation: Conversation
    move: ConversationPacket
    begin: KernelEvent
    own: bool  #: whether a socket of the tests has sent it
    traffic: Traffic | None  #: of its connection

    def answer(self, oracle: Oracle, arguments: tuple[int, ...]) -> int | None:
        """What is so; None where it is not known."""
        assert self.begin.headers
        if (known := header_options.answer(oracle, self.begin.headers)) is not None:
            return known
        if oracle.kind in _ALWAYS:
            return _ALWAYS[oracle.kind]
        match oracle.kind:
            case OracleKind.SOCKET_OF_NO_PROGRAM if self.own or self._has_come:
                return 0
            case OracleKind.TRAFFIC if self.traffic:
                return self.traffic.answer(str(oracle.object), str(oracle.parameters[0]))
            case OracleKind.SOCKET_MARK:
                forth = self.own and self.move.way is Way.FORTH
                return self.conversation.mark if forth else 0
            case OracleKind.HAS_ROUTE:
                return int(self.begin.iif == "lo")
            case OracleKind.NEXT_HOP:
                return arguments[CHANGING.index("daddr")]
            case OracleKind.CAME_BY_ETHERNET:
                return int(self.begin.iif not in {"", "lo"})
            case OracleKind.INTERFACE_TYPE:
                return IFACE_TYPE.words["loopback" if arguments == (_LOOPBACK,) else "ether"]
            case OracleKind.SECOND_OF_DAY:
                return int(time.time()) % _DAY
            case OracleKind.DAY_OF_WEEK:
                return time.gmtime().tm_wday + 1 if time.gmtime().tm_wday < 6 else 0
            case OracleKind.EPOCH_SECOND:
                return int(time.time())
        return None

    def ways(self, oracle: Oracle) -> tuple[int, ...]:
        """All that can be so; empty where that is not known."""
        match oracle.kind, oracle.parameters:
            case ((OracleKind.JHASH | OracleKind.SYMMETRIC_HASH), (int(modulus), *_)):
                return tuple(range(modulus))
            case ((OracleKind.SYSTEM | OracleKind.SYSTEM_BY_TTL | OracleKind.SYSTEM_VERSION), _):
                return tuple(map(interface_word, _WORDS))
            case OracleKind.PATH_SEGMENT, _:
                return _SEGMENTS[self.conversation.family]
            case ((OracleKind.SOCKET_OF_NO_PROGRAM | OracleKind.CONNECTION_IS_ATTACHED), _):
                return 0, 1
        return ()

    @property
    def _has_come(self) -> bool:
        return bool(self.begin.iif) or self.begin.place in {"prerouting", "input", "forward"}
