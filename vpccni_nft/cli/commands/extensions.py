"""List the matches and targets."""

from __future__ import annotations

import json

import click

from ...core.exit_codes import ExitCode
from ..command import Command
from ..files import write_output
from ..options import AS_JSON


@click.command(
    cls=Command,
    exits={ExitCode.DONE: "listed"},
    examples=("vpccni-nft extensions", "vpccni-nft extensions --json"),
)
@AS_JSON
def extensions(*, as_json: bool) -> ExitCode:
    """List the matches and targets that are known, and what nft does for each."""
    from ..render.extensions import extension_rows, table_text

    rows = extension_rows()
    write_output(json.dumps(rows, indent=2) + "\n" if as_json else table_text(rows), "-")
    return ExitCode.DONE
