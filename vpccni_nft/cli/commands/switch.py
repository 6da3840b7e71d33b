"""Prove that a node does the same after its agents have changed their modes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
import click

from ...core.diagnostics import Refused
from ...core.exit_codes import ExitCode
from ..command import Command, CommandGroup
from ..files import write_output
from ..nodes import read_rules
from ..options import (
    ACCEPT,
    ALLOW,
    AS_JSON,
    FAMILY,
    ORDER,
    SECONDS,
    TIMEOUT,
    read_accepted,
    require_solver,
    settings_of_switch,
)
from ..render import progress
from ..render.diagnostics import code_of, show

if TYPE_CHECKING:
    from ...core.diagnostics import Diagnostic
    from ...proof.side import Side


@click.group(cls=CommandGroup)
def switch() -> None:
    """Change the modes of a node's agents: prove afterwards that it does the same as before."""


@switch.command(
    cls=Command,
    exits={
        ExitCode.DONE: "the node treats every packet as before, but for what is accepted",
        ExitCode.REFUSED: "it does not, or something of the mode that was left is still there",
        ExitCode.UNKNOWN: "unknown: a Service was added, removed or changed meanwhile; there was"
        "\nnot enough time; or the model approximates a rule",
    },
    examples=(
        "vpccni-nft switch prove before.tar.gz after.tar.gz --accept kube-proxy-modes",
        "vpccni-nft switch prove before after --accept kube-proxy-modes --json > proof.json",
    ),
)
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@FAMILY
@ALLOW
@ACCEPT
@SECONDS
@TIMEOUT
@ORDER
@AS_JSON
def prove(  # noqa: PLR0913 - one for each option
    before: str,
    after: str,
    *,
    family: str | None,
    allow: tuple[str, ...],
    accept: tuple[str, ...],
    seconds: float,
    timeout: float | None,
    order: str | None,
    as_json: bool,
) -> ExitCode:
    """Prove that a node does after a change of kube-proxy's mode what it did before it.

    BEFORE and AFTER are records of one node (vpccni-nft record). Services whose endpoints changed
    in the meantime are listed, and compared as they are in AFTER on both sides. Where a Service was
    added, removed or changed otherwise, nothing shows whether that was meant: the exit code is 3.
    What is left of the mode that kube-proxy was in is an error.
    """
    require_solver()
    from ...node.kube_proxy.churn import changes, with_services_of
    from ...node.kube_proxy.leftovers import leftovers
    from ...node.kube_proxy.on_node import OnNode
    from ...proof.verify import verify as verify_sides
    from ..render.switch import dict_of, lines_of
    from ..render.verify import code_of_answer

    left: tuple[Diagnostic, ...] = ()
    try:
        one, other = (_side(name, family) for name in (before, after))
        was = OnNode.of(one)
        left = leftovers(other, was.mode)
        now = OnNode.of(other)
        moved = with_services_of(one, was, now)
        acceptances = read_accepted(accept, moved, other)
    except Refused as refused:
        show((*left, *refused.diagnostics), notes=False)
        return code_of(refused.diagnostics)
    settings = attrs.evolve(settings_of_switch(order, seconds, timeout, allow), accept=acceptances)
    with progress.of_proof() as report:
        answer = verify_sides(moved, other, settings, report)
    changed = changes(was, now)
    if as_json:
        found = dict_of(was, now, changed, left, answer)
        write_output(json.dumps(found, indent=2) + "\n", "-")
    else:
        for line in lines_of(was, now, changed, answer, (before, after)):
            click.echo(line)
        show(left, notes=False)
    code = code_of_answer(answer)
    if code is not ExitCode.DONE or left:
        return ExitCode.REFUSED if left else code
    # What became of such a Service may be someone's wish, or a fault of the new mode.
    lost = any(one.what != "endpoints" for one in changed)
    return ExitCode.UNKNOWN if lost else code


def _side(name: str, family: str | None) -> Side:
    from ...lowering.options import TranslateOptions
    from ...proof.side import Side

    sources, sets = read_rules((name,))
    return Side.of(sources, TranslateOptions.of(family=family, ipset_save=sets))
