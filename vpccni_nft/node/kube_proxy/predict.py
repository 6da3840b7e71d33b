"""What kube-proxy would write in its other mode, iptables or nftables, on a node.

The rules that others wrote stay as they are; kube-proxy's own, and what leads to them, go, as it
removes them when it starts in another mode.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs

from ...core.span import Source
from ...core.values import Family
from ...text.nft_reader import load
from .on_node import Mode, Parts, parse_restore_file, refused
from .read_iptables import is_kube_proxys, leads_to_kube_proxy, read_iptables
from .read_nftables import TABLE, read_nftables
from .write_iptables import as_restore_file
from .write_nftables import write_nftables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...iptables.ast import Ruleset, Table
    from ...proof.side import Side
    from .services import KubeProxy, Settings
    from .write_nftables import TableForm


@attrs.frozen(kw_only=True)
class Given:
    """What decides about packets in the other mode, and no rule of this one shows."""

    #: Addresses that take NodePort packets: those of the node, unless kube-proxy is configured
    #: with ``nodePortAddresses``. Empty: those that the dump shows.
    node_ips: tuple[str, ...] = ()
    service_cidrs: tuple[str, ...] = ()  #: where Services get their cluster IPs from
    no_service_cidr: bool = False  #: whether kube-proxy does not know that, as before 1.31
    cluster_cidrs: tuple[str, ...] = ()  #: of pods, where no rule shows it
    #: Whether conntrack is liberal with TCP: then the iptables mode forwards INVALID packets.
    liberal_conntrack: bool = False


@attrs.frozen
class Prediction:
    """A family's rules of kube-proxy in the other mode."""

    before: KubeProxy
    after: KubeProxy
    script: str  #: what kube-proxy would write, for ``nft -f`` or for iptables-restore

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What it rests on, as sentences: what no rule of the mode that is there shows."""
        title = self.before.settings.family.title
        if self.script.startswith("add "):
            cidr = self.after.settings.cluster_cidr
            unseen = not any(service.all_endpoints for service in self.before.services)
            if cidr or not unseen or self.after.settings.masquerade_all:
                return ()
            return (f"{title}: kube-proxy is not configured with the addresses of pods",)
        found = [f"{title}: kube-proxy is not configured with nodePortAddresses"]
        if any(service.external_local for service in self.before.services):
            found.append(f"{title}: no load balancer asks for the health of a Service")
        return tuple(found)


class NotGiven(ValueError):  # noqa: N818 - it names what is missing
    """Something that the table depends on and that nothing shows; ``option`` would give it."""

    def __init__(self, what: str, option: str) -> None:
        super().__init__(what)
        self.option = option


def to_nftables(side: Side, form: TableForm, given: Given) -> tuple[Side, tuple[Prediction, ...]]:
    """What would be on a node with kube-proxy in nftables mode, and what is predicted of it.

    Raises Refused (M301) where kube-proxy's rules are not understood, or are not in iptables mode
    alone, and NotGiven.
    """
    parts = _parts_in(side, Mode.IPTABLES)
    found = []
    for family in parts.families(Mode.IPTABLES):
        there = read_iptables(parts.dump, family)
        proxy = attrs.evolve(there, settings=_in_nftables(there, given))
        found.append(Prediction(there, proxy, write_nftables(proxy, form)))
    scripts = [Source.of(one.script, "<kube-proxy>") for one in found]
    tables = (*parts.native.tables, *load(scripts).ruleset.tables)
    after = Parts(without_kube_proxy(parts.dump), attrs.evolve(parts.native, tables=tables))
    return after.on(side), tuple(found)


def _in_nftables(there: KubeProxy, given: Given) -> Settings:
    """The settings, with what no rule of the iptables mode shows."""
    settings, family = there.settings, there.settings.family
    addresses = settings.node_port_addresses or _of_family(given.node_ips, family)
    if not addresses and any(service.node_port for service in there.services):
        found = (
            f"the {family.title} address of the node, which takes NodePort packets, is not known"
        )
        raise NotGiven(found, "--node-ip")
    cidrs = _of_family(given.service_cidrs, family)
    if not cidrs and not given.no_service_cidr:
        found = f"it is not known where Services get their {family.title} addresses from"
        raise NotGiven(found, "--service-cidr")
    (cidr,) = _of_family(given.cluster_cidrs, family)[:1] or (settings.cluster_cidr,)
    if settings.cluster_cidr and cidr != settings.cluster_cidr:
        found = f"in kube-proxy's rules pods have {settings.cluster_cidr}, and not {cidr}"
        raise NotGiven(found, "--cluster-cidr")
    return attrs.evolve(
        settings,
        node_port_addresses=addresses,
        service_cidrs=cidrs,
        cluster_cidr=None if settings.masquerade_all else cidr,
    )


def to_iptables(side: Side, given: Given) -> tuple[Side, tuple[Prediction, ...]]:
    """The same with kube-proxy in iptables mode, where it is in nftables mode.

    Its jumps come first in the built-in chains, where it inserts them. Raises Refused (M301).
    """
    parts = _parts_in(side, Mode.NFTABLES)
    dump = parts.dump
    found = []
    for family in parts.families(Mode.NFTABLES):
        there, _ = read_nftables(parts.native, family)
        # Without nodePortAddresses, the iptables mode takes NodePort packets at any local address.
        settings = attrs.evolve(
            there.settings,
            node_port_addresses=None,
            drops_invalid=not given.liberal_conntrack,
        )
        after = attrs.evolve(there, settings=settings)
        script = as_restore_file(after)
        found.append(Prediction(there, after, script))
        dump = _with_rules(dump, parse_restore_file(script, family))
    tables = tuple(table for table in parts.native.tables if table.name != TABLE)
    return Parts(dump, attrs.evolve(parts.native, tables=tables)).on(side), tuple(found)


def _with_rules(dump: Ruleset, written: Ruleset) -> Ruleset:
    """A dump with tables inserted: their rules come first in chains that are there already."""
    tables = {(table.family, table.name): table for table in dump.tables}
    for table in written.tables:
        there = tables.get((table.family, table.name))
        tables[table.family, table.name] = _with_chains(there, table) if there else table
    return attrs.evolve(dump, tables=tuple(tables.values()))


def _with_chains(there: Table, written: Table) -> Table:
    chains = {chain.name: chain for chain in there.chains}
    for chain in written.chains:
        before = chains.get(chain.name)
        rules = (*chain.rules, *before.rules) if before else chain.rules
        chains[chain.name] = attrs.evolve(before or chain, rules=rules)
    return attrs.evolve(there, chains=tuple(chains.values()))


def _parts_in(side: Side, mode: Mode) -> Parts:
    """What is on a node whose kube-proxy is in a mode. Raises Refused where it is not."""
    parts = Parts.of(side)
    if not parts.families(mode):
        raise refused(f"there are no rules of kube-proxy in {mode.value} mode")
    assert parts.mode is mode  # it raises where there are rules of the other one, too
    return parts


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


def shown_node_ips(facts: Mapping[str, str]) -> tuple[str, ...]:
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


def is_liberal(facts: Mapping[str, str]) -> bool:
    """Whether a record says that conntrack is liberal with TCP."""
    sysctls = facts.get("sysctl.txt", "").splitlines()
    return "net/netfilter/nf_conntrack_tcp_be_liberal = 1" in sysctls


def given_by(
    facts: Mapping[str, str],
    *,
    node_ips: tuple[str, ...] = (),
    service_cidrs: tuple[str, ...] = (),
    cluster_cidrs: tuple[str, ...] = (),
) -> Given:
    """What is given, and what a record's facts show where it is not.

    ``none`` among the Service CIDRs says that kube-proxy does not know them.
    """
    return Given(
        node_ips=node_ips or shown_node_ips(facts),
        liberal_conntrack=is_liberal(facts),
        service_cidrs=tuple(one for one in service_cidrs if one != "none"),
        no_service_cidr="none" in service_cidrs,
        cluster_cidrs=cluster_cidrs,
    )


def _of_family(texts: tuple[str, ...], family: Family) -> tuple[str, ...]:
    return tuple(text for text in texts if (":" in text) is (family is Family.IP6))
