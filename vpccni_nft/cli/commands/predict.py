"""Show what a node does when its agents change their modes, before they do."""

from __future__ import annotations

import ipaddress
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
    FAMILY,
    IPSET_SAVE,
    ORDER,
    SECONDS,
    TIMEOUT,
    read_accepted,
    require_solver,
    settings_of_switch,
)
from ..render import progress
from ..render.diagnostics import code_of, show


class _CidrType(click.ParamType[str]):
    """A network, or the word that says that there is none."""

    name = "cidr"

    def __init__(self, *words: str) -> None:
        self.words = words

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in self.words:
            return value
        try:
            return str(ipaddress.ip_network(value))
        except ValueError as wrong:
            self.fail(str(wrong), param, ctx)


class _AddressType(click.ParamType[str]):
    """An address of a host."""

    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return str(ipaddress.ip_address(value))
        except ValueError as wrong:
            self.fail(str(wrong), param, ctx)


@click.command(
    cls=Command,
    exits={
        ExitCode.DONE: "the node would treat every packet as it does now, but for what is accepted",
        ExitCode.REFUSED: "it would not: each class of packets is shown; or kube-proxy's rules are"
        "\nnot understood",
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
@click.option(
    "--kube-proxy",
    type=click.Choice(["nftables", "iptables"]),
    required=True,
    help="The mode that kube-proxy changes to.",
)
@click.option(
    "--kubernetes",
    type=click.Choice(["1.33", "1.36", "1.37"]),
    default="1.33",
    show_default=True,
    help="The release whose kube-proxy will write: the newest of these that is not newer.",
)
@click.option(
    "--node-ip",
    "node_ips",
    multiple=True,
    type=_AddressType(),
    metavar="ADDRESS",
    help="To nftables: an address of the node, which takes NodePort packets; by default what a"
    " record shows.",
)
@click.option(
    "--service-cidr",
    "service_cidrs",
    multiple=True,
    type=_CidrType("none"),
    metavar="CIDR|none",
    help="To nftables: where Services get their addresses from, for packets to addresses without a"
    " Service; none where kube-proxy does not know it.",
)
@click.option(
    "--cluster-cidr",
    "cluster_cidrs",
    multiple=True,
    type=_CidrType(),
    metavar="CIDR",
    help="To nftables: the addresses of pods, where kube-proxy is configured with them and no rule"
    " shows them.",
)
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
    from ...node.kube_proxy.predict import (
        Given,
        NotGiven,
        is_liberal,
        to_iptables,
        to_nftables,
    )
    from ...node.kube_proxy.predict import node_ips as shown_ips
    from ...node.kube_proxy.write_nftables import TableForm
    from ...proof.side import Side
    from ...proof.verify import verify as prove
    from ..render.verify import code_of_answer, dict_of, lines_of_answer

    if len(service_cidrs) > 1 and "none" in service_cidrs:
        raise click.UsageError("--service-cidr is either none or CIDRs")
    sources, sets = read_rules((node,))
    sets = sets if ipset_save is None else read_source(ipset_save)
    options = TranslateOptions.of(family=family, ipset_save=sets)
    facts = read_facts(node)
    given = Given(
        node_ips=node_ips or shown_ips(facts),
        liberal_conntrack=is_liberal(facts),
        service_cidrs=tuple(one for one in service_cidrs if one != "none"),
        no_service_cidr="none" in service_cidrs,
        cluster_cidrs=cluster_cidrs,
    )
    try:
        before = Side.of(sources, options)
        if kube_proxy == "nftables":
            after, predictions = to_nftables(before, TableForm(kubernetes), given)
        else:
            after, predictions = to_iptables(before, given)
        acceptances = read_accepted(accept, before, after)
    except Refused as refused:
        show(refused.diagnostics, notes=False)
        return code_of(refused.diagnostics)
    except NotGiven as missing:
        raise click.UsageError(f"{missing}: give {missing.option}") from None
    script = "".join(one.script for one in predictions)
    assumed = tuple(sentence for one in predictions for sentence in one.assumptions)
    if target:
        write_output(script, target)
    settings = attrs.evolve(
        settings_of_switch(order, seconds, timeout, allow), accept=acceptances, first=first
    )
    with progress.of_proof() as report:
        answer = prove(before, after, settings, report)
    if as_json:
        services = sum(len(one.before.services) for one in predictions)
        found = {
            "services": services,
            "script": script,
            "predicted_assuming": list(assumed),
            **dict_of(answer),
        }
        write_output(json.dumps(found, indent=2) + "\n", "-")
    else:
        for line in lines_of_answer(answer, node, "predicted"):
            click.echo(line)
        for sentence in assumed:
            click.echo(f"  assumed of what is predicted: {sentence}")
    return code_of_answer(answer)
