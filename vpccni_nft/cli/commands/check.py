"""Tell what a translation would refuse, approximate or change."""

from __future__ import annotations

import json
import sys

import click

from ...core.render import as_dict
from ...lowering import TranslateOptions
from ..files import write_output
from ..options import ALLOW, AS_JSON, FAMILY, IPSET_SAVE
from ..report import show
from ..translate import exit_code, read_dumps, translate_all


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
    allow: tuple[str, ...],
    ipset_save: str | None,
    *,
    as_json: bool,
) -> None:
    """Tell everything that a translation would refuse, approximate or change.

    Reads standard input where no FILE is given. Exits with 0 where translate would write a script.
    """
    sources, sets = read_dumps(files, ipset_save)
    options = TranslateOptions.of(family=family, allow=allow, ipset_save=sets)
    translation = translate_all(sources, options)
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
