"""The table that kube-proxy writes in nftables mode, as commands for nft.

Three generations: 1.33 has a chain for each endpoint and masquerades by the mark alone; 1.36 sends
by one map of addresses and ports and knows hairpin connections by a set; 1.37 needs no map for a
single endpoint. Source: pkg/proxy/nftables/proxier.go of these releases.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

from ...core.values import Family
from .names import nft_endpoint, nft_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .services import Endpoint, KubeProxy, ServicePort


class TableForm(enum.Enum):
    """The first release of Kubernetes whose kube-proxy writes so."""

    V1_33 = "1.33"
    V1_36 = "1.36"
    V1_37 = "1.37"

    @property
    def has_endpoint_chains(self) -> bool:
        """Whether each endpoint has a chain, whether or not clients stay with it."""
        return self is TableForm.V1_33


def write_nftables(proxy: KubeProxy, generation: TableForm) -> str:
    """The table, for ``nft -f``. The settings must say which addresses take NodePort packets."""
    return "".join(f"{line}\n" for line in _Writer(proxy, generation).lines())


#: Base chains: hook, type and priority.
_BASE = {
    "filter-prerouting-pre-dnat": "filter hook prerouting priority -110",
    "filter-output-pre-dnat": "filter hook output priority -110",
    "filter-forward": "filter hook forward priority 0",
    "filter-input": "filter hook input priority 0",
    "filter-output": "filter hook output priority 0",
    "nat-output": "nat hook output priority -100",
    "nat-postrouting": "nat hook postrouting priority 100",
    "nat-prerouting": "nat hook prerouting priority -100",
}

_REJECTS = "helper for @no-endpoint-services / @no-endpoint-nodeports"


@attrs.frozen
class _Writer:
    proxy: KubeProxy
    generation: TableForm

    @property
    def ip(self) -> str:
        """nft's word for the family."""
        return "ip6" if self.proxy.settings.family is Family.IP6 else "ip"

    @property
    def mark(self) -> str:
        return f"{self.proxy.settings.masquerade_mark:#x}"

    def lines(self) -> Iterator[str]:
        table = f"{self.ip} kube-proxy"
        yield f'add table {table} {{ comment "rules for kube-proxy" ; }}'
        yield from (f"add {kind} {table} {text}" for kind, text in self._sets())
        yield from (f"add chain {table} {text}" for text in self._chains())
        yield from (f"add rule {table} {text}" for text in self._rules())
        yield from (f"add element {table} {text}" for text in self._elements())

    # --- sets and chains ---------------------------------------------------------------------

    def _sets(self) -> Iterator[tuple[str, str]]:
        address = "ipv6_addr" if self.ip == "ip6" else "ipv4_addr"
        at = f"{address} . inet_proto . inet_service"
        yield "set", f'cluster-ips {{ type {address} ; comment "Active ClusterIPs" ; }}'
        yield (
            "set",
            (f'nodeport-ips {{ type {address} ; comment "IPs that accept NodePort traffic" ; }}'),
        )
        if not self.generation.has_endpoint_chains:
            yield (
                "set",
                (
                    f"hairpin-connections {{ type {address} . {at} ;"
                    ' comment "service hairpin connections" ; }'
                ),
            )
        yield (
            "map",
            (
                f"firewall-ips {{ type {at} : verdict ;"
                ' comment "destinations that are subject to LoadBalancerSourceRanges" ; }'
            ),
        )
        yield (
            "map",
            (
                "no-endpoint-nodeports { type inet_proto . inet_service : verdict ; comment"
                ' "vmap to drop or reject packets to service nodeports with no endpoints" ; }'
            ),
        )
        yield (
            "map",
            (
                f"no-endpoint-services {{ type {at} : verdict ; comment"
                ' "vmap to drop or reject packets to services with no endpoints" ; }'
            ),
        )
        yield (
            "map",
            (
                f"service-ips {{ type {at} : verdict ;"
                ' comment "ClusterIP, ExternalIP and LoadBalancer IP traffic" ; }'
            ),
        )
        yield (
            "map",
            (
                "service-nodeports { type inet_proto . inet_service : verdict ;"
                ' comment "NodePort traffic" ; }'
            ),
        )
        for service in self.proxy.services:
            for endpoint in service.all_endpoints if service.affinity else ():
                yield (
                    "set",
                    (
                        f"affinity-{nft_endpoint(service, endpoint)} {{ type {address} ;"
                        f" flags dynamic,timeout ; timeout {service.affinity}s ; }}"
                    ),
                )

    def _chains(self) -> Iterator[str]:
        yield from (f"{name} {{ type {what} ; }}" for name, what in _BASE.items())
        yield from ("cluster-ips-check", "firewall-check", "masquerading")
        yield from ("nodeport-endpoints-check", "services", "service-endpoints-check")
        if self.generation.has_endpoint_chains:
            yield "mark-for-masquerade"
        yield f'reject-chain {{ comment "{_REJECTS}" ; }}'
        for service in self.proxy.services:
            yield from (chain for chain, _ in self._of_service(service))

    # --- rules -------------------------------------------------------------------------------

    def _rules(self) -> Iterator[str]:
        settings, ip = self.proxy.settings, self.ip
        yield (
            f"cluster-ips-check {ip} daddr @cluster-ips reject"
            ' comment "Reject traffic to invalid ports of ClusterIPs"'
        )
        if settings.service_cidrs:
            yield (
                f"cluster-ips-check {ip} daddr {{ {', '.join(settings.service_cidrs)} }} drop"
                ' comment "Drop traffic to unallocated ClusterIPs"'
            )
        yield "filter-prerouting-pre-dnat ct state new jump firewall-check"
        yield "filter-forward ct state new jump service-endpoints-check"
        yield "filter-forward ct state new jump cluster-ips-check"
        yield "filter-input ct state new jump nodeport-endpoints-check"
        yield "filter-input ct state new jump service-endpoints-check"
        yield "filter-output ct state new jump service-endpoints-check"
        yield "filter-output-pre-dnat ct state new jump firewall-check"
        yield "filter-output ct state new jump cluster-ips-check"
        yield f"firewall-check {ip} daddr . meta l4proto . th dport vmap @firewall-ips"
        if self.generation.has_endpoint_chains:
            yield f"mark-for-masquerade mark set mark or {self.mark}"
        yield from self._masquerading()
        yield "nat-output jump services"
        yield "nat-postrouting jump masquerading"
        yield "nat-prerouting jump services"
        yield (
            f"nodeport-endpoints-check {ip} daddr @nodeport-ips"
            " meta l4proto . th dport vmap @no-endpoint-nodeports"
        )
        yield "reject-chain reject"
        if not self.generation.has_endpoint_chains and (outside := self._outside()) is not None:
            yield (
                f"services {ip} daddr @cluster-ips {outside}{self._mark}"
                ' comment "masquerade clusterIP traffic from outside cluster"'
            )
        yield f"services {ip} daddr . meta l4proto . th dport vmap @service-ips"
        yield f"services {ip} daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports"
        yield (
            f"service-endpoints-check {ip} daddr . meta l4proto . th dport"
            " vmap @no-endpoint-services"
        )
        for service in self.proxy.services:
            for chain, rules in self._of_service(service):
                yield from (f"{chain} {rule}" for rule in rules)

    def _masquerading(self) -> Iterator[str]:
        mark, ip = self.mark, self.ip
        masquerade = "masquerade fully-random" if self.proxy.settings.random_fully else "masquerade"
        if self.generation.has_endpoint_chains:
            yield f"masquerading mark and {mark} == 0 return"
            yield f"masquerading mark set mark xor {mark}"
            yield f"masquerading {masquerade}"
            return
        yield f"masquerading mark and {mark} != 0 mark set mark xor {mark} {masquerade}"
        yield (
            f"masquerading ct status dnat {ip} saddr . {ip} daddr . meta l4proto . th dport"
            f" @hairpin-connections {masquerade}"
        )

    def _outside(self) -> str | None:
        """What packets for cluster IPs are masqueraded; None: none are."""
        settings = self.proxy.settings
        if settings.masquerade_all:
            return ""
        return f"{self.ip} saddr != {settings.cluster_cidr} " if settings.cluster_cidr else None

    @property
    def _mark(self) -> str:
        if self.generation.has_endpoint_chains:
            return "jump mark-for-masquerade"
        return f"mark set mark or {self.mark}"

    def _of_service(self, service: ServicePort) -> Iterator[tuple[str, list[str]]]:
        """The chains of a Service with their rules, in kube-proxy's order."""
        name = nft_name(service)
        ranges = dict.fromkeys(ranges for _, ranges in service.load_balancers if ranges)
        for networks in ranges:
            yield f"firewall-{name}", [f"{self.ip} saddr != {{ {', '.join(networks)} }} drop"]
        if service.is_external and (service.endpoints or service.external_endpoints):
            yield f"external-{name}", list(self._external(service))
        if service.endpoints:
            marked = () if service.internal_local else self._cluster_mark(service)
            yield f"service-{name}", [*marked, *self._send(service, service.endpoints)]
        if service.local_endpoints:
            marked = self._cluster_mark(service) if service.internal_local else ()
            yield f"local-{name}", [*marked, *self._send(service, service.local_endpoints)]
        if self.generation.has_endpoint_chains or service.affinity:
            for endpoint in service.all_endpoints:
                chain = f"endpoint-{nft_endpoint(service, endpoint)}"
                yield chain, list(self._endpoint(service, endpoint))

    def _cluster_mark(self, service: ServicePort) -> Iterator[str]:
        outside = self._outside()
        if self.generation.has_endpoint_chains and outside is not None:
            yield f"{self.ip} daddr {service.cluster_ip} {outside}{self._mark}"

    def _external(self, service: ServicePort) -> Iterator[str]:
        name, ip, settings = nft_name(service), self.ip, self.proxy.settings
        split = self.generation.has_endpoint_chains
        if not service.external_local:
            if split:
                yield self._mark
                yield f"goto service-{name}"
            else:
                yield f"{self._mark} goto service-{name}"
            return
        if settings.cluster_cidr:
            yield (
                f"{ip} saddr {settings.cluster_cidr} goto service-{name}"
                ' comment "short-circuit pod traffic"'
            )
        local = "fib saddr type local"
        go = f'goto service-{name} comment "short-circuit local traffic"'
        if split:
            yield f'{local} {self._mark} comment "masquerade local traffic"'
            yield f"{local} {go}"
        else:
            yield f"{local} {self._mark} {go}"
        if service.local_endpoints:
            yield f"goto local-{name}"

    def _send(self, service: ServicePort, endpoints: tuple[Endpoint, ...]) -> Iterator[str]:
        """How packets are spread over endpoints."""
        chains = [f"endpoint-{nft_endpoint(service, one)}" for one in endpoints]
        if service.affinity:
            for endpoint, chain in zip(endpoints, chains, strict=True):
                affinity = f"affinity-{nft_endpoint(service, endpoint)}"
                yield f"{self.ip} saddr @{affinity} goto {chain}"
        if self.generation.has_endpoint_chains or service.affinity:
            targets = _numbered(f"goto {chain}" for chain in chains)
            yield f"numgen random mod {len(chains)} vmap {{ {targets} }}"
        elif len(endpoints) == 1 and self.generation is TableForm.V1_37:
            yield self._dnat(service, endpoints[0])
        else:
            targets = _numbered(f"{one.address} . {one.port}" for one in endpoints)
            yield (
                f"meta l4proto {service.protocol} dnat {self.ip} addr . port to"
                f" numgen random mod {len(endpoints)} map {{ {targets} }}"
            )

    def _endpoint(self, service: ServicePort, endpoint: Endpoint) -> Iterator[str]:
        if self.generation.has_endpoint_chains:
            yield f"{self.ip} saddr {endpoint.address} {self._mark}"
        if service.affinity:
            yield f"update @affinity-{nft_endpoint(service, endpoint)} {{ {self.ip} saddr }}"
        yield self._dnat(service, endpoint)

    def _dnat(self, service: ServicePort, endpoint: Endpoint) -> str:
        return f"meta l4proto {service.protocol} dnat to {endpoint}"

    # --- elements ----------------------------------------------------------------------------

    def _elements(self) -> Iterator[str]:
        addresses = self.proxy.settings.node_port_addresses
        if addresses is None:
            raise ValueError("which addresses take NodePort packets has to be known")
        yield from (f"nodeport-ips {{ {address} }}" for address in addresses)
        for service in self.proxy.services:
            yield from self._elements_of(service)
        if not self.generation.has_endpoint_chains:
            yield from dict.fromkeys(self._hairpins())

    def _hairpins(self) -> Iterator[str]:
        for service in self.proxy.services:
            for one in service.all_endpoints:
                there = f"{one.address} . {service.protocol} . {one.port}"
                yield f"hairpin-connections {{ {one.address} . {there} }}"

    def _elements_of(self, service: ServicePort) -> Iterator[str]:
        name, comment = nft_name(service), f'comment "{service.name}"'
        # Where there are endpoints, but none on this node, another node may have them.
        lost = "drop" if service.all_endpoints else "goto reject-chain"
        at = f"{service.protocol} . {service.port}"
        yield f"cluster-ips {{ {service.cluster_ip} }}"
        if service.internal_endpoints:
            chain = "local" if service.internal_local else "service"
            yield f"service-ips {{ {service.cluster_ip} . {at} : goto {chain}-{name} }}"
        else:
            yield f"no-endpoint-services {{ {service.cluster_ip} . {at} {comment} : {lost} }}"
        has_chain = bool(service.endpoints or service.external_endpoints)
        outside = [(address, False) for address in service.external_ips]
        outside += [(address, bool(ranges)) for address, ranges in service.load_balancers]
        for address, is_guarded in outside:
            if has_chain:
                yield f"service-ips {{ {address} . {at} : goto external-{name} }}"
            if not service.external_endpoints:
                yield f"no-endpoint-services {{ {address} . {at} {comment} : {lost} }}"
            if is_guarded:
                yield f"firewall-ips {{ {address} . {at} : goto firewall-{name} }}"
        if service.node_port:
            port = f"{service.protocol} . {service.node_port}"
            if has_chain:
                yield f"service-nodeports {{ {port} : goto external-{name} }}"
            if not service.external_endpoints:
                yield f"no-endpoint-nodeports {{ {port} {comment} : {lost} }}"


def _numbered(targets: Iterable[str]) -> str:
    return " , ".join(f"{number} : {target}" for number, target in enumerate(targets))
