"""The two netlink families that a replay listens to: logs (nfnetlink_log) and connections.

linux/netfilter/nfnetlink.h, nfnetlink_log.h, nfnetlink_conntrack.h. A socket belongs to the network
namespace in which it is opened.
"""

from __future__ import annotations

import errno
import functools
import os
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

from ..core.values import Family

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NETFILTER = 12  #: NETLINK_NETFILTER
_NO_ENOBUFS, _SOL_NETLINK = 5, 270
_RECEIVE_BUFFER_FORCE = 33  #: SO_RCVBUFFORCE, which the socket module lacks
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ERROR, _DONE = 2, 3
_REQUEST, _ACK, _DUMP, _CREATE = 1, 4, 0x300, 0x400
_TYPE_MASK = 0x3FFF
_NESTED = 0x8000

#: NFNL_SUBSYS_CTNETLINK, _ULOG, _ACCT and _NFTABLES
_CONNTRACK, _LOG, _COUNTERS, _NFTABLES = 1, 4, 7, 10
_BATCH_BEGIN, _BATCH_END = 16, 17
_DELETE_ELEMENTS = 14  #: NFT_MSG_DELSETELEM; without elements, of all of them
_TABLE_FAMILY = {Family.IP: 2, Family.IP6: 10}  #: NFPROTO_IPV4, NFPROTO_IPV6
_BIND, _COPY_PACKET = 1, 2
_RECEIVE_BUFFER = 8 << 20


class Logged(NamedTuple):
    """A packet that a probe, or a rule, has logged."""

    group: int
    prefix: str
    mark: int
    iif: int  #: interface index; 0 where there is none
    oif: int
    packet: bytes


class Connection(NamedTuple):
    """An entry of the connection table."""

    ends: tuple[bytes, ...]  #: the addresses of its first packet
    protocol: int
    status: int
    mark: int
    zone: int


def _attribute(kind: int, payload: bytes) -> bytes:
    padding = b"\0" * (-len(payload) % 4)
    return _ATTRIBUTE.pack(4 + len(payload), kind) + payload + padding


def _attributes(octets: bytes, at: int = 0) -> dict[int, bytes]:
    """The attributes of a message, in their order; of those of the same kind, the last one."""
    found = {}
    last = len(octets) - 4
    while at <= last:
        length, kind = _ATTRIBUTE.unpack_from(octets, at)
        if length < 4:
            break
        found[kind & _TYPE_MASK] = octets[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


class _Socket:
    """A netlink socket for one subsystem of netfilter."""

    def __init__(self, subsystem: int) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
        self.socket.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCE, _RECEIVE_BUFFER)
        self.socket.bind((0, 0))
        self._subsystem = subsystem

    def fileno(self) -> int:
        """For poll(2)."""
        return self.socket.fileno()

    def _request(
        self, message: int, family: int, resource: int, attributes: bytes, flags: int
    ) -> None:
        body = struct.pack("!BBH", family, 0, resource) + attributes
        self.socket.send(_message(self._subsystem << 8 | message, body, _REQUEST | flags))

    def _receive(self) -> Iterator[tuple[int, bytes]]:
        """The messages of one datagram: type and what follows the headers."""
        octets = self.socket.recv(1 << 17)
        at = 0
        while at + _HEADER.size <= len(octets):
            length, kind, *_ = _HEADER.unpack_from(octets, at)
            yield kind, octets[at + _HEADER.size : at + length]
            at += (length + 3) & ~3

    def _acknowledged(self) -> None:
        for kind, body in self._receive():
            if kind == _ERROR:
                (code,) = struct.unpack_from("=i", body)
                if code:
                    raise OSError(-code, os.strerror(-code))
                return


class LogSocket(_Socket):
    """Listens to groups of nfnetlink_log."""

    #: Bytes of each packet that are asked for: all headers, and those of a quoted packet.
    SNAPSHOT = 192

    def __init__(self, groups: tuple[int, ...]) -> None:
        super().__init__(_LOG)
        self.socket.setsockopt(_SOL_NETLINK, _NO_ENOBUFS, 1)
        for group in groups:
            mode = struct.pack("!IBB", self.SNAPSHOT, _COPY_PACKET, 0)
            # A threshold of one: each packet is reported at once.
            for attributes in (
                _attribute(1, struct.pack("!B", _BIND)),
                _attribute(2, mode),
                _attribute(5, struct.pack("!I", 1)),
            ):
                self._request(1, socket.AF_UNSPEC, group, attributes, _ACK)
                self._acknowledged()
        self.socket.setblocking(False)

    def read(self) -> Iterator[Logged]:
        """All that has been logged since."""
        while True:
            try:
                yield from (_logged(body) for kind, body in self._receive() if kind == _LOG << 8)
            except BlockingIOError:
                return


