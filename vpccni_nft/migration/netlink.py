"""The rules of an nf_tables chain as the kernel holds them, and changes tied to one generation.

A program that lists rules and then changes them by number races with all others: iptables-nft takes
no lock. The kernel counts the transactions that it has taken, and refuses one that names another
count than the present one (nf_tables_api.c, nf_tables_valid_genid; nfnetlink.c, NFNL_BATCH_GENID).
So a change here is made to exactly the rules that were read, or not at all.

Constants are those of linux/netfilter/nf_tables.h, nfnetlink.h and netlink.h.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType
    from typing import Self

_NETLINK_NETFILTER = 12
_SUBSYSTEM = 10  # NFNL_SUBSYS_NFTABLES
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_GETTABLE = 1
_NEWCHAIN, _GETCHAIN, _DELCHAIN = 3, 4, 5
_NEWRULE, _GETRULE, _DELRULE = 6, 7, 8
_GETGEN = 16

_REQUEST, _ACK = 0x1, 0x4
_DUMP_REQUEST = 0x300 | _REQUEST
_CREATE, _APPEND = 0x400, 0x800
_ERROR, _DONE = 0x2, 0x3

_GENERATION = 1  # both NFTA_GEN_ID and NFNL_BATCH_GENID
_TABLE, _CHAIN, _HANDLE, _EXPRESSIONS, _COMPAT, _POSITION, _USERDATA = 1, 2, 3, 4, 5, 6, 7
_TABLE_HANDLE, _TABLE_USERDATA = 4, 6
_CHAIN_HANDLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY = 2, 3, 4, 5
_COMPAT_PROTOCOL, _COMPAT_FLAGS = 1, 2
_COMPAT_INVERTED = 2
_NESTED = 0x8000
_TYPE_MASK = 0x3FFF

#: libnftnl/udata.h: the type of a comment, in the user data of a table.
_COMMENT = 0

_FAMILIES = {"ip": 2, "ip6": 10}
_VERDICTS = {"DROP": 0, "ACCEPT": 1}

#: SO_SNDBUF and SO_RCVBUF, then SO_SNDBUFFORCE and SO_RCVBUFFORCE, which have no limit but are for
#: root of the machine alone. A transaction is one message.
_SIZES = (socket.SO_SNDBUF, socket.SO_RCVBUF, 32, 33)
_BUFFER = 1 << 26
_MOST = 1 << 17  # bytes of one answer: more than the kernel puts into one
_PATIENCE = 30  # seconds

_HEADER = struct.Struct("=IHHII")
_GENMSG = struct.Struct("!BBH")
_ATTRIBUTE = struct.Struct("=HH")


class OtherGeneration(Exception):  # noqa: N818 - it names what happened
    """The rules are not those that were read: another program has changed them."""


@attrs.frozen
class KernelRule:
    """A rule as the kernel gives it."""

    handle: int
    expressions: bytes = attrs.field(repr=False)  #: all of them, counters included
    userdata: bytes | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Protocol:
    """What ``-p`` says: extensions of xtables that need a protocol look at it."""

    number: int
    inverted: bool = False


class Netlink:
    """A conversation with nf_tables of the network namespace that this thread is in."""

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        self._socket.bind((0, 0))
        self._socket.settimeout(_PATIENCE)
        for option in _SIZES:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        self._sequence = 0
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._socket.close()

    def generation(self) -> int:
        """How many transactions the kernel has taken, modulo 2**32."""
        self._send(_message(_SUBSYSTEM << 8 | _GETGEN, _REQUEST, self._next(), 0))
        for kind, payload in self._answers():
            if kind != _ERROR:
                return int(struct.unpack("!I", _attributes(payload[4:])[_GENERATION])[0])
        raise OSError(errno.EPROTO, "the kernel does not give its generation")

    def tables(self, family: str) -> dict[str, str]:
        """The tables of a family, each with its comment."""
        return {
            _name(values[_TABLE]): _comment(values.get(_TABLE_USERDATA, b""))
            for values in self._dump(_GETTABLE, family)
        }

    def registered(self, family: str, table: str) -> frozenset[tuple[str, int, int]]:
        """The base chains of a table: their names, and numbers that no other chain ever has.

        The numbers are the handles of the table and of the chain. A chain that is made again, and
        so called by the kernel in another turn, has others.
        """
        handles = {
            _name(values[_TABLE]): struct.unpack("!Q", values[_TABLE_HANDLE])[0]
            for values in self._dump(_GETTABLE, family)
        }
        return frozenset(
            (
                _name(values[_CHAIN_NAME]),
                handles[table],
                struct.unpack("!Q", values[_CHAIN_HANDLE])[0],
            )
            for values in self._dump(_GETCHAIN, family)
            if _CHAIN_HOOK in values and _name(values[_TABLE]) == table
        )

    def rules(self, family: str, table: str) -> dict[str, list[KernelRule]]:
        """The rules of a table by its chains, in their order; empty where there is no table."""
        found: dict[str, list[KernelRule]] = {
            _name(values[_CHAIN_NAME]): []
            for values in self._dump(_GETCHAIN, family)
            if _name(values[_TABLE]) == table
        }
        for values in self._dump(_GETRULE, family, _text(_TABLE, table)):
            if _name(values[_TABLE]) != table:
                continue  # kernels before 4.13 do not look at the table that is named
            found.setdefault(_name(values[_CHAIN]), []).append(
                KernelRule(
                    struct.unpack("!Q", values[_HANDLE])[0],
                    values.get(_EXPRESSIONS, b""),
                    values.get(_USERDATA),
                )
            )
        return found

    def commit(self, generation: int, changes: Iterable[KernelChange]) -> None:
        """Make all changes in one transaction, or none.

        Raises OtherGeneration where the rules are no longer those of ``generation``, and OSError
        where the kernel refuses a change.
        """
        begin = _GENMSG.pack(0, 0, _SUBSYSTEM) + _number(_GENERATION, generation)
        messages = [_raw(_BATCH_BEGIN, _REQUEST, self._next(), begin)]
        last = list(changes)
        for number, change in enumerate(last, 1):
            flags = change.flags | _REQUEST | (_ACK if number == len(last) else 0)
            messages.append(
                _message(
                    _SUBSYSTEM << 8 | change.kind,
                    flags,
                    self._next(),
                    _FAMILIES[change.family],
                    change.body,
                )
            )
        acknowledged = self._sequence
        messages.append(_raw(_BATCH_END, _REQUEST, self._next(), _GENMSG.pack(0, 0, _SUBSYSTEM)))
        self._send(b"".join(messages))
        while True:
            for kind, payload in self._answers(raises=False):
                if kind != _ERROR:
                    continue
                code = -struct.unpack_from("=i", payload)[0]
                sequence = _HEADER.unpack_from(payload, 4)[3]
                if code == errno.ERESTART:
                    raise OtherGeneration
                if code:
                    raise OSError(code, f"the kernel refuses the change: {os.strerror(code)}")
                if sequence == acknowledged:
                    return

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    def _send(self, data: bytes) -> None:
        self._socket.sendto(data, (0, 0))

    def _dump(self, what: int, family: str, body: bytes = b"") -> Iterator[Mapping[int, bytes]]:
        """What the kernel lists, as attributes."""
        kind = _SUBSYSTEM << 8 | what
        self._send(_message(kind, _DUMP_REQUEST, self._next(), _FAMILIES[family], body))
        while True:
            for kind, payload in self._answers():
                if kind == _DONE:
                    return
                yield _attributes(payload[4:])

    def _answers(self, *, raises: bool = True) -> Iterator[tuple[int, bytes]]:
        """What one datagram holds: types with payloads."""
        data = self._socket.recv(_MOST)
        while len(data) >= _HEADER.size:
            length, kind, _, _, _ = _HEADER.unpack_from(data)
            payload = data[_HEADER.size : length]
            if raises and kind == _ERROR and (code := -struct.unpack_from("=i", payload)[0]):
                raise OSError(code, os.strerror(code))
            yield kind, payload
            data = data[_aligned(length) :]


# --- changes --------------------------------------------------------------------------------------


@attrs.frozen
class KernelChange:
    """One message of a transaction."""

    kind: int
    flags: int
    family: str
    body: bytes = attrs.field(repr=False)


def deletion(family: str, table: str, chain: str, handle: int) -> KernelChange:
    """Delete one rule."""
    body = _text(_TABLE, table) + _text(_CHAIN, chain) + _long(_HANDLE, handle)
    return KernelChange(_DELRULE, 0, family, body)


def insertion(
    family: str, table: str, chain: str, rule: KernelRule, protocol: Protocol | None, before: int
) -> KernelChange:
    """Put a copy of a rule before the one with the handle ``before``; 0: at the chain's end."""
    body = _text(_TABLE, table) + _text(_CHAIN, chain)
    body += _attribute(_EXPRESSIONS | _NESTED, rule.expressions)
    if rule.userdata is not None:
        body += _attribute(_USERDATA, rule.userdata)
    if protocol:
        inner = _number(_COMPAT_PROTOCOL, protocol.number)
        inner += _number(_COMPAT_FLAGS, _COMPAT_INVERTED if protocol.inverted else 0)
        body += _attribute(_COMPAT | _NESTED, inner)
    if before:
        return KernelChange(_NEWRULE, _CREATE, family, body + _long(_POSITION, before))
    return KernelChange(_NEWRULE, _CREATE | _APPEND, family, body)


