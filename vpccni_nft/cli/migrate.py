"""Plan a migration, run it, confirm it, and roll it back."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.diagnostics import NFT_SYNTAX, NOT_A_DUMP, Refused
from ..core.render import printable
from ..core.version import __version__
from ..lowering import TranslateOptions
from ..migration import directory as plans
from ..migration.journal import load
from ..migration.plan import ALL, Choice, NodeOutput, plan
from ..migration.run import Failed, Runner, Taken, confirm, roll_back, state_of, watch
from ..node.live import output_of, read_node
from ..node.partition import OWNER_NAMES
from .files import one_standard_input, read_sources
from .report import show

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..migration.neighbours import Turn

DONE, REFUSED, UNREADABLE, STUCK = 0, 1, 2, 3


def plan_files(
    target: str,
    dumps: Mapping[str, str | None],
    nft: str | None,
    version: str | None,
    ipset_save: str | None,
    choice: Choice,
) -> int:
    """Write a plan from files, or from this node where none is given."""
    node = _node(dumps, nft, version, ipset_save)
    try:
        made = plan(node, choice, _progress())
        plans.write(made, Path(target), __version__)
    except Refused as refused:
        show(refused.diagnostics, notes=False)
        unreadable = any(one.code in {NOT_A_DUMP, NFT_SYNTAX} for one in refused.diagnostics)
        return UNREADABLE if unreadable else REFUSED
    except (plans.NoPlan, OSError) as error:
        raise click.UsageError(printable(str(error))) from None
    show(made.diagnostics, notes=False)
    rules = sum(made.rules.values())
    click.echo(f"planned: {rules:,} rules move; read {printable(target)}/plan.md")
    return DONE


def choice_of(
    owner: str,
    forced: tuple[str, ...],
    allow: tuple[str, ...],
    seconds: float,
    *,
    overlap: bool,
    turn: Turn | None,
) -> Choice:
    """What the options say."""
    for name in (*forced, *((owner,) if owner != ALL else ())):
        if name not in OWNER_NAMES:
            raise click.UsageError(f"{printable(name)} is not one of {', '.join(OWNER_NAMES)}")
    return Choice(
        options=TranslateOptions.of(allow=allow),
        owner=owner,
        forced=frozenset(forced),
        overlap=overlap,
        turn=turn,
        seconds=seconds,
    )


def _node(
    dumps: Mapping[str, str | None], nft: str | None, version: str | None, ipset_save: str | None
) -> NodeOutput:
    given = {name: file for name, file in dumps.items() if file is not None}
    sets = None if ipset_save is None else read_sources((ipset_save,))[0]
    if not given and nft is None:
        sources, ruleset, version = read_node("-c")
        if sets is None and (text := output_of("ipset", "save")):
            from ..core.span import Source

            sets = Source.of(text, "<ipset save>")
    else:
        one_standard_input(*given.values(), nft, ipset_save)
        sources = {name: read_sources((file,))[0] for name, file in given.items()}
        ruleset = None if nft is None else read_sources((nft,))[0]
    if not sources or ruleset is None:
        raise click.UsageError(
            "a plan needs a dump of iptables, and what nft list ruleset prints (--nft): base chains"
            " of others are there"
        )
    return NodeOutput(dumps=sources, nft=ruleset, iptables_version=version or "", ipset_save=sets)


def _progress() -> Callable[[str], None]:
    if not sys.stderr.isatty():
        return lambda _: None
    return lambda what: click.echo(f"proving {what}", err=True)


def run_plan(target: str, confirm_timeout: float, seconds: float) -> int:
    """Carry a plan out; 0 where it is confirmed."""
    directory = _plan(target)
    runner = Runner(directory, lambda: _problem(directory, seconds), _say)
    try:
        return DONE if runner.run(confirm_timeout) else REFUSED
    except Taken as reason:
        _say(str(reason))
        return REFUSED
    except Failed as reason:
        _say(f"neither moved nor back: {reason}")
        return STUCK
    except (OSError, ValueError) as error:
        raise click.UsageError(f"cannot use {printable(target)}: {error}") from None


def verify_plan(target: str, seconds: float) -> int:
    """Prove that what is loaded now means what the dumps of the plan mean."""
    if problem := _problem(_plan(target), seconds):
        _say(f"verify: {problem}")
        return REFUSED
    _say("verified: every packet is treated as before")
    return DONE


def _problem(directory: Path, seconds: float) -> str:
    from ..migration.check import problem_of

    def listing(family: str, table: str) -> str:
        return _text("nft", "list", "table", family, table)

    def saved(program: str, table: str) -> str:
        return _text(f"{program}-save", "-t", table)

    try:
        return problem_of(directory, plans.read(directory), listing, saved, seconds)
    except click.UsageError as error:
        return error.message


def _text(program: str, *arguments: str) -> str:
    found = output_of(program, *arguments)
    if found is None:
        raise click.UsageError(f"{program} is missing")
    return found.decode("utf-8", "surrogateescape")


def confirm_plan(target: str) -> int:
    """Say that a move is to stay."""
    try:
        confirm(_plan(target))
    except Taken as reason:
        _say(str(reason))
        return REFUSED
    _say("confirmed")
    return DONE


def rollback_plan(target: str) -> int:
    """Go back, whether the move is under way, waits or is confirmed."""
    try:
        _say(roll_back(_plan(target), "asked for"))
    except Failed as failed:
        _say(str(failed))
        return STUCK
    return DONE


def status_of_plan(target: str, *, as_json: bool) -> int:
    """Tell how far a move is, and what is in place."""
    directory = _plan(target)
    state = load(directory)
    try:
        places = dict(line.split() for line in state_of(directory).splitlines())
    except Failed as failed:
        _say(str(failed))
        return UNREADABLE
    if as_json:
        report = {
            "phase": state.phase.value,
            "reason": state.reason,
            "history": [{"phase": phase, "at": at} for phase, at in state.history],
            "in_place": places,
        }
        click.echo(json.dumps(report, indent=2))
        return DONE
    why = f": {state.reason}" if state.reason else ""
    click.echo(f"{state.phase.value}{printable(why)}")
    for name, value in places.items():
        click.echo(f"  {name:<28}{value}")
    return DONE


def watch_plan(target: str, ready: int) -> int:
    """Be the watchdog of a run."""
    watch(_plan(target), ready)
    return DONE


def _plan(target: str) -> Path:
    directory = Path(target).absolute()
    try:
        plans.read(directory)
    except plans.NoPlan as reason:
        raise click.UsageError(printable(str(reason))) from None
    return directory


def _say(text: str) -> None:
    for line in text.splitlines():
        click.echo(printable(line), err=True)
