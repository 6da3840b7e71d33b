"""Network namespaces to load rulesets into, and to send packets through."""

from __future__ import annotations

import ctypes
import os
import subprocess
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from benchmarks.processes import find

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CLONE_NEWNET = 0x40000000


class Namespace:
    """A network namespace of its own name, which goes away with the ``with`` block."""

    def __init__(self) -> None:
        self.name = f"vpccni-bench-{uuid.uuid4().hex[:8]}"

    def __enter__(self) -> Self:
        subprocess.run(("ip", "netns", "add", self.name), check=True)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(("ip", "netns", "delete", self.name), check=True)

    def inside(self, *command: str | Path) -> list[str | Path]:
        """The command that runs a command in here."""
        return ["ip", "netns", "exec", self.name, *command]

    def run(self, *command: str | Path, script: str = "") -> str:
        """Run it, and give what it prints."""
        done = subprocess.run(
            self.inside(*command), input=script, stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be in there: sockets and devices that are opened meanwhile belong to it."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            _set_namespace(there)
            yield
        finally:
            _set_namespace(before)
            os.close(there)
            os.close(before)


def _set_namespace(fd: int) -> None:
    """setns(2), which the os module has from Python 3.12 on."""
    if ctypes.CDLL(None, use_errno=True).setns(fd, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "cannot enter a network namespace")


def restorer(backend: str, dump: str | Path) -> Sequence[str | Path] | None:
    """The command by which iptables takes a dump, where that backend is installed."""
    restore = find(f"iptables-{backend}-restore")
    # Legacy programs ask for a lock, which others may hold.
    wait = ("-w", "60") if backend == "legacy" else ()
    return [restore, *wait, dump] if restore else None
