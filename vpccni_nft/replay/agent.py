"""The process inside a namespace: it drives the devices, sends, and reports what it sees.

A write to a TAP device returns when the kernel is done with the frame, so that whatever is seen
then belongs to the packet that was just put in. Requests and answers are pickled, on standard input
and output.
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import glob
import os
import pickle
import select
import socket
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn

import attrs

from ..core.values import Family
from ..iptables.protocols import ICMPV6, TCP
from . import wire
from .conversation import Conversation, ConversationPacket, KernelEvent, Way
from .kernel_log import KernelLog
from .netlink import ConnectionSocket, CounterSocket, LogSocket, RulesetSocket, transport_tuple
from .probes import GROUP, PREFIX_OF_MARK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .conversation import Seen
    from .netlink import Connection
    from .wire import Datagram, Headers

_TUNSETIFF = 0x400454CA
_TAP, _NO_PACKET_INFO = 0x0002, 0x1000
_ETHERTYPE = {Family.IP: b"\x08\x00", Family.IP6: b"\x86\xdd"}
_ETHERNET_HEADER = 14
_IPV6_HEADER_INCLUDED = 36

#: Messages by which hosts and routers find each other; the kernel sends some when it likes.
_NEIGHBOURS = {130, 131, 132, 133, 134, 135, 136, 137, 143}
_IGMP = 2

#: Tags of the packets of a conversation, one each.
_FIRST_TAG = 0x4000

#: Sequence numbers at which either end begins.
_FORTH, _BACK = 1000, 5000

#: A user and a group, by number.
Who = tuple[int, int]

LOCAL = ""  #: instead of a device: the node itself


def device_address(number: int) -> bytes:
    """The hardware address of a device, by its place in the list."""
    return bytes((2, 0, 0, 0, 0, number + 1))


class _Exit(NamedTuple):
    """Where a packet left the node, or reached it."""

    device: str
    packet: bytes
    headers: Headers


class Agent:
    """What the process does."""

    def __init__(self, devices: tuple[str, ...], groups: tuple[int, ...], *, kernel_log: bool):
        """Open the devices, which are there while the process is."""
        self.taps = {name: _open_tap(name) for name in devices}
        self.addresses = {name: device_address(n) for n, name in enumerate(devices)}
        self.logs = LogSocket((GROUP, *groups))
        self.connections = ConnectionSocket()
        self.ruleset = RulesetSocket()
        #: How nft reads a mark from a packet's bytes; versions differ.
        self.mark_order: Literal["big", "little"] = "big"
        self.kernel_log = KernelLog() if kernel_log else None
        self.senders: dict[tuple[Family, Who], socket.socket] = {}
        self.names: dict[int, str] = {0: ""}
        self.poll = select.epoll()
        self.poll.register(self.logs.fileno(), select.EPOLLIN)
        self.by_fd = {fd: name for name, fd in self.taps.items()}
        for fd in self.by_fd:
            self.poll.register(fd, select.EPOLLIN)

    def play(self, conversations: Iterable[Conversation]) -> list[Seen]:
        """Make all moves of each conversation."""
        return [tuple(_Play(self, one).moves()) for one in conversations]

    def set_mark_order(self, order: Literal["big", "little"]) -> None:
        """Say how nft reads a mark."""
        self.mark_order = order

    def add_counters(self, names: tuple[str, ...]) -> None:
        """Make counters that rules name."""
        CounterSocket().add(names)

    def hold(
        self,
        conversations: Iterable[Conversation],
        sets: list[tuple[Family, str, str]],
        *,
        connections: bool,
    ) -> tuple[list[Seen], list[Connection]]:
        """Make all moves of each conversation, then forget them.

        Forgotten are connections, what is in these sets of nftables, and recent lists.
        ``connections`` is whether the entries of the connection table are wanted, too.
        """
        if self.kernel_log:
            # What is there is of the other side, whose turn it was.
            self.kernel_log.skip()
        seen = self.play(conversations)
        found = self.connections.dump() if connections else []
        self.connections.flush()
        self.ruleset.empty(sets)
        for path in glob.glob("/proc/self/net/xt_recent/*"):
            with open(path, "wb", buffering=0) as file:
                file.write(b"/")
        self.sight()
        return seen, found

    def inject(self, family: Family, device: str, packet: bytes, mark: int) -> None:
        """Let a packet come in; its mark travels in the sender's hardware address."""
        frame = self.addresses[device] + b"\x06\x00" + mark.to_bytes(4, self.mark_order)
        os.write(self.taps[device], frame + _ETHERTYPE[family] + packet)

    def send(self, family: Family, packet: bytes, target: bytes, mark: int, who: Who) -> None:
        """Let the node itself send a packet."""
        sender = self.senders.get((family, who))
        if sender is None:
            sender = self.senders[family, who] = _open_sender(family, who)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, struct.pack("=I", mark))
        sender.sendto(packet, (socket.inet_ntop(family.socket_family, target), 0))

    def sight(self) -> tuple[list[KernelEvent], list[tuple[str, bytes, Headers]]]:
        """What is there to be seen: events, and packets that left or reached the node."""
        events: list[KernelEvent] = []
        exits: list[tuple[str, bytes, Headers]] = []
        while ready := self.poll.poll(0):
            for fd, _ in ready:
                if fd in self.by_fd:
                    self._read_frames(fd, events, exits)
                else:
                    self._read_logs(events, exits)
        if self.kernel_log:
            events += (KernelEvent("log", line) for line in self.kernel_log.read())
        return events, exits

    def _read_frames(
        self, fd: int, events: list[KernelEvent], exits: list[tuple[str, bytes, Headers]]
    ) -> None:
        name = self.by_fd[fd]
        while True:
            try:
                packet = os.read(fd, 65536)[_ETHERNET_HEADER:]
            except BlockingIOError:
                return
            if said := _said(packet):
                headers, plain = said
                exits.append((name, packet, headers))
                events.append(KernelEvent("left", oif=name, headers=plain))

    def _read_logs(
        self, events: list[KernelEvent], exits: list[tuple[str, bytes, Headers]]
    ) -> None:
        for logged in self.logs.read():
            said = _said(logged.packet)
            if said is None:
                continue
            headers, plain = said
            if logged.group == GROUP and logged.prefix == PREFIX_OF_MARK:
                events[-1] = events[-1]._replace(ct_mark=logged.mark)
                continue
            iif, oif = self._name(logged.iif), self._name(logged.oif)
            if logged.group == GROUP:
                kind, hook, state = logged.prefix.split(" ")
                events.append(KernelEvent(kind, hook, state, iif, oif, logged.mark, 0, plain))
                if (kind, hook) == ("hook", "input"):
                    exits.append((LOCAL, logged.packet, headers))
            else:
                place = f"group {logged.group}: {logged.prefix}"
                events.append(KernelEvent("log", place, "", iif, oif, logged.mark, 0, plain))

    def _name(self, index: int) -> str:
        name = self.names.get(index)
        if name is None:
            name = self.names[index] = socket.if_indextoname(index)
        return name


