"""The rules that kube-proxy writes in iptables mode, as iptables-save prints them.

Source: pkg/proxy/iptables/proxier.go of Kubernetes 1.26 to 1.37.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.values import Family
from .names import iptables_chain, iptables_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .services import Endpoint, KubeProxy, ServicePort

#: Rules of one table by their chains, without ``-A CHAIN``.
Chains = dict[str, list[str]]


def _jump(chain: str, comment: str, *, first_packets: bool = False) -> str:
    state = "-m conntrack --ctstate NEW " if first_packets else ""
    return f'{state}-m comment --comment "{comment}" -j {chain}'


_FIREWALL = _jump("KUBE-PROXY-FIREWALL", "kubernetes load balancer firewall", first_packets=True)
_EXTERNAL = _jump(
    "KUBE-EXTERNAL-SERVICES", "kubernetes externally-visible service portals", first_packets=True
)
_REFUSED = _jump("KUBE-SERVICES", "kubernetes service portals", first_packets=True)
_PORTALS = _jump("KUBE-SERVICES", "kubernetes service portals")

#: What leads to kube-proxy's chains, by table and built-in chain, in its order.
JUMPS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "filter": {
        "INPUT": (
            _FIREWALL,
            _jump("KUBE-NODEPORTS", "kubernetes health check service ports"),
            _EXTERNAL,
        ),
        "FORWARD": (
            _FIREWALL,
            _jump("KUBE-FORWARD", "kubernetes forwarding rules"),
            _REFUSED,
            _EXTERNAL,
        ),
        "OUTPUT": (_FIREWALL, _REFUSED),
    },
    "nat": {
        "PREROUTING": (_PORTALS,),
        "OUTPUT": (_PORTALS,),
        "POSTROUTING": (_jump("KUBE-POSTROUTING", "kubernetes postrouting rules"),),
    },
}

_LAST = "kubernetes service nodeports; NOTE: this must be the last rule in this chain"


def write_iptables(proxy: KubeProxy) -> dict[str, Chains]:
    """The rules of kube-proxy's chains, by table and chain."""
    writer = _Writer(proxy)
    return {"filter": writer.filter(), "nat": writer.nat()}


def as_restore_file(proxy: KubeProxy) -> str:
    """The same with what leads there, as a file for iptables-restore."""
    lines: list[str] = []
    for table, chains in write_iptables(proxy).items():
        lines.append(f"*{table}")
        lines += (f":{chain} ACCEPT [0:0]" for chain in JUMPS[table])
        lines += (f":{chain} - [0:0]" for chain in chains)
        for there in (JUMPS[table], chains):
            lines += (f"-A {chain} {rule}" for chain, rules in there.items() for rule in rules)
        lines.append("COMMIT")
    return "".join(f"{line}\n" for line in lines)


