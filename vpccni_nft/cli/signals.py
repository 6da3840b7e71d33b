"""End as an exception where a signal would end the program, so that nothing is left behind."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let the signals that end a program end this one as an exception, so that it tidies up."""

    def end(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = {one: signal.signal(one, end) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
