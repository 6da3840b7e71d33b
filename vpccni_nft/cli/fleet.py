"""Examine many nodes: lines of JSON as they finish, and a summary."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from ..core.render import printable
from ..fleet import FleetSettings, read_fleet
from ..fleet.report import EQUIVALENT
from ..fleet.summary import COUNTED, Summary
from ..fleet.survey import spread, survey
from .files import write_output
from .report import paint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..fleet import Fleet
    from ..fleet.report import Report

#: The most nodes that are told one by one on standard error.
SHOWN = 50

_COLOURS = {"equivalent": "alike", "different": "different", "refused": "different"}


def examine_folder(
    folder: str, settings: FleetSettings, *, output: str | None, backend: str, jobs: int
) -> int:
    """Examine a folder of nodes; what is given back is the exit code."""
    fleet = _read(folder)
    summary = Summary()
    told = 0
    with (
        _lines(output) as write,
        _cluster(backend),
        spread(backend, jobs),
        _progress(len(fleet.nodes)) as advance,
    ):
        for report in survey(fleet, settings):
            summary.add(report)
            write(report)
            told += report["answer"] != EQUIVALENT
            advance(_line_of(report) if report["answer"] != EQUIVALENT and told <= SHOWN else "")
    if told > SHOWN:
        click.echo(f"... and {told - SHOWN} more", err=True)
    for file in fleet.ignored:
        click.echo(f"ignored: {printable(file)}", err=True)
    text = "".join(f"{line}\n" for line in _lines_of(summary))
    if output == "-":
        click.echo(text, nl=False, err=True)
    else:
        write_output(text, "-")
    return summary.exit_code


def _read(folder: str) -> Fleet:
    try:
        fleet = read_fleet(folder)
    except OSError as error:
        raise click.UsageError(f"cannot read {printable(folder)}: {error.strerror}") from None
    if not fleet.nodes:
        raise click.UsageError(f"there is no node in {printable(folder)}")
    return fleet


@contextmanager
def _lines(output: str | None) -> Iterator[Callable[[Report], None]]:
    """Writes reports, each in one piece and at once."""
    if output is None:
        yield lambda _: None
        return
    file = _open(output)
    try:
        yield lambda report: _write(file, json.dumps(report) + "\n", output)
    finally:
        if file is not sys.stdout:
            file.close()


def _open(output: str) -> TextIO:
    if output == "-" and sys.stdout is not None:
        return sys.stdout
    try:
        return Path(output).open("w", encoding="ascii")
    except OSError as error:
        raise click.UsageError(f"cannot write {printable(output)}: {error.strerror}") from None


def _write(file: TextIO, line: str, output: str) -> None:
    try:
        file.write(line)
        file.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.UsageError(f"cannot write {printable(output)}: {error.strerror}") from None


@contextmanager
def _cluster(backend: str) -> Iterator[None]:
    """What joblib's back ends of other projects need to be there."""
    try:
        if backend == "dask":
            from distributed import Client

            with Client():
                yield
            return
        if backend == "ray":
            from ray.util.joblib import register_ray

            register_ray()
    except ImportError as missing:
        raise click.UsageError(f"--backend {backend}: {missing}") from None
    yield


# --- what is shown --------------------------------------------------------------------------------


def _line_of(report: Report) -> str:
    """A node that is not as it should be, and why."""
    answer = report["answer"]
    why = [*report["reasons"]]
    for name, dump in report["dumps"].items():
        why += (f"{name}: {packet['packet']}" for packet in dump["packets"][:1])
    first: dict[str, str] = {}
    for one in report["diagnostics"]:
        if one["refuses"] or one["kind"] == "unknown":
            first.setdefault(one["code"], one["message"])
    why += (f"{code} ({report['codes'][code]}): {message}" for code, message in first.items())
    coloured = paint(f"{answer}:", _COLOURS.get(answer, "unknown"))
    return f"{printable(report['node'])}: {coloured} {printable('; '.join(why))}"


def _lines_of(summary: Summary) -> Iterator[str]:
    count, like = summary.nodes["all"], summary.nodes["like"]
    yield f"{count:,} node{'s' * (count != 1)}, {like:,} of them with the same rules as another one"
    wide = max(map(len, COUNTED.values()))
    before = ""
    for title, value, nodes in summary.rows():
        if title != before:
            yield ""
        yield f"{title if title != before else '':<{wide}}  {nodes:>7,}  {value}"
        before = title


@contextmanager
def _progress(nodes: int) -> Iterator[Callable[[str], None]]:
    """Takes what is to be told of each node, which may be nothing."""
    if not sys.stderr.isatty():
        yield lambda told: click.echo(told, err=True) if told else None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.text import Text

    columns: tuple[Any, ...] = (TextColumn("examining"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=nodes)

        def advance(told: str) -> None:
            if told:
                bar.console.print(Text.from_ansi(told), soft_wrap=True)
            bar.advance(task)

        yield advance
