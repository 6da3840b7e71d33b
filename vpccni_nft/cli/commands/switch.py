"""Prove that nodes do the same after their agents have changed their modes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from ...core.diagnostics import Refused
from ...core.exit_codes import ExitCode
from ...core.render import printable
from ..command import Command, CommandGroup
from ..files import json_lines, read_source, write_output
from ..nodes import read_origin, read_rules
from ..options import (
    ACCEPT,
    ALLOW,
    AS_JSON,
    CHANGE,
    ENDPOINTS,
    FACTS,
    FAMILY,
    OF_MANY_NODES,
    ORDER,
    SECONDS,
    TIMEOUT,
    read_accepted,
    read_endpoints,
    read_known_node,
    read_order,
    require_jinja,
    require_joblib,
    require_solver,
    settings_of_switch,
)
from ..render import progress
from ..render.diagnostics import code_of, show

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...fleet.gate import GateNode
    from ...node.files import NodeFiles
    from ...proof.side import Side

#: The most nodes that are named one by one on standard error.
SHOWN = 50


@click.group(cls=CommandGroup)
def switch() -> None:
    """Change the modes of a node's agents: prove afterwards that it does the same as before."""


@switch.command(
    cls=Command,
    exits={
        ExitCode.DONE: "the node treats every packet as before, but for what is accepted",
        ExitCode.REFUSED: "it does not, or something of the mode that was left is still there",
        ExitCode.UNKNOWN: "unknown: a Service was added, removed or changed meanwhile; there was"
        " not enough time; or the model approximates a rule",
    },
    examples=(
        "vpccni-nft switch prove before.tar.gz after.tar.gz --accept kube-proxy-modes",
        "vpccni-nft switch prove before after --accept kube-proxy-modes --json > proof.json",
        "vpccni-nft switch prove before after --accept kube-proxy-modes --page board.html",
        "vpccni-nft switch prove before.tar.gz after.tar.gz --facts after.tar.gz",
    ),
)
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@ENDPOINTS
@FAMILY
@ALLOW
@ACCEPT
@SECONDS
@TIMEOUT
@ORDER
@FACTS
@click.option(
    "--page",
    metavar="FILE",
    help="Also write one page of HTML, for a change board to sign; it needs jinja2.",
)
@AS_JSON
def prove(  # noqa: PLR0913 - one for each option
    before: str,
    after: str,
    *,
    endpoints: str | None,
    family: str | None,
    allow: tuple[str, ...],
    accept: tuple[str, ...],
    seconds: float,
    timeout: float | None,
    order: str | None,
    facts: tuple[str, ...],
    page: str | None,
    as_json: bool,
) -> ExitCode:
    """Prove that a node does after a change of kube-proxy's mode what it did before it.

    BEFORE and AFTER are records of one node (vpccni-nft record). Services whose endpoints changed
    in the meantime are listed, and compared as they are in AFTER on both sides. Where a Service was
    added, removed or changed otherwise, or has only lost endpoints, nothing shows whether that was
    meant: the exit code is 3, unless --endpoints explains it. What is left of the mode that
    kube-proxy was in is an error.
    """
    require_solver()
    from ...node.kube_proxy.switching import recorded
    from ...proof.verify import verify as verify_sides
    from ..render.switch import ChangeRecords, code_of_switch, dict_of, lines_of

    if page:
        require_jinja()
    try:
        one, other = (_side(name, family) for name in (before, after))
        found = recorded(one, other, read_endpoints(endpoints))
        acceptances = read_accepted(accept, found.before, found.after)
    except Refused as refused:
        show(refused.diagnostics, notes=False)
        return code_of(refused.diagnostics)
    settings = attrs.evolve(
        settings_of_switch(order, seconds, timeout, allow),
        accept=acceptances,
        node=read_known_node(facts),
    )
    with progress.of_proof() as report:
        answer = verify_sides(found.before, found.after, settings, report)
    about = ChangeRecords(
        read_origin(before),
        read_origin(after),
        (before, after),
        "every order is tried" if order is None else order,
        accept,
    )
    if page:
        _write_page(dict_of(found, answer, about), page)
    if as_json:
        write_output(json.dumps(dict_of(found, answer, about), indent=2) + "\n", "-")
    else:
        for line in lines_of(found, answer, about):
            click.echo(line)
        show(found.leftovers, notes=False)
    return code_of_switch(found, answer)


def _write_page(answer: dict[str, Any], target: str) -> None:
    """The answer as a page."""
    from ...report.page import PageContent, html_of

    about = answer["about"]
    host = about["after"]["host"] or about["before"]["host"] or about["files"][0]
    title = f"Change of modes on {printable(host)}"
    write_output(html_of(PageContent(title, answers=(answer,))), target)


def _side(name: str, family: str | None) -> Side:
    from ...lowering.options import TranslateOptions
    from ...proof.side import Side

    sources, sets = read_rules((name,))
    return Side.of(sources, TranslateOptions.of(family=family, ipset_save=sets))


