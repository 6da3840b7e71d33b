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
    FACTS,
    FAMILY,
    IPSET_SAVE,
    KUBE_PROXY,
    ORDER,
    SECONDS,
    TIMEOUT,
    VPC_CNI,
    read_accepted,
    read_known_node,
    require_solver,
    settings_of_switch,
)
from ..render import progress
from ..render.diagnostics import code_of, show


@click.command(
    cls=Command,
    exits={
        ExitCode.DONE: "the node would treat every packet as now, but for what is accepted",
        ExitCode.REFUSED: "it would not: each class of packets is shown; or an agent's rules are"
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
        "vpccni-nft predict before.tar.gz --vpc-cni 1.23 --accept vpc-cni-native",
        (
            "vpccni-nft predict before.tar.gz --kube-proxy nftables --service-cidr none"
            " --facts before.tar.gz --accept kube-proxy-modes"
        ),
    ),
)
@click.argument("node", metavar="NODE")
@KUBE_PROXY
@VPC_CNI
@CHANGE
@click.option(
    "--write",
    "target",
    metavar="FILE",
    help="Write what the agents would write, for nft -f or iptables-restore; - is standard output.",
)
@IPSET_SAVE
@FAMILY
@ALLOW
@ACCEPT
@SECONDS
@TIMEOUT
@ORDER
@FACTS
@click.option("--first", is_flag=True, help="Stop at the first packet that differs on a path.")
@AS_JSON
def predict(  # noqa: PLR0913 - one for each option
    node: str,
    *,
    kube_proxy: str | None,
    vpc_cni: str | None,
    back_end: str | None,
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
    facts: tuple[str, ...],
    first: bool,
    as_json: bool,
) -> ExitCode:
    """Show what changes when agents change their modes, before they do.

    NODE is a record or a dump of a node as it is. With --kube-proxy, its Services are read from
    kube-proxy's rules, and what it would write for them in the other mode is compared with what is
    there, beside the rules that others wrote; with --vpc-cni, so are the CNI's connmark rules.
    """
    require_solver()
    if not kube_proxy and not vpc_cni:
        raise click.UsageError("say what changes: --kube-proxy, --vpc-cni, or both")
    from ...lowering.options import TranslateOptions
    from ...node.agents import AgentsChange, predicted
    from ...node.kube_proxy.on_node import Mode
    from ...node.kube_proxy.predict import NotGiven, given_by
    from ...node.kube_proxy.write_nftables import TableForm
    from ...node.vpc_cni.predict import Release
    from ...proof.side import Side
    from ...proof.verify import verify as prove
    from ...text.saved_from import SavedFrom
    from ..render.verify import code_of_answer, lines_of_answer

    sources, sets = read_rules((node,))
    sets = sets if ipset_save is None else read_source(ipset_save)
    change = AgentsChange(
        kube_proxy=Mode(kube_proxy) if kube_proxy else None,
        form=TableForm(kubernetes),
        given=given_by(
            read_facts(node),
            node_ips=node_ips,
            service_cidrs=service_cidrs,
            cluster_cidrs=cluster_cidrs,
        ),
        vpc_cni=Release(vpc_cni) if vpc_cni else None,
        back_end=SavedFrom(back_end or "unknown"),
    )
    try:
        before = Side.of(sources, TranslateOptions.of(family=family, ipset_save=sets))
        after = predicted(before, change)
        acceptances = read_accepted(accept, before, after.side)
    except Refused as refused:
        show(refused.diagnostics, notes=False)
        return code_of(refused.diagnostics)
    except NotGiven as missing:
        raise click.UsageError(f"{missing}: give {missing.option}") from None
    if target:
        write_output(_one_language(after.scripts), target)
    settings = attrs.evolve(
        settings_of_switch(order, seconds, timeout, allow),
        accept=acceptances,
        first=first,
        node=read_known_node(facts),
    )
    with progress.of_proof() as report:
        answer = prove(before, after.side, settings, report)
    if as_json:
        found = {
            "services": after.services,
            "script": "".join(after.scripts),
            "predicted_assuming": list(after.assumptions),
            **answer.to_dict(),
        }
        write_output(json.dumps(found, indent=2) + "\n", "-")
    else:
        for line in lines_of_answer(answer, node, "predicted"):
            click.echo(line)
        for sentence in after.assumptions:
            click.echo(f"  assumed of what is predicted: {sentence}")
    return code_of_answer(answer)


def _one_language(scripts: tuple[str, ...]) -> str:
    """The scripts as one; exit 2 where one is for nft and another one for iptables-restore."""
    if len({script.startswith("add ") for script in scripts if script}) > 1:
        raise click.UsageError(
            "--write: one agent would write nft, and the other iptables: predict them one by one"
        )
    return "".join(scripts)
