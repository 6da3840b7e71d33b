"""Examine many nodes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ...core.exit_codes import ExitCode
from ...core.render import printable
from ..command import Command
from ..files import json_lines, write_output
from ..options import (
    ALLOW,
    COUNTERS,
    OF_MANY_NODES,
    OUTPUT_FORMAT,
    SECONDS,
    require_joblib,
    require_solver,
)
from ..render import progress

if TYPE_CHECKING:
    from ...fleet.report import Report
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
        "vpccni-nft fleet dumps/ -o - | jq -r 'select(.node and .answer != \"equivalent\").node'",
        "vpccni-nft fleet dumps/ --statistics",
        "vpccni-nft fleet dumps/ --output-format junit > fleet.xml",
        "DASK_SCHEDULER_ADDRESS=tcp://scheduler:8786 vpccni-nft fleet dumps/ --backend dask",
    ),
)
@click.argument("folder", metavar="DIR")
@OF_MANY_NODES
@ALLOW
@COUNTERS
@SECONDS
@click.option(
    "--statistics",
    is_flag=True,
    help="Show how many nodes have each code, and what they would be if it were allowed: a node"
    " that is refused is examined again for each.",
)
@OUTPUT_FORMAT
def fleet(  # noqa: PLR0913 - one for each option
    folder: str,
    output: str | None,
    allow: tuple[str, ...],
    *,
    counters: bool,
    seconds: float,
    node_seconds: float,
    jobs: int | None,
    backend: str,
    statistics: bool,
    form: str,
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
    from ..formats import FORMATS, text_of
    from ..formats.findings import of_fleet
    from ..render.fleet import line_of, lines_of, lines_of_codes

    if output == "-" and form != "text":
        raise click.UsageError("standard output can be the nodes (-o -) or --output-format")
    settings = FleetSettings(
        allow=allow,
        counters=counters,
        seconds=seconds,
        node_seconds=node_seconds,
        if_allowed=statistics,
    )
    nodes = _read(folder)
    summary = Summary()
    kept: list[Report] = []
    others = 0
    try:
        with (
            json_lines(output) as write,
            spread(backend, jobs or -1),
            progress.of_fleet(len(nodes.nodes)) as advance,
        ):
            for file in nodes.ignored:
                write({"ignored": printable(file)})
            for report in survey(nodes, settings):
                summary.add(report)
                write(report)
                if form in FORMATS:
                    kept.append(report)
                is_other = report["answer"] != EQUIVALENT
                others += is_other
                advance(line_of(report) if is_other and others <= SHOWN else "")
    except KeyboardInterrupt:
        click.echo("interrupted; every line that was written is complete", err=True)
        return ExitCode.INTERRUPTED
    if others > SHOWN:
        click.echo(f"... and {others - SHOWN} more", err=True)
    for file in nodes.ignored:
        click.echo(f"ignored: {printable(file)}", err=True)
    if form == "json":
        found = summary.to_dict() | {"ignored": list(map(printable, nodes.ignored))}
        write_output(json.dumps(found, indent=2) + "\n", "-")
    elif form in FORMATS:
        write_output(text_of(of_fleet(kept, nodes.ignored, summary.exit_code), form), "-")
    else:
        lines = lines_of_codes(summary) if statistics else lines_of(summary)
        for line in lines:
            click.echo(line, err=output == "-")
    return summary.exit_code


def _read(folder: str) -> Fleet:
    from ...node.files import read_fleet

    try:
        fleet = read_fleet(folder)
    except OSError as error:
        raise click.UsageError(f"cannot read {printable(folder)}: {error.strerror}") from None
    if not fleet.nodes:
        raise click.UsageError(f"there is no node in {printable(folder)}")
    return fleet
