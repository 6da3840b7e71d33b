"""Translate a dump to an nft script."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Literal

import click

from ...core.diagnostics import Refused
from ...lowering import CounterMode, TranslateOptions
from ..files import write_output, write_pieces
from ..options import ALLOW, FAMILY, IPSET_SAVE, REFUSED, SECONDS, proofs
from ..report import show
from ..target import TARGET
from ..translate import exit_code, read_dumps, translate_all, uncollected

if TYPE_CHECKING:
    from ...translation import Translation


@click.command(
    epilog="\b\nExamples:\n"
    "  iptables-save | vpccni-nft translate | nft -f -\n"
    "  iptables-save -c | vpccni-nft translate --counters keep -o node.nft\n"
    "  vpccni-nft translate node.v4.save node.v6.save -o node.nft\n"
    "  vpccni-nft translate node.save --allow T101\n"
    "  vpccni-nft translate node.save --ipset-save node.ipset -o node.nft\n"
    "  vpccni-nft translate node.save --format json -o node.json && nft -j -f node.json\n"
    "  vpccni-nft translate node.save --owner vpc-cni --layout native -o aws-cni.nft\n"
    "  nft list table ip kube-proxy | vpccni-nft translate node.save --owner vpc-cni --beside -\n"
    "  vpccni-nft translate -O node.save -o node.nft --map node.map.json"
)
@click.argument("files", nargs=-1, metavar="[FILE...|-]")
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
@click.option(
    "--counters",
    type=click.Choice([mode.value for mode in CounterMode]),
    default=CounterMode.KEEP.value,
    show_default=True,
    help="Count on from the dump (iptables-save -c), from zero, or not at all.",
)
@ALLOW
@IPSET_SAVE
@click.option(
    "--target",
    type=TARGET,
    default="nft=1.0.1",
    show_default=True,
    help="The oldest nft that must take the script.",
)
@click.option(
    "--verify", "proved", is_flag=True, help="Write only what is proved to mean the same."
)
@SECONDS
@click.option(
    "--owner",
    metavar="NAME",
    help="Take the rules of this owner only, by the names that inventory prints, and prove that"
    " they do the same beside the others'.",
)
@click.option(
    "--layout",
    type=click.Choice(["mirror", "native"]),
    default="mirror",
    show_default=True,
    help="Tables and chains as iptables calls them, or the CNI's own: with --owner vpc-cni.",
)
@click.option(
    "--beside",
    multiple=True,
    metavar="FILE",
    help="An nft ruleset that is on the node before and after, such as kube-proxy's: with --owner."
    " May be given several times.",
)
@click.option(
    "-O/-O0",
    "optimize",
    default=False,
    help="Sets and maps in place of long rows of rules, or with -O0 one rule for each; -O0.",
)
@click.option(
    "--map", "map_file", metavar="FILE", help="Write where each line of the input went, as JSON."
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
    layout: Literal["mirror", "native"],
    beside: tuple[str, ...],
    map_file: str | None,
    optimize: bool,
) -> None:
    """Translate the output of iptables-save to an nft script.

    Reads standard input where no FILE is given. Several files become one script. Nothing is
    written unless all of the input has a translation. With --verify the script is read again and
    proved to mean what the input means; otherwise nothing is written, and the exit code is that of
    vpccni-nft verify. --owner always proves so: what is taken, with what stays, against the whole.
    """
    if owner is None and (beside or layout == "native"):
        raise click.UsageError("--beside and --layout native go with --owner")
    if map_file == output == "-":
        raise click.UsageError("standard output can be the script or the map, not both")
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
        proofs()
        from ..move import move_files

        translation: Translation = move_files(
            sources, owner, layout=layout, beside=beside, options=options, seconds=seconds
        )
    else:
        translation = translate_all(sources, options)
        show(translation.diagnostics, notes=False)
        if translation.refused:
            sys.exit(exit_code(translation))
        if proved:
            # What optimizing leaves out counts nothing.
            counts = CounterMode(counters) is not CounterMode.NONE and not optimize
            proofs().prove_translation(translation, seconds, counters=counts)
    try:
        pieces = translation.pieces(form)
    except Refused as refusal:
        show(refusal.diagnostics, notes=False)
        sys.exit(REFUSED)
    write_pieces(pieces, output)
    if map_file is not None:
        write_output(json.dumps(translation.source_map(), indent=2) + "\n", map_file)
