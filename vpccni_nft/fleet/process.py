"""Examine a node in a process that may die or take too long, and do no harm by it.

A proof runs in a solver that is not Python, and a dump is whatever was saved. So each worker
of joblib has a process beside it, which takes one node after the other. Where it dies, another one
is started for the next node.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from .report import FAILED, UNKNOWN, Report, new_report

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Where the package is, for a worker that does not find it by itself.
_ROOT = Path(__file__).parent.parent.parent

#: The processes of this one that have nothing to do.
_idle: list[_Process] = []


def ask_apart(task: Mapping[str, Any], seconds: float) -> Report:
    """Do a task of ``worker``; where there is no answer in time, the report says why."""
    process = _take()
    reply = process.ask(json.dumps(task), seconds)
    if reply:
        _idle.append(process)
        report: Report = json.loads(reply)
        return report
    if process.late.is_set():
        return new_report(UNKNOWN, f"no answer within {seconds:g} s")
    return new_report(FAILED, f"the process that examined it {process.end()}")


def stop_idle() -> None:
    """End the processes that have nothing to do."""
    while _idle:
        _idle.pop().close()


@attrs.frozen
class _Process:
    popen: subprocess.Popen[str]
    late: threading.Event = attrs.Factory(threading.Event)  #: whether its time was over

    @classmethod
    def start(cls) -> _Process:
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        return cls(
            subprocess.Popen(
                # Without the folder that the command runs in, which may hold anything.
                [sys.executable, "-P", "-m", "vpccni_nft.fleet.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                encoding="ascii",
            )
        )

    def ask(self, task: str, seconds: float) -> str:
        """The answer; an empty one where the process has ended, or was ended for its time."""
        assert self.popen.stdin
        assert self.popen.stdout
        watchdog = threading.Timer(seconds, self._give_up)
        watchdog.start()
        try:
            self.popen.stdin.write(task + "\n")
            self.popen.stdin.flush()
            reply = self.popen.stdout.readline()
        except BrokenPipeError:
            reply = ""
        finally:
            watchdog.cancel()
        if not reply.endswith("\n") or self.late.is_set():
            self.close()
            return ""
        return reply

    def _give_up(self) -> None:
        self.late.set()
        self.popen.kill()

    def end(self) -> str:
        """How it ended."""
        code = self.popen.wait()
        if code < 0:
            hint = ", as the kernel does where memory runs out" * (code == -signal.SIGKILL)
            return f"was ended by {signal.Signals(-code).name}{hint}"
        return f"exited with {code}"

    def close(self) -> None:
        """Let it end, and wait until it has."""
        # What was still to be written to it cannot be.
        with contextlib.suppress(BrokenPipeError), self.popen:
            pass


def _take() -> _Process:
    """A process that is there already, or another one."""
    while True:
        try:
            process = _idle.pop()
        except IndexError:
            return _Process.start()
        if process.popen.poll() is None:
            return process
