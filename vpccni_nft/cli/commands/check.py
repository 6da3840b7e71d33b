"""List what a translation would refuse, approximate or change."""

from __future__ import annotations

import json

import click

from ...core.exit_codes import ExitCode
from ...lowering import TranslateOptions
from ...translation import translate_sources
from ..command import Command
from ..files import write_output
from ..options import (
    ALLOW,
    AS_JSON,
    FAMILY,
    FILES,
    IPSET_SAVE,
    OUTPUT_FORMAT,
    STATISTICS,
    read_dumps,
)
from ..render import progress
from ..render.diagnostics import code_of, show, show_lines


@click.command(
    cls=Command,
    exits={
        ExitCode.DONE: "translate would write a script",
        ExitCode.REFUSED: "translate would refuse",
    },
    examples=(
        "iptables-save | vpccni-nft check",
        "vpccni-nft check node.save --json | jq '.diagnostics[].code'",
        "vpccni-nft check node.save --statistics",
        "vpccni-nft check node.save --output-format sarif > node.sarif",
    ),
)
@FILES
@FAMILY
@ALLOW
@IPSET_SAVE
@STATISTICS
@OUTPUT_FORMAT
@AS_JSON
def check(
    files: tuple[str, ...],
    family: str | None,
    allow: tuple[str, ...],
    ipset_save: str | None,
    *,
    statistics: bool,
    form: str,
    as_json: bool,
) -> ExitCode:
    """List everything that a translation would refuse, approximate or change.

    Reads standard input where no FILE is given.
    """
    from ..formats import text_of
    from ..formats.findings import of_translation
    from ..formats.statistics import dicts_of, lines_of

    sources, sets = read_dumps(files, ipset_save)
    options = TranslateOptions.of(family=family, allow=allow, ipset_save=sets)
    with progress.of_translation(sum(len(source.lines) for source in sources)):
        translation = translate_sources(sources, options)
    code = code_of(translation.diagnostics)
    if as_json:
        form = "json"
    if form == "text" and not statistics:
        show(translation.diagnostics, notes=True)
    else:
        found = of_translation("check", translation, sources, code)
        if form == "text":
            show_lines(lines_of(found, err=True), translation.diagnostics)
        elif form == "json":
            counts = {"statistics": dicts_of(found)} if statistics else {}
            write_output(json.dumps(translation.to_dict() | counts, indent=2) + "\n", "-")
        else:
            write_output(text_of(found, form), "-")
    if form == "text" and not translation.diagnostics:
        click.echo("exact: nothing is refused, approximated or changed", err=True)
    return code
