"""Examine many nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ...core.exit_codes import ExitCode
from ...core.render import printable
from ..command import Command
from ..files import json_lines, write_output
from ..options import ALLOW, COUNTERS, OF_MANY_NODES, SECONDS, require_joblib, require_solver
from ..render import progress

if TYPE_CHECKING:
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
@OF_MANY_NODES
@ALLOW
@COUNTERS
@SECONDS
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
    require_joblib()
    from ...fleet import FleetSettings
    from ...fleet.parallel import spread
    from ...fleet.report import EQUIVALENT
    from ...fleet.summary import Summary
    from ...fleet.survey import survey
    from ..render.fleet import line_of

    settings = FleetSettings(
        allow=allow, counters=counters, seconds=seconds, node_seconds=node_seconds
    )
    nodes = _read(folder)
    summary = Summary()
    others = 0
    try:
        with (
            json_lines(output) as write,
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
