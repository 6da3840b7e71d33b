"""Plan a migration, carry it out, and go back."""

from __future__ import annotations

import sys
from typing import Literal

import click

from ..options import ALLOW, AS_JSON, INTERRUPTED, IPSET_SAVE, SECONDS, of_a_node, proofs


@click.group()
def migrate() -> None:
    """Move a node's rules to nftables, with a proof and a way back: plan, run, confirm."""


DIRECTORY = click.argument("directory", metavar="DIR")


@migrate.command(
    epilog="\b\nExamples:\n"
    "  sudo vpccni-nft migrate plan /var/lib/vpccni-nft/plan\n"
    "  vpccni-nft migrate plan DIR --iptables-nft-save node.save --nft node.nft\n"
    "  vpccni-nft migrate plan DIR --owner vpc-cni --force-owner vpc-cni\n\n"
    "\b\nExit codes:\n  0  planned\n  1  refused: see the codes\n"
    "  2  wrong usage, or unreadable input"
)
@DIRECTORY
@of_a_node
@IPSET_SAVE
@click.option(
    "--owner",
    default="all",
    show_default=True,
    metavar="NAME",
    help="Whose rules move, by the names that inventory prints.",
)
@click.option(
    "--force-owner",
    "forced",
    multiple=True,
    metavar="NAME",
    help="Move rules of this owner although it would write them again: that is taken care of. May"
    " be given several times.",
)
@ALLOW
@click.option(
    "--accept-overlap",
    "overlap",
    is_flag=True,
    help="Take it that rules act twice while they are there twice; plan.md lists them.",
)
@click.option(
    "--iptables-runs",
    "turn",
    type=click.Choice(["first", "last"]),
    help="Whether base chains of iptables run ahead of native ones of the same priority, or behind"
    " them: what was loaded last runs first. Without it the plan must fit both.",
)
@SECONDS
def plan(  # noqa: PLR0913 - one for each option
    directory: str,
    nft: str | None,
    iptables_version: str | None,
    ipset_save: str | None,
    owner: str,
    forced: tuple[str, ...],
    allow: tuple[str, ...],
    *,
    overlap: bool,
    turn: Literal["first", "last"] | None,
    seconds: float,
    **dumps: str | None,
) -> None:
    """Write a plan to DIR, which must not be there yet: scripts, saved rules, and plan.md.

    Without a file the programs are run on this node, which takes root; nothing is changed. Needs
    z3-solver: pip install 'vpccni-nft[verify]'.
    """
    proofs()
    from ..migrate import choice_of, plan_files

    choice = choice_of(owner, forced, allow, seconds, overlap=overlap, turn=turn)
    sys.exit(plan_files(directory, dumps, nft, iptables_version, ipset_save, choice))


@migrate.command(
    epilog="\b\nExit codes:\n  0  moved, and confirmed\n"
    "  1  not moved: the node is as it was\n  2  wrong usage, or no plan\n"
    "  3  rolling back failed: see vpccni-nft migrate status\n  130  interrupted"
)
@DIRECTORY
@click.option(
    "--confirm-timeout",
    type=click.FloatRange(min=0),
    default=60,
    show_default=True,
    metavar="S",
    help="The time to confirm in; after it the move is rolled back.",
)
@SECONDS
def run(directory: str, confirm_timeout: float, seconds: float) -> None:
    """Carry out the plan in DIR on this node, and go back where it is not confirmed.

    Confirm with vpccni-nft migrate confirm DIR, or with Enter on a terminal. A process of its own
    rolls back where this one is killed.
    """
    proofs()
    from ..migrate import run_plan

    try:
        code = run_plan(directory, confirm_timeout, seconds)
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


@migrate.command()
@DIRECTORY
def confirm(directory: str) -> None:
    """Say that the move in DIR is to stay."""
    from ..migrate import confirm_plan

    sys.exit(confirm_plan(directory))


@migrate.command()
@DIRECTORY
def rollback(directory: str) -> None:
    """Put back the rules that the plan in DIR has moved, at any time."""
    from ..migrate import rollback_plan

    sys.exit(rollback_plan(directory))


@migrate.command()
@DIRECTORY
@AS_JSON
def status(directory: str, *, as_json: bool) -> None:
    """Tell how far the move in DIR is, and what is in place on this node."""
    from ..migrate import status_of_plan

    sys.exit(status_of_plan(directory, as_json=as_json))


@migrate.command("verify")
@DIRECTORY
@SECONDS
def verify_migration(directory: str, seconds: float) -> None:
    """Prove that the rules on this node mean what the saved ones in DIR mean."""
    proofs()
    from ..migrate import verify_plan

    sys.exit(verify_plan(directory, seconds))


@migrate.command(hidden=True)
@DIRECTORY
@click.option("--ready", type=int, required=True, help="The pipe to tell that it watches.")
def watch(directory: str, ready: int) -> None:
    """Roll back where the run stops, or nobody confirms."""
    from ..migrate import watch_plan

    sys.exit(watch_plan(directory, ready))