def chain_deletion(family: str, table: str, chain: str) -> KernelChange:
    """Delete a chain without rules."""
    return KernelChange(_DELCHAIN, 0, family, _text(_TABLE, table) + _text(_CHAIN_NAME, chain))


def policy_change(family: str, table: str, chain: str, policy: str) -> KernelChange:
    """Give a base chain another policy."""
    body = _text(_TABLE, table) + _text(_CHAIN_NAME, chain)
    return KernelChange(_NEWCHAIN, 0, family, body + _number(_CHAIN_POLICY, _VERDICTS[policy]))


# --- messages -------------------------------------------------------------------------------------


def _message(kind: int, flags: int, sequence: int, family: int, body: bytes = b"") -> bytes:
    return _raw(kind, flags, sequence, _GENMSG.pack(family, 0, 0) + body)


def _raw(kind: int, flags: int, sequence: int, payload: bytes) -> bytes:
    length = _HEADER.size + len(payload)
    return _HEADER.pack(length, kind, flags, sequence, 0) + _padded(payload)


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + _padded(value)


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode("utf-8", "surrogateescape") + b"\0")


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("!I", value))


def _long(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("!Q", value))


def _attributes(data: bytes) -> Mapping[int, bytes]:
    found = {}
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        found[kind & _TYPE_MASK] = data[_ATTRIBUTE.size : length]
        data = data[_aligned(length) :]
    return found


def _name(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "surrogateescape")


def _comment(userdata: bytes) -> str:
    """The comment in user data, which is a type, a length and a value after the other."""
    while len(userdata) > 2:
        kind, length = userdata[0], userdata[1]
        if kind == _COMMENT:
            return _name(userdata[2 : 2 + length])
        userdata = userdata[2 + length :]
    return ""


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _padded(value: bytes) -> bytes:
    return value + bytes(_aligned(len(value)) - len(value))
