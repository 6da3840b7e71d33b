"""Tell what a translation would refuse, approximate or change."""

from __future__ import annotations

import json
import sys

import click

from ...core.render import as_dict
from ...lowering import CounterMode
from ..files import write_output
from ..options import ALLOW, AS_JSON, FAMILY, IPSET_SAVE
from ..report import show
from ..translate import exit_code, translate_files


@click.command(
    epilog="\b\nExamples:\n"
    "  iptables-save | vpccni-nft check\n"
    "  vpccni-nft check node.save --json | jq '.diagnostics[].code'"
)
@click.argument("files", nargs=-1, metavar="[FILE...|-]")
@FAMILY
@ALLOW
@IPSET_SAVE
@AS_JSON
def check(
    files: tuple[str, ...],
    family: str | None,
    allowed: tuple[str, ...],
    ipset_save: str | None,
    *,
    as_json: bool,
) -> None:
    """Tell everything that a translation would refuse, approximate or change.

    Reads standard input where no FILE is given. Exits with 0 where translate would write a script.
    """
    translation = translate_files(files, family, allowed, CounterMode.KEEP.value, ipset_save)
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
    sys.exit(exit_code(translation))
