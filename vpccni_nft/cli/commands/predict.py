"""Show what a node does when its agents change their modes, before they do."""

from __future__ import annotations

import json

import attrs
import click

from ...core.diagnostics import Refused
from ...core.exit_codes import ExitCode
from ..command import Command
from ..files import read_source, write_output
from ..nodes import read_facts, read_rules
from ..options import (
    ACCEPT,
    ALLOW,
    AS_JSON,
    CHANGE,
    FAMILY,
    IPSET_SAVE,
    KUBE_PROXY,
    ORDER,
    SECONDS,
    TIMEOUT,
    read_accepted,
    require_solver,
    settings_of_switch,
)
from ..render import progress
from ..render.diagnostics import code_of, show


@click.command(
    cls=Command,
    exits={
        ExitCode.DONE: "the node would treat every packet as now, but for what is accepted",
        ExitCode.REFUSED: "it would not: each class of packets is shown; or kube-proxy's rules are"
        " not understood",
        ExitCode.UNKNOWN: "unknown: there was not enough time, or the model approximates a rule",
    },
    examples=(
        "vpccni-nft predict before.tar.gz --kube-proxy nftables --service-cidr 10.100.0.0/16",
        (
            "vpccni-nft predict node.save --kube-proxy nftables --kubernetes 1.36"
            " --node-ip 10.0.12.34 --service-cidr 10.100.0.0/16 --accept kube-proxy-modes"
        ),
        (
            "vpccni-nft predict before.tar.gz --kube-proxy nftables --service-cidr none"
            " --write kube-proxy.nft"
        ),
        "vpccni-nft predict after.tar.gz --kube-proxy iptables --accept kube-proxy-modes",
    ),
)
@click.argument("node", metavar="NODE")
@KUBE_PROXY
@CHANGE
@click.option(
    "--write",
    "target",
    metavar="FILE",
    help="Write what kube-proxy would write, for nft -f or iptables-restore; - is standard output.",
)
@IPSET_SAVE
@FAMILY
@ALLOW
@ACCEPT
@SECONDS
@TIMEOUT
@ORDER
@click.option("--first", is_flag=True, help="Stop at the first packet that differs on a path.")
@AS_JSON
def predict(  # noqa: PLR0913 - one for each option
    node: str,
    *,
    kube_proxy: str,
    kubernetes: str,
    node_ips: tuple[str, ...],
    service_cidrs: tuple[str, ...],
    cluster_cidrs: tuple[str, ...],
    target: str | None,
    ipset_save: str | None,
    family: str | None,
    allow: tuple[str, ...],
    accept: tuple[str, ...],
    seconds: float,
    timeout: float | None,
    order: str | None,
    first: bool,
    as_json: bool,
) -> ExitCode:
    """Show what changes when kube-proxy changes its mode, before it does.

    NODE is a record or a dump of a node whose kube-proxy is in the other mode. Its Services are
    read from kube-proxy's rules; what it would write for them is compared with what is there,
    beside the rules that others wrote.
    """
    require_solver()
    from ...lowering.options import TranslateOptions
    from ...node.kube_proxy.on_node import Mode
    from ...node.kube_proxy.predict import NotGiven, given_by
    from ...node.kube_proxy.switching import predicted
    from ...node.kube_proxy.write_nftables import TableForm
    from ...proof.side import Side
    from ...proof.verify import verify as prove
    from ..render.verify import code_of_answer, dict_of, lines_of_answer

    sources, sets = read_rules((node,))
    sets = sets if ipset_save is None else read_source(ipset_save)
    options = TranslateOptions.of(family=family, ipset_save=sets)
    given = given_by(
        read_facts(node),
        node_ips=node_ips,
        service_cidrs=service_cidrs,
        cluster_cidrs=cluster_cidrs,
    )
    try:
        side = Side.of(sources, options)
        switch = predicted(side, Mode(kube_proxy), TableForm(kubernetes), given)
        acceptances = read_accepted(accept, switch.before, switch.after)
    except Refused as refused:
        show(refused.diagnostics, notes=False)
        return code_of(refused.diagnostics)
    except NotGiven as missing:
        raise click.UsageError(f"{missing}: give {missing.option}") from None
    if target:
        write_output(switch.script, target)
    settings = attrs.evolve(
        settings_of_switch(order, seconds, timeout, allow), accept=acceptances, first=first
    )
    with progress.of_proof() as report:
        answer = prove(switch.before, switch.after, settings, report)
    if as_json:
        found = {
            "services": switch.was.count,
            "script": switch.script,
            "predicted_assuming": list(switch.assumptions),
            **dict_of(answer),
        }
        write_output(json.dumps(found, indent=2) + "\n", "-")
    else:
        for line in lines_of_answer(answer, node, "predicted"):
            click.echo(line)
        for sentence in switch.assumptions:
            click.echo(f"  assumed of what is predicted: {sentence}")
    return code_of_answer(answer)
