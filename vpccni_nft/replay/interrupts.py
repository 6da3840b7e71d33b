"""Signals that end a program are held back while what it leaves behind would stay.

Namespaces outlive the program that made them. Between making one and noting that it has to go, and
while it goes, nothing may come in between: neither here nor in ip(8), which a terminal's Ctrl-C
reaches as well. A mask of blocked signals is inherited by programs that are started under it, so
the agents inside the namespaces never see a Ctrl-C: they end when their input does.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def held() -> Iterator[set[signal.Signals]]:
    """Hold back the signals; one that has come meanwhile takes effect at the end.

    What is given is the mask of before, for ``masked``.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield {signal.Signals(number) for number in before}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def masked(mask: Iterable[signal.Signals]) -> Iterator[None]:
    """Block these signals and no others: within ``held``, let signals take effect for a while."""
    before = signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
