"""Translate a dump to an nft script."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import click

from ...core.diagnostics import Refused
from ...core.exit_codes import ExitCode
from ...lowering import CounterMode, TranslateOptions
from ...translation import translate_sources
from ..collecting import uncollected
from ..command import Command
from ..files import read_source, write_output, write_pieces
from ..options import (
    ALLOW,
    COUNTER_MODE,
    FAMILY,
    FILES,
    IPSET_SAVE,
    OPTIMIZE,
    SECONDS,
    STATISTICS,
    TARGET,
    read_dumps,
    require_solver,
)
from ..render import progress
from ..render.diagnostics import code_of, show, show_lines
from ..values import OwnerType

if TYPE_CHECKING:
    from ...core.span import Source
    from ...node.extraction import Layout
    from ...translation import Translation


@click.command(
    cls=Command,
    exits={
        ExitCode.DONE: "a script was written",
        ExitCode.REFUSED: "refused; with --owner or --verify also: something would differ",
        ExitCode.UNKNOWN: "with --owner or --verify: neither a proof nor a difference",
    },
    examples=(
        "iptables-save | vpccni-nft translate | nft -f -",
        "iptables-save -c | vpccni-nft translate --counters keep -o node.nft",
        "vpccni-nft translate node.v4.save node.v6.save -o node.nft",
        "vpccni-nft translate node.save --allow T101",
        "vpccni-nft translate node.save --ipset-save node.ipset -o node.nft",
        "vpccni-nft translate node.save --format json -o node.json && nft -j -f node.json",
        "vpccni-nft translate node.save --owner vpc-cni --layout native -o aws-cni.nft",
        "nft list table ip kube-proxy | vpccni-nft translate node.save --owner vpc-cni --beside -",
        "vpccni-nft translate -O node.save -o node.nft --map node.map.json",
        "vpccni-nft translate --diff node.save | less -R",
    ),
)
@FILES
@click.option(
    "-o", "--output", default="-", metavar="FILE", help="Where to write; - is standard output."
)
@FAMILY
@click.option(
    "--format",
    "form",
    type=click.Choice(["nft", "json"]),
    default="nft",
    show_default=True,
    help="A script for nft -f, or commands for nft -j -f.",
)
@COUNTER_MODE
@ALLOW
@IPSET_SAVE
@TARGET
@click.option(
    "--verify", "proved", is_flag=True, help="Write the script only if it is proved equivalent."
)
@SECONDS
@click.option(
    "--owner",
    metavar="NAME",
    type=OwnerType(),
    help="Translate only the rules of this owner, by the names that inventory prints, and prove"
    " that they do the same beside the others'.",
)
@click.option(
    "--layout",
    type=click.Choice(["mirror", "native"]),
    default="mirror",
    show_default=True,
    help="Name tables and chains as iptables does, or as the CNI's own nft code does (needs"
    " --owner vpc-cni).",
)
@click.option(
    "--beside",
    multiple=True,
    metavar="FILE",
    help="An nft ruleset that is on the node before and after, such as kube-proxy's (needs"
    " --owner)."
    " May be given several times.",
)
@OPTIMIZE
@STATISTICS
@click.option(
    "--map", "map_file", metavar="FILE", help="Write where each line of the input went, as JSON."
)
@click.option(
    "--diff",
    "shown",
    is_flag=True,
    help="Show each rule and what it becomes, in place of a script.",
)
@uncollected()
def translate(  # noqa: PLR0913 - one for each option
    files: tuple[str, ...],
    output: str,
    family: str | None,
    form: Literal["nft", "json"],
    counters: str,
    allow: tuple[str, ...],
    ipset_save: str | None,
    *,
    target: str,
    proved: bool,
    seconds: float,
    owner: str | None,
    layout: Layout,
    beside: tuple[str, ...],
    map_file: str | None,
    optimize: bool,
    statistics: bool,
    shown: bool,
) -> ExitCode:
    """Translate the output of iptables-save to an nft script.

    Reads standard input where no FILE is given. Several files become one script. Nothing is
    written unless all of the input has a translation. With --verify the script is read again and
    proved to mean what the input means; otherwise nothing is written, and the exit code is that of
    vpccni-nft verify. --owner always proves so: what is taken, with what stays, against the whole.
    """
    if owner is not None and statistics:
        raise click.UsageError("--statistics is not for --owner")
    if owner is None and (beside or layout == "native"):
        raise click.UsageError("--beside and --layout native need --owner")
    if map_file == output == "-":
        raise click.UsageError("standard output can be the script or the map, not both")
    if shown and (output != "-" or form == "json" or map_file or owner or proved):
        raise click.UsageError(
            "--diff shows rules and writes no script: leave out"
            " -o, --format json, --map, --owner and --verify"
        )
    if owner is not None or proved:
        require_solver()
    sources, sets = read_dumps(files, ipset_save, *beside)
    options = TranslateOptions.of(
        counters=counters,
        allow=allow,
        optimize=optimize,
        family=family,
        ipset_save=sets,
        target=target,
    )
    if owner is not None:
        translation, code = _of_owner(sources, owner, layout, beside, options, seconds)
    else:
        nodes = proved or form == "json" or map_file is not None or shown
        translation, code = _of_all(
            sources, options, seconds, proved=proved, grouped=statistics, nodes=nodes
        )
    if shown:
        from ..render.diff import lines_of_diff

        for line in lines_of_diff(translation):
            click.echo(line)
    if shown or code is not ExitCode.DONE:
        return code
    try:
        pieces = translation.pieces(form)
    except Refused as refusal:
        show(refusal.diagnostics, notes=False)
        return ExitCode.REFUSED
    write_pieces(pieces, output)
    if map_file is not None:
        write_output(json.dumps(translation.source_map(), indent=2) + "\n", map_file)
    return ExitCode.DONE


def _of_all(
    sources: tuple[Source, ...],
    options: TranslateOptions,
    seconds: float,
    *,
    proved: bool,
    grouped: bool,
    nodes: bool,
) -> tuple[Translation, ExitCode]:
    """Everything in the dumps."""
    with progress.of_translation(sum(len(source.lines) for source in sources)):
        translation = translate_sources(sources, options, nodes=nodes)
    if grouped:
        from ..formats.findings import of_translation
        from ..formats.statistics import lines_of

        found = of_translation("translate", translation, sources, ExitCode.DONE)
        show_lines(lines_of(found, err=True), translation.diagnostics)
    else:
        show(translation.diagnostics, notes=False)
    if translation.refused or not proved:
        return translation, code_of(translation.diagnostics)
    from ... import nft
    from ...proof.side import Side
    from ...proof.verify import ProofSettings, verify
    from ..render.verify import code_of_answer, lines_of_answer

    # What optimizing leaves out counts nothing.
    counts = options.counters is not CounterMode.NONE and not options.optimize
    settings = ProofSettings(seconds=seconds, counters=counts, allow=translation.allowed)
    script = nft.parse(translation.script(), "the translation")
    with progress.of_proof() as advance:
        answer = verify(Side((translation.dump,)), Side((script,)), settings, advance)
    for line in lines_of_answer(answer, "the input", "the translation"):
        click.echo(line, err=True)
    return translation, code_of_answer(answer)


def _of_owner(
    sources: tuple[Source, ...],
    owner: str,
    layout: Layout,
    beside: tuple[str, ...],
    options: TranslateOptions,
    seconds: float,
) -> tuple[Translation, ExitCode]:
    """One owner's rules, with what is proved of them beside those of the others."""
    from ... import nft
    from ...node.extraction import OwnerExtraction
    from ..render.verify import code_of_answer, lines_of_answer

    try:
        tables = tuple(nft.parse(one.content, one.name) for one in map(read_source, beside))
    except Refused as refused:
        show(refused.diagnostics, notes=False)
        raise click.exceptions.Exit(ExitCode.USAGE) from None
    with progress.of_proof() as advance:
        try:
            moving = OwnerExtraction(owner, layout, tables, options, seconds, advance)
        except ValueError as wrong:
            raise click.UsageError(str(wrong)) from None
        moved = moving.of(sources)
    show(moved.diagnostics, notes=True)
    if moved.answer:
        parts = f"the part of {owner} with the rest"
        for line in lines_of_answer(moved.answer, "the input", parts):
            click.echo(line, err=True)
    proof = code_of_answer(moved.answer) if moved.answer else ExitCode.DONE
    return moved, proof if proof is not ExitCode.DONE else code_of(moved.diagnostics)
