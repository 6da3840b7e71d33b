"""Edit a table of iptables-legacy that is exactly as it was read.

A program of iptables-legacy reads a whole table and replaces it. What keeps two of them apart is a
lock on a file (iptables/xshared.c, xtables_lock), which all of them take: iptables, kube-proxy, the
CNI and Felix. It is held here while a table is read, compared and replaced.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

from .edits import TableChanged
from .programs import ProgramFailed, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .edits import Edit
    from .moves import TableMove

LOCK = "/run/xtables.lock"

#: What the program that edits takes as its lock, since the real one is held for it.
_OTHER_LOCK = "/dev/null"

#: Exit code of iptables where another program holds the lock (XTABLES_EXIT: RESOURCE_PROBLEM).
_LOCKED = 4

#: Seconds to wait for the lock.
_PATIENCE = 30


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
    if move.now() != edit.now:
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