@switch.command(
    cls=Command,
    exits={
        ExitCode.DONE: "go on: every node is equivalent, but for what is accepted",
        ExitCode.REFUSED: "stop: a node is different or refused",
        ExitCode.USAGE: "wrong usage, no node can be read, or joblib or z3-solver is missing",
        ExitCode.UNKNOWN: "stop: a node is unknown, failed or unreadable, and none is different or"
        " refused",
    },
    examples=(
        (
            "vpccni-nft switch gate before/ --kube-proxy nftables --service-cidr 10.100.0.0/16"
            " --accept kube-proxy-modes"
        ),
        (
            "vpccni-nft switch gate before/ --after after/ --canary ip-10-0-1-7"
            " --accept kube-proxy-modes -o nodes.jsonl"
        ),
    ),
)
@click.argument("snapshots", nargs=-1, required=True, metavar="SNAPSHOT...")
@click.option(
    "--after",
    multiple=True,
    metavar="SNAPSHOT",
    help="Records after the change, by the same names: these nodes are proved as by switch prove."
    " May be given several times.",
)
@click.option(
    "--kube-proxy",
    type=click.Choice(["nftables", "iptables"]),
    help="The mode that nodes change to of which there is no record after the change: theirs is"
    " predicted.",
)
@CHANGE
@click.option(
    "--canary",
    "canaries",
    multiple=True,
    metavar="NODE",
    help="A node that is proved first: unless it is equivalent, no other is proved. May be given"
    " several times.",
)
@ENDPOINTS
@OF_MANY_NODES
@ALLOW
@ACCEPT
@SECONDS
@ORDER
def gate(  # noqa: PLR0913 - one for each option
    snapshots: tuple[str, ...],
    *,
    after: tuple[str, ...],
    kube_proxy: str | None,
    kubernetes: str,
    node_ips: tuple[str, ...],
    service_cidrs: tuple[str, ...],
    cluster_cidrs: tuple[str, ...],
    canaries: tuple[str, ...],
    endpoints: str | None,
    output: str | None,
    node_seconds: float,
    jobs: int | None,
    backend: str,
    allow: tuple[str, ...],
    accept: tuple[str, ...],
    seconds: float,
    order: str | None,
) -> ExitCode:
    """Say whether a group of nodes may go on changing kube-proxy's mode.

    SNAPSHOT is a record of a node before the change, or a folder of them. A node of which --after
    has another one is proved; of others the change is predicted. Nodes of one shape share a proof.
    Needs joblib and z3-solver: pip install 'vpccni-nft[fleet]'.
    """
    require_solver()
    require_joblib()
    from ...fleet.gate import gate as reports
    from ...fleet.parallel import spread
    from ...fleet.report import EQUIVALENT
    from ...fleet.switch import SwitchSettings
    from ..render.gate import GateTally, line_of, lines_of

    read_endpoints(endpoints)
    read_order(order)
    nodes = _nodes(snapshots, after, kube_proxy)
    names = {node.name for node in nodes}
    if strange := [name for name in canaries if name not in names]:
        raise click.UsageError(f"--canary {printable(strange[0])}: there is no such node")
    settings = SwitchSettings(
        kube_proxy=kube_proxy,
        kubernetes=kubernetes,
        node_ips=node_ips,
        service_cidrs=service_cidrs,
        cluster_cidrs=cluster_cidrs,
        allow=allow,
        accept=tuple(map(_accepted, accept)),
        endpoints=endpoints and _text(endpoints),
        order=_text(order) if order and Path(order).is_file() else order,
        seconds=seconds,
        node_seconds=node_seconds,
    )
    tally = GateTally()
    others = 0
    try:
        with (
            json_lines(output) as write,
            spread(backend, jobs or -1),
            progress.of_fleet(len(nodes)) as advance,
        ):
            for report in reports(nodes, settings, canaries):
                tally.add(report)
                write(report)
                is_other = report["answer"] != EQUIVALENT
                others += is_other
                advance(line_of(report) if is_other and others <= SHOWN else "")
    except KeyboardInterrupt:
        click.echo("interrupted; every line that was written is complete", err=True)
        return ExitCode.INTERRUPTED
    if others > SHOWN:
        click.echo(f"... and {others - SHOWN} more", err=True)
    for line in lines_of(tally):
        click.echo(line, err=output == "-")
    return tally.exit_code


def _text(name: str) -> str:
    return "\n".join(read_source(name).lines)


def _accepted(name: str) -> tuple[str, str | None]:
    """A catalogue by its name, or a file with its text."""
    from ...node.catalogues import CATALOGUES

    return (name, None if name in CATALOGUES and not Path(name).is_file() else _text(name))


def _nodes(
    before: Iterable[str], after: Iterable[str], kube_proxy: str | None
) -> tuple[GateNode, ...]:
    from ...fleet.gate import GateNode

    first, second = _by_name(before), _by_name(after)
    if strange := [name for name in second if name not in first]:
        raise click.UsageError(
            f"--after has {printable(strange[0])}, of which there is no record before the change"
        )
    alone = [name for name in first if name not in second]
    if alone and not kube_proxy:
        raise click.UsageError(
            f"there is no record of {printable(alone[0])} after the change: give it with --after,"
            " or --kube-proxy to predict the change"
        )
    return tuple(GateNode(name, place, second.get(name)) for name, place in first.items())


def _by_name(places: Iterable[str]) -> dict[str, NodeFiles]:
    from ...node.files import read_fleet

    found: dict[str, NodeFiles] = {}
    for place in places:
        try:
            fleet = read_fleet(place)
        except OSError as error:
            raise click.UsageError(f"cannot read {printable(place)}: {error.strerror}") from None
        if not fleet.nodes:
            raise click.UsageError(f"there is no node in {printable(place)}")
        for node in fleet.nodes:
            if node.name in found:
                raise click.UsageError(f"two nodes are called {printable(node.name)}")
            found[node.name] = node
        for file in fleet.ignored:
            click.echo(f"ignored: {printable(file)}", err=True)
    return found