@attrs.define(eq=False)
class _Play:
    """One conversation while it runs."""

    agent: Agent
    conversation: Conversation
    forth: _Exit | None = None
    back: _Exit | None = None
    sent: dict[Way, int] = attrs.Factory(lambda: {Way.FORTH: _FORTH, Way.BACK: _BACK})

    def moves(self) -> Iterator[tuple[KernelEvent, ...]]:
        """Make each move, and report what is seen."""
        for number, move in enumerate(self.conversation.moves):
            tag = _FIRST_TAG + number
            events = list(self._make(move, tag))
            seen, exits = self.agent.sight()
            self._remember(move, tag, exits)
            yield (*events, *seen)

    def _make(self, move: ConversationPacket, tag: int) -> Iterator[KernelEvent]:
        conversation = self.conversation
        match move.way:
            case Way.FORTH:
                packet = self._forth(move, tag)
                yield from self._put(conversation.device, packet, conversation.mark, move)
            case Way.BACK if self.forth:
                packet = self._back(self.forth.headers, move, tag)
                yield from self._put(self.forth.device, packet, 0, move)
            case Way.ERROR_BACK if self.forth:
                yield from self._complain(self.forth, self.forth.device, move, tag)
            case Way.ERROR_FORTH if self.back:
                yield from self._complain(self.back, conversation.device, move, tag)
            case Way.MARK:
                yield KernelEvent("marked" if self._mark(move) else "nothing")
            case _:
                yield KernelEvent("nothing")

    def _remember(
        self, move: ConversationPacket, tag: int, exits: list[tuple[str, bytes, Headers]]
    ) -> None:
        """Where the packet that was sent came out: known by its tag, for the kernel sends too."""
        mine = [
            _Exit(device, packet, headers)
            for device, packet, headers in exits
            if headers.tag == tag
            and headers.protocol == self.conversation.protocol
            and not headers.offset
        ]
        match move.way:
            case Way.FORTH:
                self.forth = mine[-1] if mine else None
            case Way.BACK:
                self.back = mine[-1] if mine else None

    def _forth(self, move: ConversationPacket, tag: int) -> Datagram:
        conversation = self.conversation
        return wire.Datagram(
            family=conversation.family,
            source=conversation.source ^ move.neighbour,
            target=conversation.target,
            protocol=conversation.protocol,
            sport=conversation.sport + (move.shift if conversation.has_ports else 0) & 0xFFFF,
            dport=conversation.dport,
            kind=conversation.kind,
            code=conversation.code,
            tos=conversation.tos,
            ttl=conversation.ttl,
            mss=conversation.mss if move.flags & wire.SYN else 0,
            tag=tag,
            **self._extras,
            **self._stream(move, Way.FORTH, Way.BACK),
        )

    def _back(self, answered: Headers, move: ConversationPacket, tag: int) -> Datagram:
        family = self.conversation.family
        asks, answers = wire.ECHO[family]
        is_echo = answered.kind == asks and answered.sport
        return wire.Datagram(
            family=family,
            source=int.from_bytes(answered.target, "big"),
            target=int.from_bytes(answered.source, "big"),
            protocol=answered.protocol,
            sport=answered.sport if is_echo else answered.dport,
            dport=answered.dport if is_echo else answered.sport,
            kind=answers if answered.kind == asks else answered.kind,
            code=answered.code,
            mss=self.conversation.mss if move.flags & wire.SYN else 0,
            tag=tag,
            **self._extras,
            **self._stream(move, Way.BACK, Way.FORTH),
        )

    @property
    def _extras(self) -> dict[str, Any]:
        """What all packets of it have beyond the usual headers."""
        one = self.conversation
        return {"options": one.options, "tcp_options": one.tcp_options, "chunks": one.chunks}

    def _stream(self, move: ConversationPacket, way: Way, other: Way) -> dict[str, Any]:
        """What depends on what was sent before."""
        fields: dict[str, Any] = {"payload": b"x" * move.length}
        if self.conversation.protocol == TCP:
            fields |= {"flags": move.flags, "sequence": self.sent[way]}
            fields["acknowledged"] = self.sent[other] if move.flags & wire.ACK else 0
            self.sent[way] += move.length + bool(move.flags & (wire.SYN | wire.FIN))
        return fields

    def _put(
        self, device: str, datagram: Datagram, mark: int, move: ConversationPacket
    ) -> Iterator[KernelEvent]:
        packets = datagram.fragments() if move.fragmented else (datagram.build(),)
        target = datagram.target.to_bytes(datagram.family.bits // 8, "big")
        for packet in packets:
            yield from self._put_octets(device, packet, target, mark)

    def _put_octets(
        self, device: str, packet: bytes, target: bytes, mark: int
    ) -> Iterator[KernelEvent]:
        family = self.conversation.family
        who = self.conversation.user, self.conversation.group
        if device != LOCAL:
            self.agent.inject(family, device, packet, mark)
            return
        try:
            self.agent.send(family, packet, target, mark, who)
        except OSError as error:
            yield KernelEvent("refused", os.strerror(error.errno or 0))

    def _complain(
        self, about: _Exit, device: str, move: ConversationPacket, tag: int
    ) -> Iterator[KernelEvent]:
        """An ICMP error from whoever the packet was for."""
        sender, receiver = about.headers.target, about.headers.source
        ends = int.from_bytes(sender, "big"), int.from_bytes(receiver, "big")
        packet = wire.icmp_error(about.packet, *ends, move.kind, move.code, tag)
        yield from self._put_octets(device, packet, receiver, 0)

    def _mark(self, move: ConversationPacket) -> bool:
        conversation = self.conversation
        if not conversation.has_ports:
            return False
        size = conversation.family.bits // 8
        ends = (
            conversation.source.to_bytes(size, "big"),
            conversation.target.to_bytes(size, "big"),
        )
        ports = transport_tuple(conversation.protocol, conversation.sport, conversation.dport)
        return self.agent.connections.set_mark(conversation.family, ends, ports, move.mark)


@functools.lru_cache(maxsize=1 << 14)
def _said(packet: bytes) -> tuple[Headers, Headers] | None:
    """What a packet says, and the same without its tag; None for noise and what is no IP packet.

    Kept, because a packet is seen at every hook that it passes, and each time that its conversation
    is repeated.
    """
    headers = wire.read(packet)
    if headers is None or _is_noise(headers):
        return None
    return headers, headers._replace(tag=0)


def _is_noise(headers: Headers) -> bool:
    return headers.protocol == _IGMP or (
        headers.protocol == ICMPV6 and headers.kind in _NEIGHBOURS and headers.tag < _FIRST_TAG
    )


def _open_tap(name: str) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    request = struct.pack("16sH22x", name.encode(), _TAP | _NO_PACKET_INFO)
    fcntl.ioctl(fd, _TUNSETIFF, request)
    return fd


def _open_sender(family: Family, who: Who) -> socket.socket:
    """A raw socket of a user and group; what is sent by it has its own header."""
    # Only the ids by which files are made change, so that the right to open it stays.
    library = ctypes.CDLL(None)
    user, group = who
    library.setfsgid(group)
    library.setfsuid(user)
    try:
        sender = socket.socket(family.socket_family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    finally:
        library.setfsuid(0)
        library.setfsgid(0)
    if family is Family.IP6:
        sender.setsockopt(socket.IPPROTO_IPV6, _IPV6_HEADER_INCLUDED, 1)
    return sender


def main() -> None:
    """Answer requests: the name of a method and its arguments.

    Whoever asks ends this process in the end. If they are gone before, by whatever signal, the
    namespace goes with this process.
    """
    name, *what = pickle.load(sys.stdin.buffer)
    try:
        _serve(*what)
    except (EOFError, BrokenPipeError):
        subprocess.run(("ip", "netns", "delete", name), stderr=subprocess.DEVNULL, check=False)


def _serve(devices: tuple[str, ...], groups: tuple[int, ...], kernel_log: bool) -> NoReturn:
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    agent = Agent(devices, groups, kernel_log=kernel_log)
    answer: object = None
    while True:
        pickle.dump(answer, answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()
        method, arguments, options = pickle.load(requests)
        answer = getattr(agent, method)(*arguments, **options)


if __name__ == "__main__":
    main()
