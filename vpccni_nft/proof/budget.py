"""What a whole proof may take: time, and room for terms.

The time of one question to the solver says nothing of how long the terms of it are made: chains
that each lead twice to the next one double them with every chain.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import attrs

from ..core.diagnostics import NO_ROOM, TIMED_OUT, Diagnostic

#: How many terms there may be: about 2 GB of them.
MOST_TERMS = 4_000_000

#: How much memory a proof may take, in megabytes, beside what the process had before it.
MOST_MEGABYTES = 4096

#: Where Linux shows how many pages a process has.
_STATM = Path("/proc/self/statm")

#: How many terms are made before the clock is looked at again.
_OFTEN = 512


def _megabytes() -> float:
    """How much memory this process has; 0 where that is not known."""
    try:
        pages = int(_STATM.read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class GaveUp(Exception):  # noqa: N818 - an answer, not a mistake
    """The whole proof has taken what it may; ``reason`` says what."""

    def __init__(self, reason: Diagnostic) -> None:
        super().__init__(reason.message)
        self.reason = reason


@attrs.frozen
class Budget:
    """What is left of a proof's time and room."""

    timeout: float | None = None  #: seconds for everything; None: any time
    most_terms: int = MOST_TERMS  #: for the hooks of one family
    most_megabytes: float = MOST_MEGABYTES  #: for everything
    _started: float = attrs.field(factory=time.monotonic, init=False)
    _at_first: float = attrs.field(factory=_megabytes, init=False)

    @property
    def seconds_left(self) -> float:
        """How long the proof may still take."""
        if self.timeout is None:
            return float("inf")
        return self.timeout - (time.monotonic() - self._started)

    def check(self) -> None:
        """Raise GaveUp where the time is over, or the memory used up."""
        if _megabytes() - self._at_first > self.most_megabytes:
            raise self.no_room(f"the proof has used up its {self.most_megabytes:g} MB of memory")
        self.check_time()

    def check_time(self) -> None:
        """Raise GaveUp where the time is over: for what is done often."""
        if self.timeout is not None and self.seconds_left <= 0:
            message = f"the whole proof has used up its {self.timeout:g} s"
            hint = "give it more time with --timeout, or fewer rules at once"
            raise GaveUp(Diagnostic(TIMED_OUT, message, hint=hint))

    def no_room(self, message: str) -> GaveUp:
        """That the proof has grown too large."""
        return GaveUp(Diagnostic(NO_ROOM, message, hint="compare fewer rules at once"))

    def check_terms(self, count: int) -> None:
        """The same for so many terms, now and then; and where they are too many."""
        if not count or count % _OFTEN:
            return
        self.check()
        if count >= self.most_terms:
            raise self.no_room("the proof has reached its limit of terms")