@functools.lru_cache(maxsize=1 << 14)
def _logged(body: bytes) -> Logged:
    """What a message of nfnetlink_log says.

    Kept, because a conversation that is repeated is mostly logged byte for byte as it was before.
    """
    group = int.from_bytes(body[2:4], "big")
    found = _attributes(body, 4)
    mark, iif, oif = (int.from_bytes(found.get(kind, b""), "big") for kind in (2, 4, 5))
    prefix = found.get(10, b"").rstrip(b"\0").decode("utf-8", "surrogateescape")
    return Logged(group, prefix, mark, iif, oif, found.get(9, b""))


class ConnectionSocket(_Socket):
    """Reads, marks and forgets connections."""

    def __init__(self) -> None:
        super().__init__(_CONNTRACK)

    def flush(self) -> None:
        """Forget all connections."""
        self._request(2, socket.AF_UNSPEC, 0, b"", _ACK)
        self._acknowledged()

    def set_mark(
        self, family: Family, ends: tuple[bytes, bytes], transport: bytes, mark: int
    ) -> bool:
        """Mark a connection, by the tuple of its first packet; False where there is none."""
        addresses = ((1, 2), (3, 4))[family is Family.IP6]
        nested = b"".join(map(_attribute, addresses, ends))
        pair = _attribute(_NESTED | 1, nested) + _attribute(_NESTED | 2, transport)
        body = _attribute(_NESTED | 1, pair) + _attribute(8, struct.pack("!I", mark))
        self._request(0, family.socket_family, 0, body, _ACK)
        try:
            self._acknowledged()
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.EINVAL}:
                return False
            raise
        return True

    def dump(self) -> list[Connection]:
        """All connections."""
        self._request(1, socket.AF_UNSPEC, 0, b"", _DUMP)
        found: list[Connection] = []
        while True:
            for kind, body in self._receive():
                if kind in {_DONE, _ERROR}:
                    return found
                found.append(_connection(body))


class CounterSocket(_Socket):
    """Makes the named counters of nfacct(8)."""

    def __init__(self) -> None:
        super().__init__(_COUNTERS)

    def add(self, names: Iterable[str]) -> None:
        """Make counters."""
        for name in names:
            attribute = _attribute(1, name.encode("utf-8", "surrogateescape") + b"\0")
            self._request(0, socket.AF_UNSPEC, 0, attribute, _ACK | _CREATE)
            try:
                self._acknowledged()
            except OSError as error:
                if error.errno != errno.EBUSY:  # it is there already
                    raise


class RulesetSocket(_Socket):
    """Empties sets of nftables: the only change of a ruleset that has to be quick."""

    def __init__(self) -> None:
        super().__init__(_NFTABLES)

    def empty(self, sets: Iterable[tuple[Family, str, str]]) -> None:
        """Empty sets, by family, table and name."""
        begin, end = (
            _message(kind, struct.pack("!BBH", socket.AF_UNSPEC, 0, _NFTABLES), _REQUEST)
            for kind in (_BATCH_BEGIN, _BATCH_END)
        )
        deletions = [
            _message(
                _NFTABLES << 8 | _DELETE_ELEMENTS,
                struct.pack("!BBH", _TABLE_FAMILY[family], 0, 0)
                + _attribute(1, table.encode() + b"\0")
                + _attribute(2, name.encode() + b"\0"),
                _REQUEST | _ACK,
            )
            for family, table, name in sets
        ]
        if deletions:
            self.socket.send(b"".join((begin, *deletions, end)))
            for _ in deletions:
                self._acknowledged()


def _message(kind: int, body: bytes, flags: int) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, 0, 0) + body


def transport_tuple(protocol: int, sport: int, dport: int) -> bytes:
    """The inside of CTA_TUPLE_PROTO for what has ports."""
    return (
        _attribute(1, struct.pack("!B", protocol))
        + _attribute(2, struct.pack("!H", sport))
        + _attribute(3, struct.pack("!H", dport))
    )


def _connection(body: bytes) -> Connection:
    found = _attributes(body, 4)
    original = _attributes(found.get(1, b""))
    ends = tuple(_attributes(original.get(1, b"")).values())
    protocol = _attributes(original.get(2, b"")).get(1, b"")
    status, mark, zone = (int.from_bytes(found.get(kind, b""), "big") for kind in (3, 8, 18))
    return Connection(ends, int.from_bytes(protocol, "big"), status, mark, zone)
