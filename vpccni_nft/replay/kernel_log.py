"""What rules write to the kernel's log, which is one for all namespaces."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SETTING = Path("/proc/sys/net/netfilter/nf_log_all_netns")

#: What differs from packet to packet though the rules are the same.
_OWN = re.compile(r" (?:ID|SEQ|ACK|MAC)=\S*")


class KernelLog:
    """Reads /dev/kmsg from now on. A line begins with its level, from 0 to 7."""

    def __init__(self) -> None:
        self._fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        self.skip()

    def skip(self) -> None:
        """Leave out what is there until now."""
        os.lseek(self._fd, 0, os.SEEK_END)

    def read(self) -> Iterator[str]:
        """The lines about packets that are new."""
        while True:
            try:
                record = os.read(self._fd, 8192).decode("utf-8", "replace")
            except BlockingIOError:
                return
            except BrokenPipeError:
                continue  # older lines have been overwritten
            head, _, text = record.partition(";")
            line = text.partition("\n")[0]
            if "IN=" in line and "OUT=" in line:
                yield f"{int(head.partition(',')[0]) & 7} {_OWN.sub('', line)}".rstrip()


@contextmanager
def logging_in_namespaces() -> Iterator[None]:
    """Let rules in namespaces write to the kernel's log, which they usually may not."""
    before = _SETTING.read_text()
    _SETTING.write_text("1\n")
    try:
        yield
    finally:
        _SETTING.write_text(before)
