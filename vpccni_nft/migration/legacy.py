"""Edit a table of iptables-legacy that is exactly as it was read.

A program of iptables-legacy reads a whole table and replaces it. What keeps two of them apart is a
lock on a file (iptables/xshared.c, xtables_lock), which all of them take: iptables, kube-proxy, the
CNI and Felix. It is held here while a table is read, compared and replaced.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import time
from typing import TYPE_CHECKING

from ..core.errors import CannotRead
from ..core.values import Family
from .edits import TableChanged
from .programs import ProgramFailed, run
from .saved import broken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .edits import Edit
    from .moves import TableMove
    from .saved import SavedTable

LOCK = "/run/xtables.lock"

#: What the program that edits takes as its lock, since the real one is held for it.
_OTHER_LOCK = "/dev/null"

#: Exit code of iptables where another program holds the lock (XTABLES_EXIT: RESOURCE_PROBLEM).
_LOCKED = 4

#: Seconds to wait for the lock.
_PATIENCE = 30

#: How often a table is read that other programs write meanwhile.
_ATTEMPTS = 20

#: linux/netfilter_ipv4/ip_tables.h and its twin: IPT_SO_GET_INFO at SOL_IP or SOL_IPV6, and struct
#: ipt_getinfo, of which the last but one number is how many entries a table has.
_GET_INFO = 64
_LEVELS = {Family.IP: (socket.AF_INET, 0), Family.IP6: (socket.AF_INET6, 41)}
_INFO = struct.Struct("=32s13I")


def present(move: TableMove) -> SavedTable:
    """The table as it is now. Raises CannotRead, ProgramFailed and OSError.

    What is printed is held against how many rules the kernel has: see ``SavedTable.printed``.
    """
    for _ in range(_ATTEMPTS):
        table = move.now()
        if not table.chains or _entries_of(table) == _entries(move):
            return table
    raise CannotRead(broken(move.table))


def _entries_of(table: SavedTable) -> int:
    """How many entries a table is for the kernel.

    A rule is one, and so is a policy; a user-defined chain has a head and a tail; one ends all.
    """
    return 1 + sum(len(one.rules) + (1 if one.built_in else 2) for one in table.chains)


def _entries(move: TableMove) -> int:
    """How many entries the kernel has of a table. Raises OSError."""
    kind, level = _LEVELS[move.family]
    answer = ctypes.create_string_buffer(_INFO.pack(move.table.encode(), *[0] * 13), _INFO.size)
    size = ctypes.c_uint32(_INFO.size)
    library = ctypes.CDLL(None, use_errno=True)
    with socket.socket(kind, socket.SOCK_DGRAM) as asked:
        if library.getsockopt(asked.fileno(), level, _GET_INFO, answer, ctypes.byref(size)):
            code = ctypes.get_errno()
            raise OSError(code, f"{move.program}, the table {move.table}: {os.strerror(code)}")
    return int(_INFO.unpack(answer.raw)[-2])


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Hold the lock of all programs of iptables-legacy. Raises ProgramFailed."""
    handle = os.open(LOCK, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > until:
                    raise ProgramFailed(
                        f"another program has held {LOCK} for {_PATIENCE} s", _LOCKED
                    ) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(handle)


def commit(move: TableMove, edit: Edit) -> None:
    """Carry an edit out; the lock is held. Raises TableChanged and ProgramFailed.

    Where the table is not the edit's, nothing is changed.
    """
    if present(move) != edit.now:
        raise TableChanged
    _restore(move.program, edit.script())
    if move.now() != edit.result:
        raise ProgramFailed(f"{move.name}: another program changes it without iptables' lock", -1)


def _restore(program: str, script: str) -> None:
    """Give a script to iptables-restore, for which the lock is held here."""
    arguments = (f"{program}-restore", "--noflush", "--counters", "--wait", "1")
    try:
        run(*arguments, given=script, environment={"XTABLES_LOCKFILE": _OTHER_LOCK})
    except ProgramFailed as failed:
        if failed.code != _LOCKED:
            raise
        # Before 1.8.6 it takes no other lock. So it gets its own view of the file.
        mounted = f'mount --bind {_OTHER_LOCK} {LOCK} && exec "$@"'
        run("unshare", "--mount", "sh", "-c", mounted, "sh", *arguments, given=script)
