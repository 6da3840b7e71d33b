"""Rates of packets, which ``limit`` and ``hashlimit`` keep packets to.

Kernel: net/netfilter/xt_limit.c, xt_hashlimit.c, nft_limit.c. Both sides fill a bucket of ``burst``
packets by one packet a period. iptables keeps the period as a whole number of small steps (a
fraction of a second, 10000 or 1000000 of them) and fills the bucket once a timer tick, nft counts
nanoseconds. So where a tick brings more packets than the bucket takes, iptables lets pass fewer
than its rate says, and how many depends on the kernel's HZ.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import RATE_BY_TICKS
from ...model.oracle import Bound
from ...nft import statements as s
from .. import kinds as k

if TYPE_CHECKING:
    from ..context import Context

#: Seconds of the units, as iptables-save writes them, the longest first.
UNITS = {"day": 86400, "hour": 3600, "min": 60, "sec": 1}

#: The units as they may be written; every beginning of them will do (libxt_limit.c, parse_rate).
_WORDS = {"second": "sec", "minute": "min", "hour": "hour", "day": "day"}

#: Ticks a second of the slowest kernel (CONFIG_HZ).
SLOWEST_TICKS = 100

#: nft's words for the units.
_PERIODS = {"sec": "second", "min": "minute", "hour": "hour", "day": "day"}


def written_unit(text: str) -> str:
    """The unit of a rate as it is written; seconds where there is none.

    >>> written_unit("5/m"), written_unit("5")
    ('min', 'sec')
    """
    _, slash, word = text.partition("/")
    if not slash:
        return "sec"
    for long, unit in _WORDS.items():
        if word and long.startswith(word.lower()):
            return unit
    raise ValueError(f"“{text}” is not a rate per second, minute, hour or day")


@attrs.frozen
class Rate:
    """So many packets a unit of time, as iptables-save prints them."""

    amount: int
    unit: str  #: of UNITS

    @classmethod
    def parse(cls, text: str, steps: int) -> Rate:
        """Read ``5/sec``, ``5/minute`` or ``5`` as libxtables does, with so many steps a second.

        >>> str(Rate.parse("60/min", 10000)), str(Rate.parse("6000/second", 10000))
        ('1/sec', '10000/sec')
        """
        number = text.partition("/")[0]
        if not re.fullmatch("[0-9]{1,18}", number, re.ASCII) or int(number) == 0:
            raise ValueError(f"“{text}” is not a rate")
        period = steps * UNITS[written_unit(text)] // int(number)
        if period == 0:
            raise ValueError(f"the rate {text} is too fast")
        return cls.of_period(period, steps)

    @classmethod
    def of_period(cls, period: int, steps: int) -> Rate:
        """The rate that is printed for a period (print_rate): in the shortest unit that fits."""
        found, *shorter = UNITS
        for unit in shorter:
            whole = steps * UNITS[unit]
            if period > whole or whole // period < whole % period:
                break
            found = unit
        return cls(steps * UNITS[found] // period, found)

    def __str__(self) -> str:
        return f"{self.amount}/{self.unit}"

    def bound(self, burst: int, interval: int | None = None) -> Bound:
        """What the rate lets pass."""
        unit = {"sec": "second", "min": "minute"}.get(self.unit, self.unit)
        return Bound(self.amount, per=unit, burst=burst, interval=interval)

    def lower(self, burst: int, *, over: bool, context: Context) -> s.Limit:
        """The bucket of nft, where it means the same."""
        if self.amount > SLOWEST_TICKS * burst * UNITS[self.unit]:
            context.approximate(
                RATE_BY_TICKS,
                f"at a burst of {burst} iptables lets pass {burst} packets a timer tick,"
                f" where nft lets pass {self}",
            )
        return s.Limit(self.amount, _PERIODS[self.unit], burst, over)


def rates(steps: int) -> k.ValueKind:
    """Rates as they are printed; some of those that can be written are printed otherwise."""
    return k.Build(
        lambda amount, unit: Rate.parse(f"{amount}/{unit}", steps),
        k.Integers(1, 9) | k.Integers(1, steps),
        k.Among(UNITS),
    ).filter(lambda rate: Rate.parse(str(rate), steps) == rate)
