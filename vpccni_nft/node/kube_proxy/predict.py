"""What kube-proxy would write in nftables mode on a node where it is in iptables mode.

The rules that others wrote stay as they are; kube-proxy's own, and what leads to them, go, as it
removes them when it starts in another mode.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs

from ... import iptables, nft
from ...core.diagnostics import OTHER_PROXY_RULES, Diagnostic, Refused
from ...core.span import Source
from ...core.values import Family
from ...text.nft_reader import load
from .read_iptables import is_kube_proxys, leads_to_kube_proxy, read_iptables
from .write_nftables import write_nftables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...iptables.ast import Ruleset, Table
    from ...proof.side import Side
    from .services import KubeProxy
    from .write_nftables import TableForm


@attrs.frozen(kw_only=True)
class Given:
    """What decides about packets in nftables mode and cannot be read from rules of iptables."""

    #: Addresses that take NodePort packets: those of the node, unless kube-proxy is configured
    #: with ``nodePortAddresses``. Empty: those that the dump shows.
    node_ips: tuple[str, ...] = ()
    service_cidrs: tuple[str, ...] = ()  #: where Services get their cluster IPs from
    no_service_cidr: bool = False  #: whether kube-proxy does not know that, as before 1.31
    cluster_cidrs: tuple[str, ...] = ()  #: of pods, where no rule shows it


@attrs.frozen
class Prediction:
    """A family's rules of kube-proxy in the other mode."""

    before: KubeProxy
    after: KubeProxy
    script: str  #: kube-proxy's table, for ``nft -f``


class NotGiven(ValueError):  # noqa: N818 - it names what is missing
    """Something that the table depends on and that nothing shows; ``option`` would give it."""

    def __init__(self, what: str, option: str) -> None:
        super().__init__(what)
        self.option = option


def predict(ruleset: Ruleset, family: Family, generation: TableForm, given: Given) -> Prediction:
    """The table that kube-proxy would write for the Services that are there.

    Raises Refused where its rules are not understood (M301), and NotGiven.
    """
    there = read_iptables(ruleset, family)
    settings = there.settings
    addresses = settings.node_port_addresses or _of_family(given.node_ips, family)
    if not addresses and any(service.node_port for service in there.services):
        raise NotGiven(f"the {family.title} address of the node, for NodePorts", "--node-ip")
    cidrs = _of_family(given.service_cidrs, family)
    if not cidrs and not given.no_service_cidr:
        raise NotGiven(f"where Services get their {family.title} addresses from", "--service-cidr")
    (cidr,) = _of_family(given.cluster_cidrs, family)[:1] or (settings.cluster_cidr,)
    if settings.cluster_cidr and cidr != settings.cluster_cidr:
        found = f"the CIDR of pods: the rules have {settings.cluster_cidr}, and not {cidr}"
        raise NotGiven(found, "--cluster-cidr")
    after = attrs.evolve(
        there,
        settings=attrs.evolve(
            settings,
            node_port_addresses=addresses,
            service_cidrs=cidrs,
            cluster_cidr=None if settings.masquerade_all else cidr,
        ),
    )
    return Prediction(there, after, write_nftables(after, generation))


def predicted_side(
    side: Side, generation: TableForm, given: Given
) -> tuple[Side, tuple[Prediction, ...]]:
    """What would be on a node, with kube-proxy in nftables mode, and what is predicted of it.

    Raises Refused and NotGiven as ``predict`` does, and Refused where the node has a table of
    kube-proxy already.
    """
    dumps = [one for one in side.rulesets if isinstance(one, iptables.Ruleset)]
    native = [one for one in side.rulesets if isinstance(one, nft.Ruleset)]
    dump = iptables.Ruleset(tuple(table for one in dumps for table in one.tables))
    tables = [table for one in native for table in one.tables]
    if any(getattr(table, "name", "") == "kube-proxy" for table in tables):
        message = "there is a table kube-proxy already: kube-proxy has been in nftables mode here"
        raise Refused([Diagnostic(OTHER_PROXY_RULES, message)])
    families = [family for family in Family if _has_rules(dump, family)]
    if not families:
        message = "there are no rules of kube-proxy in iptables mode"
        raise Refused([Diagnostic(OTHER_PROXY_RULES, message)])
    found = tuple(predict(dump, family, generation, given) for family in families)
    scripts = [Source.of(one.script, "<kube-proxy>") for one in found]
    written = nft.Ruleset((*tables, *load(scripts).ruleset.tables))
    return attrs.evolve(side, rulesets=(without_kube_proxy(dump), written)), found


def _has_rules(dump: iptables.Ruleset, family: Family) -> bool:
    return any(
        chain.rules and is_kube_proxys(chain.name)
        for table in dump.tables
        if table.family is family
        for chain in table.chains
    )


def without_kube_proxy(ruleset: Ruleset) -> Ruleset:
    """The same rules without kube-proxy's chains, and without what leads there."""
    return attrs.evolve(ruleset, tables=tuple(map(_without, ruleset.tables)))


def _without(table: Table) -> Table:
    return attrs.evolve(
        table,
        chains=tuple(
            attrs.evolve(
                chain,
                rules=tuple(rule for rule in chain.rules if not leads_to_kube_proxy(rule)),
            )
            for chain in table.chains
            if not is_kube_proxys(chain.name)
        ),
    )


def node_ips(facts: Mapping[str, str]) -> tuple[str, ...]:
    """The node's own addresses by a record's facts: those that its default routes leave with.

    Where a route names none, it is the first global one of the route's device.
    """
    found = []
    devices = json.loads(facts.get("addresses.json", "") or "[]")
    for name, family in (("routes.json", "inet"), ("routes6.json", "inet6")):
        routes = json.loads(facts.get(name, "") or "[]")
        default = (one for one in routes if one.get("dst") == "default" and one.get("dev"))
        route = min(default, key=lambda one: one.get("metric", 0), default=None)
        if route is None:
            continue
        known = (
            address["local"]
            for device in devices
            if device.get("ifname") == route["dev"]
            for address in device.get("addr_info", ())
            if address.get("family") == family and address.get("scope") == "global"
        )
        address = route.get("prefsrc") or next(known, None)
        if address:
            found.append(address)
    return tuple(found)


def _of_family(texts: tuple[str, ...], family: Family) -> tuple[str, ...]:
    return tuple(text for text in texts if (":" in text) is (family is Family.IP6))
