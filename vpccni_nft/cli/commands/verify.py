"""Prove that two sides mean the same."""

from __future__ import annotations

import sys

import click

from ...core.values import Family
from ...lowering.options import codes_named
from ..options import AFTER, ALLOW, AS_JSON, BEFORE, FAMILY, IPSET_SAVE, SECONDS, proofs


@click.command(
    epilog="\b\nExamples:\n"
    "  vpccni-nft verify --before node.save --after node.nft\n"
    "  vpccni-nft translate node.save | vpccni-nft verify --before node.save --after -\n"
    "  vpccni-nft verify --before v4.save --before aws-cni.nft --after <(nft list ruleset)\n"
    "  vpccni-nft verify --before node.save --after new.nft --json | jq '.packets[].packet'\n"
    "  sudo vpccni-nft verify --plan plan/ --moved\n\n"
    "A packet that is shown can be given to vpccni-nft explain and vpccni-nft replay.\n\n"
    "\b\nExit codes:\n  0  equivalent: both sides treat every packet alike\n"
    "  1  different: a packet is shown\n"
    "  2  wrong usage, unreadable input, or z3-solver is missing\n"
    "  3  unknown: the time did not do, or the model approximates a rule"
)
@BEFORE
@AFTER
@click.option(
    "--plan",
    metavar="DIR",
    help="Compare what a plan of migrate plan leaves on a node with what is on this node now.",
)
@click.option(
    "--now",
    multiple=True,
    metavar="FILE",
    help="With --plan: what is on the node, instead of asking this one; may be given several times,"
    " or be a folder.",
)
@click.option(
    "--moved", is_flag=True, help="With --plan: compare what it moved only, not the node's others."
)
@IPSET_SAVE
@FAMILY
@ALLOW
@click.option("--counters", is_flag=True, help="Compare which rules count a packet, too.")
@SECONDS
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="The most packets that are looked for.",
)
@AS_JSON
def verify(  # noqa: PLR0913 - one for each option
    before: tuple[str, ...],
    after: tuple[str, ...],
    plan: str | None,
    now: tuple[str, ...],
    ipset_save: str | None,
    family: str | None,
    allow: tuple[str, ...],
    *,
    moved: bool,
    counters: bool,
    seconds: float,
    most: int,
    as_json: bool,
) -> None:
    """Prove that two sides treat every packet alike, or show packets that they do not.

    The sides are the files of --before and --after, or a plan and the node that it was made for.

    Needs z3-solver: pip install 'vpccni-nft[verify]'.
    """
    proving = proofs()
    settings = proving.ProofSettings(
        seconds=seconds, most=most, counters=counters, allow=codes_named(allow)
    )
    if plan:
        if before or after or ipset_save or family:
            raise click.UsageError(
                "--plan goes with --now, and not with --before, --after, --ipset-save or --family"
            )
        from ..drift import verify_plan

        sys.exit(verify_plan(plan, now, settings, moved=moved, as_json=as_json))
    if now or moved:
        raise click.UsageError("--now and --moved go with --plan")
    if not before or not after:
        raise click.UsageError("give both --before and --after, or --plan")
    sys.exit(
        proving.verify_files(
            before,
            after,
            settings,
            ipset_save=ipset_save,
            family=Family(family) if family else None,
            as_json=as_json,
        )
    )
