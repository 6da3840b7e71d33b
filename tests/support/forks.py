"""Processes that are forked from the tests' own: with all that is loaded there they begin at once.

A process of Python takes most of a second until it has what a proof needs, and tests of moves and
of faults start hundreds.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import vpccni_nft
from vpccni_nft.cli import main

from .dumps import DUMP

# From sched.h and sys/mount.h.
_NEW_NETWORK, _NEW_MOUNTS = 0x40000000, 0x00020000
_BIND, _RECURSIVE, _PRIVATE = 0x1000, 0x4000, 0x40000

_libc = ctypes.CDLL(None, use_errno=True)


@functools.cache
def load_all() -> None:
    """Load what commands need: the parsers, and the solver. What is forked later has it."""
    vpccni_nft.verify(DUMP, vpccni_nft.translate(DUMP).script())


class Forked:
    """A process in a session of its own that does some work; what it prints goes to a file."""

    def __init__(self, work: Callable[[], int], output: Path) -> None:
        self.output = output
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid:
            return
        code = 70
        try:
            os.setsid()
            # What is there already stays: to look through it for garbage would copy all of it.
            gc.freeze()
            self._redirect()
            code = work()
        except BaseException:  # noqa: BLE001 - the output has it, the code says that it was
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(code)

    def _redirect(self) -> None:
        handle = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number in (1, 2):
            os.dup2(handle, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - those of a process stay open
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115

    def wait(self, timeout: float = 120) -> int:
        """The exit code; negative for a signal. AssertionError where it does not end in time."""
        end = time.monotonic() + timeout
        while self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                self.kill()
                os.waitpid(self.pid, 0)
                raise AssertionError(f"a process does not end: {self.output.read_text()}")
            else:
                time.sleep(0.02)
        return self.returncode

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def communicate(self, timeout: float = 120) -> tuple[str, None]:
        """Wait; what it has printed, as of ``subprocess.Popen``."""
        self.wait(timeout)
        return self.output.read_text(), None


def enter_network(name: str) -> None:
    """Take this process into a named network namespace."""
    handle = os.open(f"/run/netns/{name}", os.O_RDONLY)
    _checked(_libc.setns(handle, _NEW_NETWORK), "setns")
    os.close(handle)


def put_over(folder: Path, place: str) -> None:
    """Let this process, and those that it starts, see a folder in another one's place."""
    _checked(_libc.unshare(_NEW_MOUNTS), "unshare")
    _checked(_libc.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None), "mount")
    _checked(_libc.mount(os.fsencode(folder), place.encode(), None, _BIND, None), "mount")


def _checked(failed: int, what: str) -> None:
    if failed:
        raise OSError(ctypes.get_errno(), what)


def command_line(*arguments: str) -> int:
    """The command, in a process that is forked for it; its exit code."""
    sys.argv = ["vpccni-nft", *arguments]
    try:
        main()
    except SystemExit as ended:
        sys.stdout.flush()
        sys.stderr.flush()
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0
