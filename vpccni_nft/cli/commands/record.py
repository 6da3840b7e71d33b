"""Record everything that decides packets on a node."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ...core.errors import CannotRead
from ...core.exit_codes import ExitCode
from ...core.render import printable
from ..command import Command
from ..files import write_output


@click.command(
    cls=Command,
    exits={
        ExitCode.DONE: "recorded",
        ExitCode.USAGE: "wrong usage, no rules could be read, or the record could not be written",
        ExitCode.UNKNOWN: "recorded, but for what a program failed to print: record.txt says what",
    },
    examples=(
        "sudo vpccni-nft record",
        "sudo vpccni-nft record before.tar.gz",
        "vpccni-nft record --print-script | ssh node sudo sh -s before.tar.gz",
        "vpccni-nft record --from eks_i-0123456789abcdef0.tar.gz before",
    ),
)
@click.argument("target", required=False, metavar="[DIR|FILE.tar.gz]")
@click.option(
    "--print-script",
    is_flag=True,
    help="Print a POSIX shell script that makes the same record on a host without Python.",
)
@click.option(
    "--from",
    "origin",
    metavar="NODE",
    help="Make a record of what was collected before: a file, a folder or an archive.",
)
def record(target: str | None, *, print_script: bool, origin: str | None) -> ExitCode:
    """Record everything that decides packets on this node.

    The record has the rules of both back ends of iptables and of nftables with their counters,
    ipsets, the order of hooks, addresses, routes, routing policies, sysctls and versions. Nothing
    on the node is changed. It takes root. The record is a folder, or an archive where its name ends
    with .tar.gz; where none is given, an archive named by the host and the time. Every command that
    takes a NODE takes it.
    """
    from ...node import record as records

    if print_script:
        if target or origin:
            raise click.UsageError("--print-script goes alone: the script takes the name")
        write_output(records.script(), "-")
        return ExitCode.DONE
    place = Path(target or records.default_name(os.uname().nodename))
    if origin:
        _convert(origin, place)
        whole = True
    else:
        whole = records.record(place)
    click.echo(f"recorded: {printable(str(place))}", err=True)
    if not whole:
        click.echo("some programs failed: record.txt in it says which, and why", err=True)
    return ExitCode.DONE if whole else ExitCode.UNKNOWN


def _convert(origin: str, target: Path) -> None:
    from ...node.files import node_of
    from ...node.record import record_of

    try:
        node = node_of((Path(origin),))
    except OSError as error:
        raise CannotRead(f"cannot read {origin}: {error.strerror}") from None
    if node.problem:
        raise CannotRead(node.problem)
    try:
        record_of(node, origin, target)
    except FileExistsError:
        raise CannotRead(f"{target} is there already: choose another name") from None
    except OSError as error:
        raise CannotRead(f"cannot write {target}: {error.strerror}") from None
