"""List what a translation would refuse, approximate or change."""

from __future__ import annotations

import json

import click

from ...core.exit_codes import ExitCode
from ...core.render import as_dict
from ...lowering import TranslateOptions
from ...translation import translate_sources
from ..command import Command
from ..files import write_output
from ..options import ALLOW, AS_JSON, FAMILY, FILES, IPSET_SAVE, read_dumps
from ..render import progress
from ..render.diagnostics import code_of, show


@click.command(
    cls=Command,
    exits={
        ExitCode.DONE: "translate would write a script",
        ExitCode.REFUSED: "translate would refuse",
    },
    examples=(
        "iptables-save | vpccni-nft check",
        "vpccni-nft check node.save --json | jq '.diagnostics[].code'",
    ),
)
@FILES
@FAMILY
@ALLOW
@IPSET_SAVE
@AS_JSON
def check(
    files: tuple[str, ...],
    family: str | None,
    allow: tuple[str, ...],
    ipset_save: str | None,
    *,
    as_json: bool,
) -> ExitCode:
    """List everything that a translation would refuse, approximate or change.

    Reads standard input where no FILE is given.
    """
    sources, sets = read_dumps(files, ipset_save)
    options = TranslateOptions.of(family=family, allow=allow, ipset_save=sets)
    with progress.of_translation(sum(len(source.lines) for source in sources)):
        translation = translate_sources(sources, options)
    if as_json:
        report = {
            "refused": translation.refused,
            "diagnostics": [as_dict(found) for found in translation.diagnostics],
        }
        write_output(json.dumps(report, indent=2) + "\n", "-")
    else:
        show(translation.diagnostics, notes=True)
        if not translation.diagnostics:
            click.echo("exact: nothing is refused, approximated or changed", err=True)
    return code_of(translation.diagnostics)
