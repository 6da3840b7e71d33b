"""Plan a migration, carry it out, and go back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ...core.diagnostics import Refused
from ...core.exit_codes import ExitCode
from ...core.render import printable
from ...core.span import IPSET_NAME, Source
from ...core.version import __version__
from ...lowering import TranslateOptions
from ..command import Command, CommandGroup
from ..files import read_source
from ..nodes import read_node, unplaced
from ..options import (
    ALLOW,
    AS_JSON,
    IPSET_SAVE,
    NODE,
    OF_A_NODE,
    PACKETS,
    SECONDS,
    TwoSides,
    read_node_files,
    require_solver,
)
from ..render import progress
from ..render.diagnostics import code_of, show
from ..values import OwnerType
from .replay import send

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...migration.plan import NodeOutput
    from ...migration.steps import Steps


@click.group(cls=CommandGroup)
def migrate() -> None:
    """Move rules that no agent owns to nftables, with a proof and a way back: plan, run, confirm.

    First change modes: start kube-proxy with --proxy-mode nftables, update the VPC CNI, or replace
    nodes. Agents then write to nftables themselves. Rules that they own do not stay moved.
    """


DIRECTORY = click.argument("directory", metavar="DIR")


@migrate.command(
    cls=Command,
    exits={ExitCode.DONE: "planned", ExitCode.REFUSED: "refused: see the codes"},
    examples=(
        "sudo vpccni-nft migrate plan /var/lib/vpccni-nft/plan",
        "vpccni-nft migrate plan DIR --iptables-nft-save node.save --nft node.nft",
        "vpccni-nft migrate plan DIR --owner vpc-cni --force-owner vpc-cni",
    ),
)
@DIRECTORY
@NODE
@OF_A_NODE
@IPSET_SAVE
@click.option(
    "--owner",
    default="all",
    show_default=True,
    metavar="NAME",
    type=OwnerType("all"),
    help="Whose rules move, by the names that inventory prints.",
)
@click.option(
    "--force-owner",
    "forced",
    multiple=True,
    metavar="NAME",
    type=OwnerType(),
    help="Move rules of this owner although it would write them again, beside a copy that runs"
    " first: only where the owner is stopped for good. May be given several times.",
)
@ALLOW
@click.option(
    "--accept-overlap",
    "overlap",
    is_flag=True,
    help="Accept that some rules act twice on a packet while both rulesets are loaded; plan.md"
    " lists them.",
)
@click.option(
    "--iptables-runs",
    "turn",
    type=click.Choice(["first", "last"]),
    help="Whether base chains of iptables run before native ones of the same priority, or after"
    " them:"
    " what was loaded last runs first. Without it the plan must hold for both orders.",
)
@SECONDS
def plan(  # noqa: PLR0913 - one for each option
    directory: str,
    node: str | None,
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
) -> ExitCode:
    """Write a plan to DIR, which must not be there yet: scripts, saved rules, and plan.md.

    NODE is a file, a folder or an archive with what the node's programs printed. Without it and
    without the files of the options the programs are run on this node, which takes root; nothing is
    changed. Needs z3-solver: pip install 'vpccni-nft[verify]'.
    """
    require_solver()
    from ...migration import directory as plans
    from ...migration.plan import Choice
    from ...migration.plan import plan as plan_of
    from ...migration.writers import instead, writes_again

    choice = Choice(
        options=TranslateOptions.of(allow=allow),
        owner=owner,
        forced=frozenset(forced),
        overlap=overlap,
        turn=turn,
        seconds=seconds,
    )
    output = _node(node, dumps, nft, iptables_version, ipset_save)
    try:
        made = plan_of(output, choice, progress.of_plan())
        plans.write(made, Path(directory), __version__)
    except Refused as refused:
        show(refused.diagnostics, notes=False)
        return code_of(refused.diagnostics)
    except OSError as error:
        raise click.UsageError(printable(str(error))) from None
    show(made.diagnostics, notes=False)
    for writer in made.writers:
        _say(f"warning: --force-owner {writer}: {writes_again(writer)}. From then on the copy that"
             f" moves is stale, and runs first. Better: {instead(writer)}")  # fmt: skip
    rules = sum(made.rules.values())
    click.echo(f"planned: {rules:,} rules move; read {printable(directory)}/plan.md")
    return ExitCode.DONE


def _node(
    node: str | None,
    dumps: Mapping[str, str | None],
    nft: str | None,
    version: str | None,
    ipset_save: str | None,
) -> NodeOutput:
    from ...migration.plan import NodeOutput
    from ...node.live import output_of
    from ...node.live import read_node as ask

    sources, ruleset = read_node_files(dumps, nft, ipset_save)
    sets = None if ipset_save is None else read_source(ipset_save)
    if node is not None:
        if sources or ruleset is not None:
            raise click.UsageError("give either NODE or the files of the options")
        sources, ruleset, version, sets = _given(node, version, sets)
    elif not sources and ruleset is None:
        sources, ruleset, version = ask("-c")
        if sets is None and (text := output_of("ipset", "save")):
            sets = Source.of(text, IPSET_NAME)
    if not sources or ruleset is None:
        raise click.UsageError(
            "a plan needs an iptables dump and the output of nft list ruleset (--nft), which has"
            " the base chains of other programs"
        )
    return NodeOutput(dumps=sources, nft=ruleset, iptables_version=version or "", ipset_save=sets)


def _given(
    name: str, version: str | None, sets: Source | None
) -> tuple[dict[str, Source], Source | None, str, Source | None]:
    from ...node.detection import SLOTS

    given = read_node(name)
    unclear = [*given.others, *(one for slot, one in given.dumps.items() if slot not in SLOTS)]
    if unclear:
        raise unplaced(unclear[0], "which back end it is of")
    return given.dumps, given.nft, version or given.iptables_version, sets or given.ipsets


@migrate.command(
    cls=Command,
    exits={
        ExitCode.DONE: "no packet is treated differently after the move",
        ExitCode.REFUSED: "the node treats a packet differently after the move",
        ExitCode.USAGE: "wrong usage, no plan, or it cannot run here: no root, a program is "
        "missing",
        ExitCode.UNKNOWN: "unknown: no packet could be sent, or no conversation could be decided",
    },
    examples=("sudo vpccni-nft migrate rehearse /var/lib/vpccni-nft/plan",),
)
@DIRECTORY
@PACKETS
@AS_JSON
def rehearse(directory: str, packets: int, *, as_json: bool) -> ExitCode:
    """Try the move of the plan in DIR in the kernel: the whole node before, and after.

    Two network namespaces play the node; this machine's rules and connections are not touched. It
    can be any machine with the programs, and needs root.
    """
    from ...migration.rehearsal import rehearsal_of

    found = rehearsal_of(Path(directory).absolute())
    sides = TwoSides(found.before, found.after, TranslateOptions.of(ipset_save=found.ipset_save))
    return send(sides, packets, found.back_end.value.removeprefix("iptables-"), as_json=as_json)


@migrate.command(
    cls=Command,
    exits={
        ExitCode.DONE: "moved, and confirmed",
        ExitCode.REFUSED: "not moved: the node is as it was",
        ExitCode.USAGE: "wrong usage, or no plan",
        ExitCode.UNKNOWN: "rolling back failed: see vpccni-nft migrate status",
    },
)
@DIRECTORY
@click.option(
    "--confirm-timeout",
    type=click.FloatRange(min=0),
    default=60,
    show_default=True,
    metavar="S",
    help="How long to wait for confirmation; then the move is rolled back.",
)
@SECONDS
def run(directory: str, confirm_timeout: float, seconds: float) -> ExitCode:
    """Carry out the plan in DIR on this node, and go back where it is not confirmed.

    Confirm with vpccni-nft migrate confirm DIR, or with Enter on a terminal. A process of its own
    rolls back where this one is killed.
    """
    require_solver()
    from ...migration.run import AlreadyRunning, Runner
    from ...migration.steps import Failed

    runner = Runner(_steps(directory, seconds), _say)
    try:
        return ExitCode.DONE if runner.run(confirm_timeout) else ExitCode.REFUSED
    except AlreadyRunning as reason:
        _say(str(reason))
        return ExitCode.REFUSED
    except Failed as reason:
        _say(f"neither moved nor rolled back: {reason}")
        return ExitCode.UNKNOWN
    except (OSError, ValueError) as error:
        raise click.UsageError(f"cannot use {printable(directory)}: {error}") from None
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED


@migrate.command(
    cls=Command,
    exits={
        ExitCode.DONE: "confirmed",
        ExitCode.REFUSED: "not confirmed: too early, too late, or the disk is full",
        ExitCode.USAGE: "wrong usage, or no plan",
    },
)
@DIRECTORY
def confirm(directory: str) -> ExitCode:
    """Say that the move in DIR is to stay."""
    from ...migration.run import AlreadyRunning
    from ...migration.run import confirm as confirm_move
    from ...migration.steps import Failed

    try:
        confirm_move(_steps(directory))
    except (AlreadyRunning, Failed) as reason:
        _say(str(reason))
        return ExitCode.REFUSED
    except OSError as error:
        _say(f"not confirmed, so the move goes back when its time is over: {error}")
        return ExitCode.REFUSED
    _say("confirmed")
    return ExitCode.DONE


@migrate.command(
    cls=Command,
    exits={
        ExitCode.DONE: "the moved rules are in iptables again, or nothing was to be done",
        ExitCode.USAGE: "wrong usage, no plan, or z3-solver is missing",
        ExitCode.UNKNOWN: "refused: the message says what is in the way; nothing was changed",
    },
)
@DIRECTORY
@click.option(
    "--print", "shown", is_flag=True, help="Show what would be changed now; change nothing."
)
@SECONDS
def rollback(directory: str, *, shown: bool, seconds: float) -> ExitCode:
    """Put the rules that the plan in DIR has moved back into iptables as it is now.

    Each rule goes between the rules that it stood between, if that is proved to mean what the node
    means now; otherwise nothing is changed. What other programs have written stays as it is.
    """
    from ...migration.journal import load
    from ...migration.run import age_of, roll_back
    from ...migration.steps import Failed

    steps = _steps(directory, seconds)
    try:
        if shown:
            for line in steps.shown(age_of(load(steps.directory))):
                click.echo(printable(line))
        else:
            _say(roll_back(steps, "asked for"))
    except Failed as failed:
        _say(str(failed))
        return ExitCode.UNKNOWN
    return ExitCode.DONE


@migrate.command(
    cls=Command,
    exits={
        ExitCode.DONE: "shown",
        ExitCode.REFUSED: "the move waits or was confirmed, and the node is not as it has left it",
        ExitCode.USAGE: "wrong usage, no plan, or the node does not answer",
    },
)
@DIRECTORY
@AS_JSON
def status(directory: str, *, as_json: bool) -> ExitCode:
    """Show how far the move in DIR is, and what is in place on this node."""
    from ...migration.journal import Phase, load
    from ...migration.run import problems_of
    from ...migration.steps import Failed

    steps = _steps(directory)
    state = load(steps.directory)
    try:
        places = steps.in_place()
        problems = problems_of(steps, state)
    except Failed as failed:
        _say(str(failed))
        return ExitCode.USAGE
    if as_json:
        report = {
            "phase": state.phase.value,
            "before_restart": state.before_restart.value,
            "reason": state.reason,
            "history": [{"phase": phase, "at": at} for phase, at in state.history],
            "in_place": places,
            "problems": problems,
        }
        click.echo(json.dumps(report, indent=2))
        return ExitCode.REFUSED if problems else ExitCode.DONE
    why = f": {state.reason}" if state.reason else ""
    earlier = f" ({state.before_restart.value} before the machine was started again)"
    shown = state.before_restart is not Phase.NEW and state.phase is Phase.NEW
    for line in f"{state.phase.value}{why}{earlier * shown}".splitlines():
        click.echo(printable(line))
    for name, value in places.items():
        click.echo(f"  {name:<28}{value}")
    for problem in problems:
        click.echo(f"but {printable(problem)}")
    return ExitCode.REFUSED if problems else ExitCode.DONE


@migrate.command(
    "verify",
    cls=Command,
    exits={
        ExitCode.DONE: "every packet is treated as before",
        ExitCode.REFUSED: "something differs, or it is not proved",
        ExitCode.USAGE: "wrong usage, no plan, or z3-solver is missing",
    },
)
@DIRECTORY
@SECONDS
def verify_migration(directory: str, seconds: float) -> ExitCode:
    """Prove that the rules on this node mean what the saved ones in DIR mean."""
    require_solver()
    from ...migration.journal import load
    from ...migration.run import age_of

    steps = _steps(directory, seconds)
    if problem := steps.verify(age_of(load(steps.directory))):
        _say(f"verify: {problem}")
        return ExitCode.REFUSED
    _say("verified: every packet is treated as before")
    return ExitCode.DONE


@migrate.command(hidden=True, cls=Command, exits={ExitCode.DONE: "the move is settled"})
@DIRECTORY
@click.option(
    "--ready", type=int, required=True, help="The pipe on which to report that it is watching."
)
def watch(directory: str, ready: int) -> ExitCode:
    """Roll back where the run stops, or where the move is not confirmed in time."""
    require_solver()  # the way back needs it, so the runner learns now if it is missing
    from ...migration.run import watch as watch_move

    watch_move(_steps(directory), ready)
    return ExitCode.DONE


def _steps(target: str, seconds: float = 60) -> Steps:
    from ...migration.steps import Steps

    steps = Steps.of(Path(target).absolute(), seconds)
    _need_root()
    return steps


def _need_root() -> None:
    if os.geteuid():
        raise click.UsageError("only root sees a node's rules and changes them: use sudo")


def _say(text: str) -> None:
    for line in text.splitlines():
        click.echo(printable(line), err=True)
