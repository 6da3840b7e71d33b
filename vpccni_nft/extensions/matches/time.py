"""time: the date and the time of day.

Kernel: net/netfilter/xt_time.c, time_mt, in UTC, or with ``--kerneltz`` in the kernel's own zone. A
time of day whose end comes before its start goes over midnight; with ``--contiguous`` what comes
after midnight belongs to the day before.

nft's ``meta hour`` and ``meta time`` (nft_meta.c) are in UTC, ``meta day`` is in the kernel's zone.
Numbers of seconds are read as they stand, where nft takes ``"10:00"`` for a time of the zone of
whoever loads the script. nft compares nanoseconds, so that an end is one second later and left out.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_OPTION, KERNEL_ZONE, NO_NFT_FORM, Problem
from ...core.values import Negatable, parse_integer
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..edges import around
from ..extension import AnyOf, Extension
from ..option_table import Form, Option, OptionTable, Shorthand
from ..placement import ANYWHERE
from ..shared.compare import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...model.algebra import Bool
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece
    from ..options import GivenOptions

LAST_SECOND = 86399
#: What iptables takes for the end of time (INT_MAX).
LAST_DATE = 0x7FFFFFFF

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTH_DAYS = tuple(range(1, 32))
WEEK_DAYS = tuple(range(7))

#: What the parts of a date are that are not written.
_DATE = (1970, 1, 1, 0, 0, 0)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR, _DAY, _TIME = x.Meta("hour"), x.Meta("day"), x.Meta("time")

Days = tuple[int, ...]


@attrs.frozen(kw_only=True)
class Time(Match):
    """``-m time`` with any of its options."""

    start: int = 0  #: second of the day
    stop: int = LAST_SECOND
    month_days: Days = MONTH_DAYS
    week_days: Days = WEEK_DAYS  #: from Monday on
    date_start: int = 0  #: second of the epoch
    date_stop: int | None = None  #: None where it is not written: the end of time
    kernel_zone: bool = False
    contiguous: bool = False


def _parse_time(text: str) -> int:
    found = re.fullmatch(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?", text, re.ASCII)
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (99, 0, 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError(f"“{text}” is not a time of day")
    return (hours * 60 + minutes) * 60 + seconds


def _parse_date(text: str) -> int:
    """Read YYYY[-MM[-DD[Thh[:mm[:ss]]]]]."""
    found = re.fullmatch(
        r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d))?)?)?)?)?", text, re.ASCII
    )
    try:
        if not found:
            raise ValueError
        year, month, day, *clock = (
            int(part or default) for part, default in zip(found.groups(), _DATE, strict=True)
        )
        hour, minute, second = clock
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        seconds = (moment - _EPOCH) // timedelta(seconds=1)
        if not 0 <= seconds <= 0xFFFFFFFF:
            raise ValueError
    except ValueError:
        raise ValueError(f"“{text}” is not a date from 1970 on") from None
    return seconds


def _parse_month_day(text: str) -> int:
    day = parse_integer(text, 31)
    if day == 0:
        raise ValueError("days of a month count from 1")
    return day


def _parse_week_day(text: str) -> int:
    """A name, of which two letters will do, or a number from Monday on."""
    for number, name in enumerate(DAYS):
        if text.lower() in {name.lower(), name[:2].lower()}:
            return number
    day = parse_integer(text, 7)
    if day == 0:
        raise ValueError("days of a week count from 1")
    return day - 1


def _clock(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def _date(second: int) -> str:
    return f"{_EPOCH + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S}"


def meaning(node: Time, view: View) -> Test:
    """The date is between the ends, then the time of day, then the day."""
    algebra = view.state.algebra
    now = view.ask(Oracle(OracleKind.EPOCH_SECOND), width=64)
    second = view.ask_up_to(LAST_SECOND, Oracle(OracleKind.SECOND_OF_DAY), width=32)
    start, stop = algebra.const(node.start, 32), algebra.const(node.stop, 32)
    last = LAST_DATE if node.date_stop is None else node.date_stop
    in_dates = algebra.all(
        algebra.ule(algebra.const(node.date_start, 64), now),
        algebra.ule(now, algebra.const(last, 64)),
    )
    after, before = algebra.ule(start, second), algebra.ule(second, stop)
    in_hours = (algebra.all if node.start < node.stop else algebra.any)(after, before)
    day_fits = _day_fits(node, view, shift=0)
    if node.contiguous:
        of_yesterday = _day_fits(node, view, shift=1)
        day_fits = algebra.any(
            algebra.all(before, of_yesterday), algebra.all(algebra.not_(before), day_fits)
        )
    return Test(algebra.all(in_dates, in_hours, day_fits))


def _day_fits(node: Time, view: View, shift: int) -> Bool:
    """Whether the day so many days before is one of those."""
    algebra = view.state.algebra
    today = view.ask_up_to(6, Oracle(OracleKind.DAY_OF_WEEK), width=8)  # from Sunday on
    fits = algebra.any(
        *(algebra.equal(today, algebra.const((day + 1 + shift) % 7, 8)) for day in node.week_days)
    )
    if len(node.week_days) == len(DAYS):
        fits = algebra.true
    if node.month_days == MONTH_DAYS:
        return fits
    of_month = view.ask(Oracle(OracleKind.DAY_OF_MONTH, parameters=(shift,)), width=8)
    return algebra.all(
        fits,
        algebra.any(*(algebra.equal(of_month, algebra.const(day, 8)) for day in node.month_days)),
    )


def lower(node: Time, context: Context) -> tuple[Piece, ...]:
    """Compare the date, the time of day and the day."""
    if node.month_days != MONTH_DAYS:
        raise context.refuse("nft does not know the day of the month")
    every_day = len(node.week_days) == len(DAYS)
    if node.kernel_zone or not every_day:
        context.approximate(
            KERNEL_ZONE,
            "nft knows the day of the week in the kernel's time zone and all other times in UTC:"
            " the kernel's zone is assumed to be UTC",
        )
    dates = tuple(_compare_dates(node))
    if not node.contiguous or every_day:
        return (*dates, *_compare_hours(node), *_compare_days(node.week_days))
    yesterday = tuple(sorted((day + 1) % 7 for day in node.week_days))
    early = (s.Match(_HOUR, "<=", x.Number(node.stop)), *_compare_days(yesterday))
    late = s.Match(_HOUR, ">=", x.Number(max(node.start, node.stop + 1)))
    return (*dates, AnyOf((early, (late, *_compare_days(node.week_days)))))


def _compare_dates(node: Time) -> Iterator[s.Match]:
    if node.date_start:
        yield s.Match(_TIME, ">=", x.Number(node.date_start))
    last = LAST_DATE if node.date_stop is None else node.date_stop
    yield s.Match(_TIME, "<", x.Number(last + 1))


def _compare_hours(node: Time) -> tuple[s.Match, ...]:
    start, stop = node.start, node.stop
    if (start, stop) == (0, LAST_SECOND):
        return ()
    if start < stop:
        return (s.Match(_HOUR, "==", x.Range(x.Number(start), x.Number(stop))),)
    # Over midnight: all but what is between. The kernel takes equal ends for the whole day.
    first, last = stop + 1, start - 1
    if first > last:
        return ()
    between = x.Number(first) if first == last else x.Range(x.Number(first), x.Number(last))
    return (s.Match(_HOUR, "!=", between),)


def _compare_days(days: Days) -> tuple[s.Match, ...]:
    """nft counts from Sunday on."""
    if len(days) == len(DAYS):
        return ()
    if not days:
        return (NEVER,)
    numbers = tuple(x.Number(number) for number in sorted((day + 1) % 7 for day in days))
    right = numbers[0] if len(numbers) == 1 else x.AnonymousSet(numbers)
    return (s.Match(_DAY, "==", right),)


# --- which packets ------------------------------------------------------------------------------

_SECOND = k.Among((0, 7200, 36000, 79200)) | k.Integers(0, LAST_SECOND)
_SOME_DATE = k.OneOf(LAST_DATE, k.Integers(1, k.FULL))
_DRAW = k.Build(
    Time,
    start=_SECOND,
    stop=k.OneOf(_SECOND, LAST_SECOND),
    month_days=k.Among((MONTH_DAYS, MONTH_DAYS, MONTH_DAYS, (1, 2, 31))),
    week_days=k.OneOf(tuple(range(7)), k.Some(tuple(range(7)))),
    date_start=k.OneOf(0, _SOME_DATE),
    date_stop=k.maybe(_SOME_DATE),
    kernel_zone=k.FLAG,
    contiguous=k.FLAG,
).filter(lambda node: not node.contiguous or node.start >= node.stop)


def aim(node: Time, draft: Draft) -> None:
    """A date, a time of day and a day that fit; at an edge, or between two."""
    last = LAST_DATE if node.date_stop is None else node.date_stop
    middle = (node.date_start + last) // 2
    draft.answer(OracleKind.EPOCH_SECOND, draft.random.choice((node.date_start, last, middle)))
    second = draft.random.choice((node.start, node.stop))
    draft.answer(OracleKind.SECOND_OF_DAY, second)
    shift = int(node.contiguous and second <= node.stop)
    draft.answer(OracleKind.DAY_OF_WEEK, (draft.random.choice(node.week_days) + 1 + shift) % 7)
    oracle = Oracle(OracleKind.DAY_OF_MONTH, parameters=(shift,))
    draft.answer(oracle, draft.random.choice(node.month_days))


def _days(parse: Callable[[str], int], name: Callable[[int], str]) -> Form[Days]:
    return Form(
        "DAY[,DAY...]",
        lambda text: tuple(map(parse, text.split(","))),
        lambda days: ",".join(map(name, days)),
    )


def _of(every: Days) -> Callable[[Negatable[Days]], Days]:
    """What is negated is kept as all the others, as the kernel does."""
    return lambda test: tuple(day for day in every if (day in test.value) is not test.negated)


def _clock_of(field: str) -> Callable[[Time], int | None]:
    """Both ends are printed where one of them is not the usual one."""

    def show(node: Time) -> int | None:
        usual = (node.start, node.stop) == (0, LAST_SECOND)
        return None if usual else getattr(node, field)

    return show


_CLOCK = Form("HH:MM[:SS]", _parse_time, _clock)
_DATES = Form("YYYY-MM-DDTHH:MM:SS", _parse_date, _date)

_OPTIONS = OptionTable.of(
    Option("--timestart", _CLOCK, "start", show=_clock_of("start")),
    Option("--timestop", _CLOCK, "stop", show=_clock_of("stop")),
    Option(
        "--monthdays",
        _days(_parse_month_day, str),
        "month_days",
        negatable=True,
        keep=_of(MONTH_DAYS),
    ),
    Option(
        "--weekdays",
        _days(_parse_week_day, DAYS.__getitem__),
        "week_days",
        negatable=True,
        keep=_of(WEEK_DAYS),
    ),
    Option("--datestart", _DATES, "date_start"),
    Option("--datestop", _DATES, "date_stop"),
    Option("--kerneltz", field="kernel_zone"),
    Option("--contiguous", field="contiguous"),
    Shorthand("--utc", lambda: (), words=0),
    completed=lambda given, _family: {"--datestop": (_date(LAST_DATE),)} | given,
)


def build(options: GivenOptions) -> Time:
    """Read the options."""
    node = _OPTIONS.build(Time, options)
    if node.contiguous and node.start < node.stop:
        raise Problem(BAD_OPTION, "--contiguous goes over midnight", span=options.span)
    return node


EXTENSION = Extension(
    name="time",
    node=Time,
    options=_OPTIONS,
    build=build,
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=_DRAW,
    aim=aim,
    edges=lambda node: {
        Oracle(OracleKind.EPOCH_SECOND): around(node.date_start, node.date_stop),
        Oracle(OracleKind.SECOND_OF_DAY): around(node.start, node.stop),
        Oracle(OracleKind.DAY_OF_WEEK): tuple(range(7)),
    },
    nft="meta hour FIRST-LAST, meta day { DAYS }, meta time < END",
    codes=(KERNEL_ZONE, NO_NFT_FORM),
)
