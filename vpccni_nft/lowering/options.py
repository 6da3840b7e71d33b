"""What a caller may choose about a translation."""

from __future__ import annotations

import enum

import attrs

from ..core.diagnostics import Code


class CounterMode(enum.Enum):
    """What becomes of the rules' counters."""

    KEEP = "keep"  #: count on from the numbers in the dump
    ZERO = "zero"  #: count from zero
    NONE = "none"  #: do not count


@attrs.frozen(kw_only=True)
class Options:
    """The choices of one translation."""

    counters: CounterMode = CounterMode.KEEP
    allowed: frozenset[Code] = frozenset()  #: approximations that are not refused
