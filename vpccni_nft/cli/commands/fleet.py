"""Examine many nodes."""

from __future__ import annotations

import sys

import click

from ..options import ALLOW, INTERRUPTED, SECONDS, proofs


@click.command(
    epilog="\b\nExamples:\n"
    "  vpccni-nft fleet dumps/\n"
    "  vpccni-nft fleet dumps/ --allow T101 -o nodes.jsonl --jobs 8\n"
    "  vpccni-nft fleet dumps/ -o - | jq -r 'select(.answer != \"equivalent\") | .node'\n"
    "  DASK_SCHEDULER_ADDRESS=tcp://scheduler:8786 vpccni-nft fleet dumps/ --backend dask\n\n"
    "\b\nExit codes:\n  0  all nodes are proved\n"
    "  1  some are refused or different\n"
    "  2  wrong usage, no node can be read, or joblib or z3-solver is missing\n"
    "  3  some are unknown, failed or unreadable, and none is refused or different\n"
    "  130  interrupted"
)
@click.argument("folder", metavar="DIR")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write a line of JSON for each node as it finishes; - is standard output.",
)
@ALLOW
@click.option("--counters", is_flag=True, help="Compare which rules count a packet, too.")
@SECONDS
@click.option(
    "--node-seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=600,
    show_default=True,
    metavar="S",
    help="The time for each node in all.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many nodes are examined at a time; one for each processor where it is not given.",
)
@click.option(
    "--backend",
    type=click.Choice(["threading", "loky", "multiprocessing", "dask", "ray"]),
    default="threading",
    show_default=True,
    help="What joblib spreads the nodes with; dask and ray over a cluster.",
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
) -> None:
    """Examine many nodes: back ends, owners, translation and proof of each.

    DIR has a file or a folder for each node: NODE.save and NODE.nft, or NODE/iptables-nft.save and
    others. A node that cannot be examined does not stop the rest. Needs joblib and z3-solver:
    pip install 'vpccni-nft[fleet]'.
    """
    proofs()
    try:
        from ...fleet import FleetSettings
        from ..fleet import examine_folder
    except ImportError as missing:
        if missing.name != "joblib":
            raise
        raise click.UsageError(missing.msg) from None
    try:
        code = examine_folder(
            folder,
            FleetSettings(
                allow=allow, counters=counters, seconds=seconds, node_seconds=node_seconds
            ),
            output=output,
            backend=backend,
            jobs=jobs or -1,
        )
    except KeyboardInterrupt:
        click.echo("interrupted; the lines that are written are whole", err=True)
        code = INTERRUPTED
    sys.exit(code)
