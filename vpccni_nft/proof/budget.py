"""What a whole proof may take: time, and room for terms.

The time of one question to the solver says nothing of how long the terms of it are made: chains
that each lead twice to the next one double them with every chain.
"""

from __future__ import annotations

import time

import attrs

from ..core.diagnostics import NO_ROOM, TIMED_OUT, Diagnostic

#: How many terms there may be: about 2 GB of them.
MOST_TERMS = 4_000_000

#: How many terms are made before the clock is looked at again.
_OFTEN = 512


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
    _started: float = attrs.field(factory=time.monotonic, init=False)

    @property
    def seconds_left(self) -> float:
        """How long the proof may still take."""
        if self.timeout is None:
            return float("inf")
        return self.timeout - (time.monotonic() - self._started)

    def check(self) -> None:
        """Raise GaveUp where the time is over."""
        if self.timeout is not None and self.seconds_left <= 0:
            message = f"the whole proof has used up its {self.timeout:g} s"
            hint = "give it more time with --timeout, or fewer rules at once"
            raise GaveUp(Diagnostic(TIMED_OUT, message, hint=hint))

    def check_terms(self, count: int) -> None:
        """The same for so many terms, now and then; and where they are too many."""
        if not count or count % _OFTEN:
            return
        self.check()
        if count >= self.most_terms:
            message = "the proof has reached its limit of terms"
            raise GaveUp(Diagnostic(NO_ROOM, message, hint="compare fewer rules at once"))
