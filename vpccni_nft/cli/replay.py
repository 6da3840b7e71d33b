"""Replay packets through two rulesets, and show what differs."""

from __future__ import annotations

import json
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ..core.diagnostics import Refused
from ..core.render import printable
from ..replay.comparison import compare
from ..replay.report import dict_of, text_of
from ..replay.side import Backend, ReplayError
from ..replay.testbed import ReplaySettings
from ..simulate.packet_text import BadPacketText, parse_packet
from .files import one_standard_input, read_sources, write_output
from .report import show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..core.values import Family
    from ..replay.differential import Tally
    from ..simulate.packet_text import PacketText

ALIKE, DIFFERENT, CANNOT_RUN, UNKNOWN = 0, 1, 2, 3

_COLOURS = {
    "before": "red", "after": "green", "alike": "green", "different": "red", "faint": "bright_black"
}  # fmt: skip

#: What can be done about it, by what a program says when it refuses a ruleset.
_HINTS = (
    (
        ("ipset", "Set "),
        "--ipset-save takes what “ipset save” prints, with every set that rules name",
    ),
    (
        ("Extension", "No chain/target/match", "missing kernel module", "Couldn't load"),
        "the kernel here lacks what a rule uses: load its module, or try the other --backend",
    ),
    (
        ("Error: ", "syntax error"),
        "“nft -c -f FILE” checks a script; a dump of iptables-save has lines such as *filter",
    ),
    (("Operation not permitted",), "this needs root with all capabilities, as on the node itself"),
)


def replay_files(
    before: tuple[str, ...],
    after: tuple[str, ...],
    settings: ReplaySettings,
    *,
    ipset_save: str | None,
    packets: int,
    text: str | None,
    family: Family | None,
    as_json: bool,
) -> int:
    """Replay, and write what was found; the answer is the exit code."""
    one_standard_input(*before, *after, ipset_save)
    sets = read_sources((ipset_save,))[0] if ipset_save else None
    try:
        with _ended_by_signals(), _progress(packets, quiet=as_json or bool(text)) as progress:
            result = compare(
                read_sources(before),
                read_sources(after),
                packets=packets,
                ipset_save=sets,
                settings=settings,
                family=family,
                packet=_packet_of(text) if text else None,
                progress=progress,
            )
    except Refused as refused:
        show(refused.diagnostics, notes=False)
        return CANNOT_RUN
    except ReplayError as error:
        _explain(str(error))
        return CANNOT_RUN
    if as_json:
        write_output(json.dumps(dict_of(result), indent=2) + "\n", "-")
    else:
        click.echo(text_of(result, _paint), nl=False)
    return {True: ALIKE, False: DIFFERENT, None: UNKNOWN}[result.alike]


def settings_of(seed: int, backend: str, *, kernel_log: bool) -> ReplaySettings:
    """How the command's options say that the two are held against each other."""
    return ReplaySettings(seed=seed, backend=Backend(backend), kernel_log=kernel_log)


def _packet_of(text: str) -> Callable[[Family], PacketText]:
    """Reads the packet, once the family of the rulesets is known."""

    def read(family: Family) -> PacketText:
        try:
            return parse_packet(text, family)
        except BadPacketText as error:
            raise click.UsageError(printable("; ".join(error.problems))) from None

    return read


def _explain(reason: str) -> None:
    first, *rest = (printable(line.expandtabs(1)) for line in reason.splitlines() if line)
    click.echo(f"cannot replay: {first}", err=True)
    for line in rest:
        click.echo(f"  {line}", err=True)
    for words, hint in _HINTS:
        if any(word in reason for word in words):
            click.echo(f"  hint: {hint}", err=True)
            return


def _paint(text: str, role: str) -> str:
    return click.style(text, fg=_COLOURS[role], bold=role in {"alike", "different"})


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let the signals that end a program end this one as an exception, so that it tidies up."""

    def end(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = {one: signal.signal(one, end) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def _progress(packets: int, *, quiet: bool) -> Iterator[Callable[[Tally], None] | None]:
    """A bar on a terminal; without a thread of its own, which would take the signals held back."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns: tuple[Any, ...] = (
        TextColumn("replaying"), BarColumn(), TextColumn("{task.completed:,.0f} packets"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(
        *columns, console=Console(stderr=True), transient=True, auto_refresh=False
    ) as bar:
        task = bar.add_task("", total=packets)

        def show_progress(tally: Tally) -> None:
            if tally.packets != bar.tasks[0].completed:
                bar.update(task, completed=tally.packets, refresh=True)

        yield show_progress
