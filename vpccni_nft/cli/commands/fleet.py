"""Examine many nodes."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from ...core.exit_codes import ExitCode
from ...core.render import printable
from ..command import Command
from ..files import write_output
from ..options import ALLOW, COUNTERS, SECONDS, require_solver
from ..render import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...fleet.report import Report
    from ...fleet.summary import Summary
    from ...node.files import Fleet

#: The most nodes that are named one by one on standard error.
SHOWN = 50


@click.command(
    cls=Command,
    exits={
        ExitCode.DONE: "all nodes are proved equivalent",
        ExitCode.REFUSED: "some are refused or different",
        ExitCode.USAGE: "wrong usage, no node can be read, or joblib or z3-solver is missing",
        ExitCode.UNKNOWN: "some are unknown, failed or unreadable; none is refused or different",
    },
    examples=(
        "vpccni-nft fleet dumps/",
        "vpccni-nft fleet dumps/ --allow T101 -o nodes.jsonl --jobs 8",
        "vpccni-nft fleet dumps/ -o - | jq -r 'select(.answer != \"equivalent\") | .node'",
        "DASK_SCHEDULER_ADDRESS=tcp://scheduler:8786 vpccni-nft fleet dumps/ --backend dask",
    ),
)
@click.argument("folder", metavar="DIR")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write a line of JSON for each node as it finishes; - is standard output.",
)
@ALLOW
@COUNTERS
@SECONDS
@click.option(
    "--node-seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=600,
    show_default=True,
    metavar="S",
    help="The total time for each node.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many nodes to examine at a time; by default one for each processor.",
)
@click.option(
    "--backend",
    type=click.Choice(["threading", "loky", "multiprocessing", "dask", "ray"]),
    default="threading",
    show_default=True,
    help="How joblib distributes the nodes; dask and ray run on a cluster.",
)
def fleet(
    folder: str,
    output: str | None,
    allow: tuple[str, ...],
    *,
    counters: bool,
    seconds: float,
    node_seconds: float,
    jobs: int | None,
    backend: str,
) -> ExitCode:
    """Examine many nodes: back ends, owners, translation and proof of each.

    DIR has a file or a folder for each node: NODE.save and NODE.nft, or NODE/iptables-nft.save and
    others. A node that cannot be examined does not stop the rest. Needs joblib and z3-solver:
    pip install 'vpccni-nft[fleet]'.
    """
    require_solver()
    try:
        from ...fleet.survey import spread, survey
    except ImportError as missing:
        if missing.name != "joblib":
            raise
        raise click.UsageError(missing.msg) from None
    from ...fleet import FleetSettings
    from ...fleet.report import EQUIVALENT
    from ...fleet.summary import Summary
    from ..render.fleet import line_of

    settings = FleetSettings(
        allow=allow, counters=counters, seconds=seconds, node_seconds=node_seconds
    )
    nodes = _read(folder)
    summary = Summary()
    others = 0
    try:
        with (
            _lines(output) as write,
            spread(backend, jobs or -1),
            progress.of_fleet(len(nodes.nodes)) as advance,
        ):
            for report in survey(nodes, settings):
                summary.add(report)
                write(report)
                is_other = report["answer"] != EQUIVALENT
                others += is_other
                advance(line_of(report) if is_other and others <= SHOWN else "")
    except KeyboardInterrupt:
        click.echo("interrupted; every line that was written is complete", err=True)
        return ExitCode.INTERRUPTED
    _show(summary, others, nodes.ignored, output)
    return summary.exit_code


def _show(summary: Summary, others: int, ignored: tuple[str, ...], output: str | None) -> None:
    from ..render.fleet import lines_of

    if others > SHOWN:
        click.echo(f"... and {others - SHOWN} more", err=True)
    for file in ignored:
        click.echo(f"ignored: {printable(file)}", err=True)
    text = "".join(f"{line}\n" for line in lines_of(summary))
    if output == "-":
        click.echo(text, nl=False, err=True)
    else:
        write_output(text, "-")


def _read(folder: str) -> Fleet:
    from ...node.files import read_fleet

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