@attrs.frozen
class _Writer:
    proxy: KubeProxy

    @property
    def mark(self) -> str:
        return f"{self.proxy.settings.masquerade_mark:#x}"

    # --- filter ------------------------------------------------------------------------------

    def filter(self) -> Chains:
        chains: Chains = {
            "KUBE-EXTERNAL-SERVICES": [],
            "KUBE-FORWARD": list(self._forward()),
            "KUBE-NODEPORTS": [],
            "KUBE-PROXY-FIREWALL": [],
            "KUBE-SERVICES": [],
        }
        for service in self.proxy.services:
            lost, why = self._lost(service)
            if not service.internal_endpoints:
                chains["KUBE-SERVICES"].append(
                    f"{_at(service, service.cluster_ip, f'{service.name} {why}')} {lost}"
                )
            if not service.external_endpoints:
                chains["KUBE-EXTERNAL-SERVICES"] += self._lost_outside(service)
            if service.health_check_port:
                chains["KUBE-NODEPORTS"].append(
                    f'-p tcp -m comment --comment "{service.name} health check node port"'
                    f" -m tcp --dport {service.health_check_port} -j ACCEPT"
                )
            firewall = iptables_chain("FW", service)
            for address, ranges in service.load_balancers:
                if ranges:
                    comment = f"{service.name} traffic not accepted by {firewall}"
                    rule = f"{_at(service, address, comment)} -j DROP"
                    chains["KUBE-PROXY-FIREWALL"].append(rule)
        return chains

    def _forward(self) -> Iterator[str]:
        settings = self.proxy.settings
        if settings.drops_invalid:
            name = "ct_state_invalid_dropped_pkts"
            count = f" -m nfacct --nfacct-name  {name}" if settings.counts_invalid else ""
            yield f"-m conntrack --ctstate INVALID{count} -j DROP"
        yield (
            '-m comment --comment "kubernetes forwarding rules"'
            f" -m mark --mark {self.mark}/{self.mark} -j ACCEPT"
        )
        yield (
            '-m comment --comment "kubernetes forwarding conntrack rule"'
            " -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
        )

    def _lost(self, service: ServicePort) -> tuple[str, str]:
        """What becomes of packets that no endpoint is there for, and why."""
        if service.all_endpoints:
            return "-j DROP", "has no local endpoints"
        six = self.proxy.settings.family is Family.IP6
        reason = "icmp6-port-unreachable" if six else "icmp-port-unreachable"
        return f"-j REJECT --reject-with {reason}", "has no endpoints"

    def _lost_outside(self, service: ServicePort) -> Iterator[str]:
        lost, why = self._lost(service)
        balanced = (address for address, _ in service.load_balancers)
        for address in (*service.external_ips, *balanced):
            yield f"{_at(service, address, f'{service.name} {why}')} {lost}"
        if service.node_port:
            yield (
                f'-p {service.protocol} -m comment --comment "{service.name} {why}"'
                f" -m addrtype --dst-type LOCAL -m {service.protocol}"
                f" --dport {service.node_port} {lost}"
            )

    # --- nat ---------------------------------------------------------------------------------

    def nat(self) -> Chains:
        chains: Chains = {
            "KUBE-MARK-MASQ": [f"-j MARK --set-xmark {self.mark}/{self.mark}"],
            "KUBE-NODEPORTS": [],
            "KUBE-POSTROUTING": list(self._postrouting()),
            "KUBE-SERVICES": [],
        }
        for service in self.proxy.services:
            if not service.all_endpoints:
                continue
            chains["KUBE-SERVICES"] += self._portals(service)
            if service.node_port:
                chains["KUBE-NODEPORTS"] += self._node_port(service)
            chains |= self._chains_of(service)
        chains["KUBE-SERVICES"] += self._to_node_ports()
        return chains

    def _postrouting(self) -> Iterator[str]:
        fully = " --random-fully" if self.proxy.settings.random_fully else ""
        yield f"-m mark ! --mark {self.mark}/{self.mark} -j RETURN"
        yield f"-j MARK --set-xmark {self.mark}/0x0"
        yield (
            f'-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE{fully}'
        )

    def _portals(self, service: ServicePort) -> Iterator[str]:
        name = service.name
        if service.internal_endpoints:
            chain = iptables_chain("SVL" if service.internal_local else "SVC", service)
            yield f"{_at(service, service.cluster_ip, f'{name} cluster IP')} -j {chain}"
        external = iptables_chain("EXT", service)
        for address in service.external_ips:
            yield f"{_at(service, address, f'{name} external IP')} -j {external}"
        for address, ranges in service.load_balancers:
            chain = iptables_chain("FW", service) if ranges else external
            yield f"{_at(service, address, f'{name} loadbalancer IP')} -j {chain}"

    def _node_port(self, service: ServicePort) -> Iterator[str]:
        settings, protocol = self.proxy.settings, service.protocol
        rule = (
            f'-p {protocol} -m comment --comment "{service.name}"'
            f" -m {protocol} --dport {service.node_port}"
        )
        chain = iptables_chain("EXT", service)
        if settings.counts_localhost:
            count = "-m nfacct --nfacct-name  localhost_nps_accepted_pkts"
            yield f"-d 127.0.0.0/8 {rule} {count} -j {chain}"
        yield f"{rule} -j {chain}"

    def _to_node_ports(self) -> Iterator[str]:
        settings = self.proxy.settings
        comment = f'-m comment --comment "{_LAST}"'
        if settings.node_port_addresses is not None:
            for address in settings.node_port_addresses:
                yield f"-d {_host(address)} {comment} -j KUBE-NODEPORTS"
            return
        loopback = "::1/128" if settings.family is Family.IP6 else "127.0.0.0/8"
        other = "" if settings.localhost_node_ports else f"! -d {loopback} "
        yield f"{other}{comment} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"

    def _chains_of(self, service: ServicePort) -> Chains:
        chains: Chains = {}
        if service.is_external:
            chains[iptables_chain("EXT", service)] = list(self._external(service))
        for kind, endpoints in (("SVC", service.endpoints), ("SVL", service.local_endpoints)):
            if endpoints:
                is_internal = service.internal_local is (kind == "SVL")
                marked = self._cluster_mark(service) if is_internal else ()
                ladder = self._ladder(service, endpoints)
                chains[iptables_chain(kind, service)] = [*marked, *ladder]
        for ranges in dict.fromkeys(ranges for _, ranges in service.load_balancers if ranges):
            chains[iptables_chain("FW", service)] = list(self._firewall(service, ranges))
        for endpoint in service.all_endpoints:
            chains[iptables_endpoint(service, endpoint)] = list(self._endpoint(service, endpoint))
        return chains

    def _external(self, service: ServicePort) -> Iterator[str]:
        cluster, local = iptables_chain("SVC", service), iptables_chain("SVL", service)
        destinations = f"{service.name} external destinations"
        if not service.external_local:
            comment = f"masquerade traffic for {destinations}"
            yield f'-m comment --comment "{comment}" -j KUBE-MARK-MASQ'
            yield f"-j {cluster}"
            return
        cidr = self.proxy.settings.cluster_cidr
        if cidr:
            comment = f"pod traffic for {destinations}"
            yield f'-s {cidr} -m comment --comment "{comment}" -j {cluster}'
        for verb, chain in (("masquerade", "KUBE-MARK-MASQ"), ("route", cluster)):
            comment = f"{verb} LOCAL traffic for {destinations}"
            yield f'-m comment --comment "{comment}" -m addrtype --src-type LOCAL -j {chain}'
        if service.local_endpoints:
            yield f"-j {local}"

    def _cluster_mark(self, service: ServicePort) -> Iterator[str]:
        settings = self.proxy.settings
        rule = f"{_at(service, service.cluster_ip, f'{service.name} cluster IP')} -j KUBE-MARK-MASQ"
        if settings.masquerade_all:
            yield rule
        elif settings.cluster_cidr:
            yield f"! -s {settings.cluster_cidr} {rule}"

    def _ladder(self, service: ServicePort, endpoints: tuple[Endpoint, ...]) -> Iterator[str]:
        chains = [iptables_endpoint(service, endpoint) for endpoint in endpoints]
        comments = [f'-m comment --comment "{service.name} -> {one}"' for one in endpoints]
        steps = list(zip(comments, chains, strict=True))
        if service.affinity:
            for comment, chain in steps:
                yield (
                    f"{comment} -m recent --rcheck --seconds {service.affinity} --reap"
                    f" --name {chain} --mask {self._host_mask} --rsource -j {chain}"
                )
        for left, (comment, chain) in zip(range(len(steps), 0, -1), steps, strict=True):
            # The kernel keeps 31 bits, which iptables prints with eleven places.
            share = round(float(f"{1 / left:.10f}") * (1 << 31)) / (1 << 31)
            draw = f" -m statistic --mode random --probability {share:.11f}"
            yield f"{comment}{draw if left > 1 else ''} -j {chain}"

    def _firewall(self, service: ServicePort, ranges: tuple[str, ...]) -> Iterator[str]:
        external = iptables_chain("EXT", service)
        for network in ranges:
            comment = f'-m comment --comment "{service.name} loadbalancer IP"'
            yield f"-s {network} {comment} -j {external}"
        yield (
            f'-m comment --comment "other traffic to {service.name} will be dropped by'
            ' KUBE-PROXY-FIREWALL"'
        )

    def _endpoint(self, service: ServicePort, endpoint: Endpoint) -> Iterator[str]:
        comment = f'-m comment --comment "{service.name}"'
        yield f"-s {_host(endpoint.address)} {comment} -j KUBE-MARK-MASQ"
        chain = iptables_endpoint(service, endpoint)
        recent = f" -m recent --set --name {chain} --mask {self._host_mask} --rsource"
        yield (
            f"-p {service.protocol} {comment}{recent if service.affinity else ''}"
            f" -m {service.protocol} -j DNAT --to-destination {endpoint}"
        )

    @property
    def _host_mask(self) -> str:
        if self.proxy.settings.family is Family.IP6:
            return "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        return "255.255.255.255"


def _at(service: ServicePort, address: str, comment: str) -> str:
    """Packets for a port of a Service at an address."""
    protocol = service.protocol
    return (
        f'-d {_host(address)} -p {protocol} -m comment --comment "{comment}"'
        f" -m {protocol} --dport {service.port}"
    )


def _host(address: str) -> str:
    return f"{address}/{128 if ':' in address else 32}"
