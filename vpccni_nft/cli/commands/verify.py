"""Prove that two sides mean the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from ...core.diagnostics import Refused
from ...core.exit_codes import ExitCode
from ...core.render import printable
from ...core.values import parse_integer
from ...lowering.options import codes_named
from ..command import Command
from ..files import write_output
from ..options import (
    ACCEPT,
    ALLOW,
    AS_JSON,
    COUNTERS,
    FACTS,
    FAMILY,
    IPSET_SAVE,
    ORDER,
    OUTPUT_FORMAT,
    SECONDS,
    SIDES,
    STATISTICS,
    TIMEOUT,
    read_accepted,
    read_known_node,
    read_order,
    read_sides,
    require_solver,
)
from ..render import progress
from ..render.diagnostics import show
from ..signals import ended_by_signals

if TYPE_CHECKING:
    from ...proof.answers import Answer, Different
    from ...replay.examples import KernelAnswer
    from ..options import TwoSides


@click.command(
    cls=Command,
    exits={
        ExitCode.DONE: "equivalent: every packet is treated the same, but for what is accepted",
        ExitCode.REFUSED: "different: a packet is shown; or a plan's copy of rules is stale",
        ExitCode.USAGE: "wrong usage, unreadable input, or z3-solver is missing",
        ExitCode.UNKNOWN: "unknown: there was not enough time, or the model approximates a rule",
    },
    examples=(
        "vpccni-nft verify --before node.save --after node.nft",
        "vpccni-nft translate node.save | vpccni-nft verify --before node.save --after -",
        "vpccni-nft verify --before v4.save --before aws-cni.nft --after <(nft list ruleset)",
        "vpccni-nft verify --before node.save --after new.nft --json | jq '.packets[].packet'",
        "vpccni-nft verify --before iptables.save --after kube-proxy.nft --accept kube-proxy-modes",
        "vpccni-nft verify --before node.save --after new.nft --output-format junit > proof.xml",
        "sudo vpccni-nft verify --before node.save --after new.nft --replay",
        "vpccni-nft verify --before node.save --after new.nft --facts record.tar.gz",
        "sudo vpccni-nft verify --plan plan/ --moved",
    ),
    notes="A packet that is shown can be given to vpccni-nft explain and vpccni-nft replay.",
)
@SIDES
@click.option(
    "--plan",
    metavar="DIR",
    help="Compare what a plan (of migrate plan) leaves on a node with what is on this node now.",
)
@click.option(
    "--now",
    multiple=True,
    metavar="FILE",
    help="With --plan: files or folders with the node's rules, instead of reading this node; may"
    " be given several times.",
)
@click.option(
    "--moved",
    is_flag=True,
    help="With --plan: compare only what it moved, not the node's other tables.",
)
@IPSET_SAVE
@FAMILY
@ALLOW
@ACCEPT
@FACTS
@COUNTERS
@SECONDS
@TIMEOUT
@ORDER
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="The largest number of classes of differences to search for.",
)
@click.option(
    "--first", is_flag=True, help="Stop at the first packet that differs on a path or at a hook."
)
@click.option(
    "--per-hook",
    is_flag=True,
    help="Compare each hook by itself, rather than what happens to packets on their whole way.",
)
@click.option(
    "--internal-mark",
    default="0",
    metavar="MASK",
    help="Mark bits that only the rules look at: no routing rule, program or other device does.",
)
@click.option(
    "--explain",
    "explained",
    type=click.IntRange(min=1),
    metavar="N",
    help="Show class N of the table in full: its packet, its way through the rules, and how to"
    " accept it.",
)
@click.option(
    "--replay",
    is_flag=True,
    help="Send the packet of each class through both sides in the kernel, in network namespaces of"
    " their own, and say whether it is confirmed; needs root.",
)
@STATISTICS
@OUTPUT_FORMAT
@AS_JSON
def verify(  # noqa: PLR0913 - one for each option
    before: tuple[str, ...],
    after: tuple[str, ...],
    plan: str | None,
    now: tuple[str, ...],
    ipset_save: str | None,
    family: str | None,
    allow: tuple[str, ...],
    accept: tuple[str, ...],
    *,
    facts: tuple[str, ...],
    moved: bool,
    counters: bool,
    seconds: float,
    timeout: float | None,
    order: str | None,
    most: int,
    first: bool,
    explained: int | None,
    per_hook: bool,
    internal_mark: str,
    replay: bool,
    statistics: bool,
    form: str,
    as_json: bool,
) -> ExitCode:
    """Prove that two sides treat every packet the same, or show packets that they do not.

    The sides are the files of --before and --after, or a plan and the node that it was made for.

    Needs z3-solver: pip install 'vpccni-nft[verify]'.
    """
    _check_usage(before, after, plan, now, ipset_save, family, moved=moved, replay=replay)
    internal = _mark_bits(internal_mark, per_hook=per_hook or moved)
    require_solver()
    from ...migration.drift import drift_of
    from ...proof.answers import Different
    from ...proof.side import Side
    from ...proof.verify import ProofSettings
    from ...proof.verify import verify as prove
    from ..formats import text_of
    from ..formats.findings import of_answer
    from ..formats.statistics import dicts_of, lines_of
    from ..render.verify import code_of_answer, lines_of_answer

    settings = ProofSettings(
        order=read_order(order),
        seconds=seconds,
        timeout=timeout,
        most=most,
        first=first,
        counters=counters,
        allow=codes_named(allow),
        paths=not per_hook,
        internal=internal,
        node=read_known_node(facts),
    )
    if as_json:
        form = "json"
    names = ", ".join(before), ", ".join(after)
    stale: tuple[str, ...] = ()
    try:
        if plan:
            drift = drift_of(Path(plan), [Path(file) for file in now], moved=moved)
            one, other, names = drift.expected, drift.present, ("the plan", "now")
            stale = drift.stale
            # Beside tables that are left out, a path is more than what is compared of it.
            paths = settings.paths and not moved
            settings = attrs.evolve(settings, allow=settings.allow | drift.allow, paths=paths)
        else:
            sides = read_sides(before, after, ipset_save, family)
            one, other = (Side.of(each, sides.options) for each in (sides.before, sides.after))
        settings = attrs.evolve(settings, accept=read_accepted(accept, one, other))
    except Refused as refused:
        show(refused.diagnostics, notes=False)
        return ExitCode.USAGE
    if replay and not _can_send(sides):
        return ExitCode.USAGE
    with progress.of_proof() as report:
        answer = prove(one, other, settings, report)
    kernel = _sent(answer, sides) if replay and isinstance(answer, Different) else None
    if isinstance(kernel, ExitCode):
        return kernel
    code = code_of_answer(answer)
    if stale and code is ExitCode.DONE:
        code = ExitCode.REFUSED
    if form == "text" and not statistics:
        _show(answer, names, explained, kernel, stale)
        return code
    found = of_answer(answer, (before, after), stale, code)
    if form == "text":
        for line in (next(lines_of_answer(answer, *names)), *lines_of(found)):
            click.echo(line)
        return code
    if form != "json":
        write_output(text_of(found, form), "-")
        return code
    shown = _dict_of(answer, kernel)
    shown |= {"stale": list(stale)} if plan else {}
    shown |= {"statistics": dicts_of(found)} if statistics else {}
    write_output(json.dumps(shown, indent=2) + "\n", "-")
    return code


def _dict_of(answer: Answer, kernel: list[KernelAnswer] | None) -> dict[str, Any]:
    """An answer for a program, with what the kernel says of each packet where it was asked."""
    found = answer.to_dict()
    for packet, said in zip(found["packets"], kernel or (), strict=False):
        packet["kernel"] = said.to_dict()
    return found


def _show(
    answer: Answer,
    names: tuple[str, str],
    explained: int | None,
    kernel: list[KernelAnswer] | None,
    stale: tuple[str, ...],
) -> None:
    """Write an answer for a reader."""
    from ...proof.answers import Different
    from ..render.verify import lines_of_answer

    count = len(answer.classes) if isinstance(answer, Different) else 0
    if explained and explained > count:
        raise click.UsageError(f"--explain {explained}: the answer has {count} classes")
    for line in lines_of_answer(answer, *names, explained, kernel):
        click.echo(line)
    for sentence in stale:
        click.echo(f"stale: {printable(sentence)}")


def _check_usage(
    before: tuple[str, ...],
    after: tuple[str, ...],
    plan: str | None,
    now: tuple[str, ...],
    ipset_save: str | None,
    family: str | None,
    *,
    moved: bool,
    replay: bool,
) -> None:
    """Exit 2 where options do not go together."""
    if plan and (before or after or ipset_save or family):
        raise click.UsageError(
            "--plan can be combined with --now, but not with --before, --after, --ipset-save or"
            " --family"
        )
    if not plan and (now or moved):
        raise click.UsageError("--now and --moved need --plan")
    if not plan and not (before and after):
        raise click.UsageError("give both --before and --after, or --plan")
    if plan and replay:
        raise click.UsageError("--replay is for --before and --after; see migrate rehearse")


def _can_send(sides: TwoSides) -> bool:
    """Whether the kernel can be asked; if not, why has been said."""
    from ...replay.comparison import Bench
    from ...replay.side import ReplayError
    from ..render.replay import show_reason

    try:
        Bench.of(sides.before, sides.after, sides.options.ipset_save, sides.options.family)
    except ReplayError as error:
        show_reason(str(error))
        return False
    return True


def _sent(answer: Different, sides: TwoSides) -> list[KernelAnswer] | ExitCode:
    """What the kernel says of each class's packet; or how to end, as it says nothing."""
    from ...replay.comparison import Bench
    from ...replay.examples import confirm
    from ...replay.side import ReplayError
    from ..render.replay import show_reason

    options, found, count = sides.options, [], len(answer.counterexamples)
    try:
        with ended_by_signals(), progress.of_proof() as report:
            bench = Bench.of(sides.before, sides.after, options.ipset_save, options.family)
            for number, example in enumerate(answer.counterexamples, 1):
                report(f"what the kernel does with packet {number} of {count}")
                found.append(confirm(example, bench))
    except ReplayError as error:
        show_reason(str(error))
        return ExitCode.USAGE
    except KeyboardInterrupt:
        click.echo("interrupted; nothing is left behind", err=True)
        return ExitCode.INTERRUPTED
    return found


def _mark_bits(text: str, *, per_hook: bool) -> int:
    """The bits of --internal-mark."""
    try:
        bits = parse_integer(text, 0xFFFFFFFF)
    except ValueError as error:
        raise click.UsageError(f"--internal-mark: {printable(str(error))}") from None
    if bits and per_hook:
        raise click.UsageError(
            "--internal-mark is for whole paths: leave --per-hook and --moved out, with which hooks"
            " are compared"
        )
    return bits
