"""One node with as many Services as asked for, in kube-proxy's two modes.

The texts are those of ``tests/corpus/modes``, which kube-proxy's own tests have: names are hashed
as kube-proxy hashes them, so that a Service of the corpus comes out as it stands there. The rules
of kubelet and of the VPC CNI are beside them in both modes.
"""

from __future__ import annotations

import base64
import hashlib
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import attrs

from benchmarks.eks_node import CIDRS, CNI_VERSIONS, IptablesTable, add_cni
from benchmarks.eks_node import comment_match as comment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: Versions of Kubernetes whose rules differ: hairpins are found by a set from 1.36 on.
GENERATIONS = ("1.33", "1.37")

_PODS = "10.0.0.0/8"
_SERVICES = "172.30.0.0/16"
NODE = "192.168.0.2"


@attrs.frozen
class Service:
    """One port of a Service, of TCP."""

    name: str  #: of the Service, with its namespace: ``ns1/svc1``
    address: str
    endpoints: Sequence[str]  #: addresses of pods
    port: int = 80
    pod_port: int = 80
    node_port: int = 0
    port_name: str = "p80"

    @property
    def full(self) -> str:
        """What iptables mode calls it in comments."""
        return f"{self.name}:{self.port_name}"

    @property
    def path(self) -> str:
        """What nftables mode calls it in names of chains."""
        return f"{self.name}/tcp/{self.port_name}"


def services(number: int, endpoints: int = 3) -> list[Service]:
    """Services of every kind: one in five has a port of the node, one in twenty no endpoints."""
    first = int(IPv4Address("172.30.1.0")), int(IPv4Address("10.64.0.1"))
    found = []
    for index in range(number):
        pods = [
            str(IPv4Address(first[1] + index * endpoints + pod))
            for pod in range(endpoints if index % 20 != 19 else 0)
        ]
        found.append(
            Service(
                f"shop/service-{index}",
                str(IPv4Address(first[0] + index)),
                pods,
                port=(80, 443)[index % 2],
                pod_port=(8080, 8443)[index % 2],
                node_port=30000 + index if index % 5 == 3 and index < 2767 else 0,
                port_name="http",
            )
        )
    return found


def iptables_mode(every: Iterable[Service]) -> str:
    """What iptables-save prints in iptables mode."""
    tables = mangle, filters, nat = _tables()
    for chain in ("KUBE-PROXY-CANARY",):
        mangle.add(chain)
    _add_iptables_mode(filters, nat)
    for service in every:
        _add_service(service, filters, nat)
    nat.add(
        "KUBE-SERVICES",
        f"{comment(_LAST)} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS",
    )
    return _text(tables)


def nftables_mode(every: Iterable[Service], generation: str) -> tuple[str, str]:
    """What iptables-save prints in nftables mode, and kube-proxy's own rules."""
    every = list(every)
    lines = [*_declared(generation)]
    for service in every:
        lines += (f"add chain ip kube-proxy {chain}" for chain in _chains(service, generation))
    lines += _rules(generation)
    for service in every:
        lines += (f"add rule ip kube-proxy {rule}" for rule in _service_rules(service, generation))
    lines.append(f"add element ip kube-proxy nodeport-ips {{ {NODE} }}")
    for service in every:
        lines += (f"add element ip kube-proxy {one}" for one in _elements(service, generation))
    return _text(_tables()), "".join(f"{line}\n" for line in lines)


# --- beside kube-proxy ------------------------------------------------------------------------


def _tables() -> tuple[IptablesTable, IptablesTable, IptablesTable]:
    """What kubelet and the VPC CNI write."""
    mangle = IptablesTable(
        "mangle",
        "PREROUTING INPUT FORWARD OUTPUT POSTROUTING ",
        "KUBE-IPTABLES-HINT KUBE-KUBELET-CANARY",
    )
    filters = IptablesTable("filter", "INPUT FORWARD OUTPUT ", "KUBE-FIREWALL")
    nat = IptablesTable("nat", "PREROUTING INPUT OUTPUT POSTROUTING ", "")
    add_cni(nat, mangle, CNI_VERSIONS["1.20"], CIDRS)
    filters.add(
        "KUBE-FIREWALL",
        f"! -s 127.0.0.0/8 -d 127.0.0.0/8 {comment('block incoming localnet connections')} "
        "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP",
    )
    return mangle, filters, nat


def _text(tables: Iterable[IptablesTable]) -> str:
    tables = list(tables)
    filters = tables[1]
    for hook in ("INPUT", "OUTPUT"):
        filters.add(hook, "-j KUBE-FIREWALL")
    return "".join(f"{line}\n" for table in tables for line in table.lines())


# --- iptables mode ----------------------------------------------------------------------------

_LAST = "kubernetes service nodeports; NOTE: this must be the last rule in this chain"


def _add_iptables_mode(filters: IptablesTable, nat: IptablesTable) -> None:
    """What is there for any number of Services."""
    new = "-m conntrack --ctstate NEW"
    portals = comment("kubernetes service portals")
    firewall = f"{new} {comment('kubernetes load balancer firewall')} -j KUBE-PROXY-FIREWALL"
    visible = comment("kubernetes externally-visible service portals")
    external = f"{new} {visible} -j KUBE-EXTERNAL-SERVICES"
    inside = f"{new} {portals} -j KUBE-SERVICES"
    health = f"{comment('kubernetes health check service ports')} -j KUBE-NODEPORTS"
    forwarding = comment("kubernetes forwarding rules")
    for chain in ("EXTERNAL-SERVICES", "NODEPORTS", "PROXY-FIREWALL", "SERVICES"):
        filters.add(f"KUBE-{chain}")
    filters.add("INPUT", firewall, health, external)
    filters.add("FORWARD", firewall, f"{forwarding} -j KUBE-FORWARD", inside, external)
    filters.add("OUTPUT", firewall, inside)
    filters.add(
        "KUBE-FORWARD",
        "-m conntrack --ctstate INVALID -m nfacct --nfacct-name  ct_state_invalid_dropped_pkts "
        "-j DROP",
        f"{forwarding} -m mark --mark 0x4000/0x4000 -j ACCEPT",
        f"{comment('kubernetes forwarding conntrack rule')} "
        "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    )
    for chain in ("MARK-MASQ", "NODEPORTS", "POSTROUTING", "SERVICES"):
        nat.add(f"KUBE-{chain}")
    for hook in ("PREROUTING", "OUTPUT"):
        nat.put_first(hook, f"{portals} -j KUBE-SERVICES")
    nat.put_first("POSTROUTING", f"{comment('kubernetes postrouting rules')} -j KUBE-POSTROUTING")
    nat.add("KUBE-MARK-MASQ", "-j MARK --set-xmark 0x4000/0x4000")
    nat.add(
        "KUBE-POSTROUTING",
        "-m mark ! --mark 0x4000/0x4000 -j RETURN",
        "-j MARK --set-xmark 0x4000/0x0",
        f"{comment('kubernetes service traffic requiring SNAT')} -j MASQUERADE --random-fully",
    )


def _add_service(service: Service, filters: IptablesTable, nat: IptablesTable) -> None:
    name, port, to = service.full, service.port, f"-d {service.address}/32 -p tcp"
    if not service.endpoints:
        refused = comment(f"{name} has no endpoints")
        reject = "-j REJECT --reject-with icmp-port-unreachable"
        filters.add("KUBE-SERVICES", f"{to} {refused} -m tcp --dport {port} {reject}")
        if service.node_port:
            filters.add(
                "KUBE-EXTERNAL-SERVICES",
                f"-p tcp {refused} -m addrtype --dst-type LOCAL -m tcp "
                f"--dport {service.node_port} {reject}",
            )
        return
    own, asked = _chain("SVC", name), comment(f"{name} cluster IP")
    nat.add("KUBE-SERVICES", f"{to} {asked} -m tcp --dport {port} -j {own}")
    nat.add(own, f"! -s {_PODS} {to} {asked} -m tcp --dport {port} -j KUBE-MARK-MASQ")
    for index, pod in enumerate(service.endpoints):
        left = len(service.endpoints) - index
        place = f"{pod}:{service.pod_port}"
        endpoint = _chain("SEP", name, place)
        # As the kernel keeps it: in units of 2^-31.
        likely = round((1 << 31) / left) / (1 << 31)
        draw = f" -m statistic --mode random --probability {likely:.11f}" if left > 1 else ""
        nat.add(own, f"{comment(f'{name} -> {place}')}{draw} -j {endpoint}")
        nat.add(
            endpoint,
            f"-s {pod}/32 {comment(name)} -j KUBE-MARK-MASQ",
            f"-p tcp {comment(name)} -m tcp -j DNAT --to-destination {place}",
        )
    if service.node_port:
        outside, ports = _chain("EXT", name), f"-m tcp --dport {service.node_port}"
        masquerade = comment(f"masquerade traffic for {name} external destinations")
        nat.add(outside, f"{masquerade} -j KUBE-MARK-MASQ", f"-j {own}")
        nat.add(
            "KUBE-NODEPORTS",
            f"-d 127.0.0.0/8 -p tcp {comment(name)} {ports} "
            f"-m nfacct --nfacct-name  localhost_nps_accepted_pkts -j {outside}",
            f"-p tcp {comment(name)} {ports} -j {outside}",
        )


def _chain(kind: str, name: str, endpoint: str = "") -> str:
    return f"KUBE-{kind}-{_hash(f'{name}tcp{endpoint}')[:16]}"


def _hash(text: str) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()


# --- nftables mode ----------------------------------------------------------------------------


def _declared(generation: str) -> Iterator[str]:
    where = "ip kube-proxy"
    key = "ipv4_addr . inet_proto . inet_service"
    yield f'add table {where} {{ comment "rules for kube-proxy" ; }}'
    yield f'add set {where} cluster-ips {{ type ipv4_addr ; comment "Active ClusterIPs" ; }}'
    text = "IPs that accept NodePort traffic"
    yield f'add set {where} nodeport-ips {{ type ipv4_addr ; comment "{text}" ; }}'
    if generation != "1.33":
        text = "service hairpin connections"
        yield (
            f'add set {where} hairpin-connections {{ type ipv4_addr . {key} ; comment "{text}" ; }}'
        )
    refuses = "vmap to drop or reject packets to"
    for name, type_, text in (
        ("firewall-ips", key, "destinations that are subject to LoadBalancerSourceRanges"),
        (
            "no-endpoint-nodeports",
            "inet_proto . inet_service",
            f"{refuses} service nodeports with no endpoints",
        ),
        ("no-endpoint-services", key, f"{refuses} services with no endpoints"),
        ("service-ips", key, "ClusterIP, ExternalIP and LoadBalancer IP traffic"),
        ("service-nodeports", "inet_proto . inet_service", "NodePort traffic"),
    ):
        yield f'add map {where} {name} {{ type {type_} : verdict ; comment "{text}" ; }}'
    for chain, hook, priority in (
        ("filter-prerouting-pre-dnat", "filter hook prerouting", -110),
        ("filter-output-pre-dnat", "filter hook output", -110),
        ("filter-forward", "filter hook forward", 0),
        ("filter-input", "filter hook input", 0),
        ("filter-output", "filter hook output", 0),
        ("nat-output", "nat hook output", -100),
        ("nat-postrouting", "nat hook postrouting", 100),
        ("nat-prerouting", "nat hook prerouting", -100),
    ):
        yield f"add chain {where} {chain} {{ type {hook} priority {priority} ; }}"
    for chain in (
        *("cluster-ips-check", "firewall-check", "masquerading", "nodeport-endpoints-check"),
        *("services", "service-endpoints-check"),
        *(("mark-for-masquerade",) if generation == "1.33" else ()),
    ):
        yield f"add chain {where} {chain}"
    text = "helper for @no-endpoint-services / @no-endpoint-nodeports"
    yield f'add chain {where} reject-chain {{ comment "{text}" ; }}'


_REFUSED = "Reject traffic to invalid ports of ClusterIPs"
_DROPPED = "Drop traffic to unallocated ClusterIPs"
_TRIPLE = "ip daddr . meta l4proto . th dport"


def _rules(generation: str) -> Iterator[str]:
    rules = [
        f'cluster-ips-check ip daddr @cluster-ips reject comment "{_REFUSED}"',
        f'cluster-ips-check ip daddr {{ {_SERVICES} }} drop comment "{_DROPPED}"',
        "filter-prerouting-pre-dnat ct state new jump firewall-check",
        "filter-forward ct state new jump service-endpoints-check",
        "filter-forward ct state new jump cluster-ips-check",
        "filter-input ct state new jump nodeport-endpoints-check",
        "filter-input ct state new jump service-endpoints-check",
        "filter-output ct state new jump service-endpoints-check",
        "filter-output-pre-dnat ct state new jump firewall-check",
        "filter-output ct state new jump cluster-ips-check",
        f"firewall-check {_TRIPLE} vmap @firewall-ips",
    ]
    if generation == "1.33":
        rules += [
            "mark-for-masquerade mark set mark or 0x4000",
            "masquerading mark and 0x4000 == 0 return",
            "masquerading mark set mark xor 0x4000",
            "masquerading masquerade fully-random",
        ]
    else:
        rules += [
            "masquerading mark and 0x4000 != 0 mark set mark xor 0x4000 masquerade fully-random",
            (
                "masquerading ct status dnat ip saddr . ip daddr . meta l4proto . th dport "
                "@hairpin-connections masquerade fully-random"
            ),
        ]
    rules += [
        "nat-output jump services",
        "nat-postrouting jump masquerading",
        "nat-prerouting jump services",
        (
            "nodeport-endpoints-check ip daddr @nodeport-ips meta l4proto . th dport vmap "
            "@no-endpoint-nodeports"
        ),
        "reject-chain reject",
    ]
    if generation != "1.33":
        rules.append(
            f"services ip daddr @cluster-ips ip saddr != {_PODS} mark set mark or 0x4000 "
            'comment "masquerade clusterIP traffic from outside cluster"'
        )
    rules += [
        f"services {_TRIPLE} vmap @service-ips",
        "services ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports",
        f"service-endpoints-check {_TRIPLE} vmap @no-endpoint-services",
    ]
    return (f"add rule ip kube-proxy {rule}" for rule in rules)


def _own_chain(kind: str, service: Service, pod: str = "") -> str:
    if not pod:
        return f"{kind}-{_hash(service.path)[:8]}-{service.path}"
    digest = _hash(f"{service.path}__{pod}/{service.pod_port}")
    return f"{kind}-{digest[:8]}-{service.path}__{pod}/{service.pod_port}"


def _chains(service: Service, generation: str) -> Iterator[str]:
    if not service.endpoints:
        return
    if service.node_port:
        yield _own_chain("external", service)
    yield _own_chain("service", service)
    if generation == "1.33":
        yield from (_own_chain("endpoint", service, pod) for pod in service.endpoints)


def _service_rules(service: Service, generation: str) -> Iterator[str]:
    pods, own = service.endpoints, _own_chain("service", service)
    if not pods:
        return
    outside, drawn = _own_chain("external", service), f"numgen random mod {len(pods)}"
    if generation != "1.33":
        if service.node_port:
            yield f"{outside} mark set mark or 0x4000 goto {own}"
        if len(pods) == 1:
            yield f"{own} meta l4proto tcp dnat to {pods[0]}:{service.pod_port}"
            return
        held = " , ".join(
            f"{number} : {pod} . {service.pod_port}" for number, pod in enumerate(pods)
        )
        yield f"{own} meta l4proto tcp dnat ip addr . port to {drawn} map {{ {held} }}"
        return
    if service.node_port:
        yield f"{outside} jump mark-for-masquerade"
        yield f"{outside} goto {own}"
    yield f"{own} ip daddr {service.address} ip saddr != {_PODS} jump mark-for-masquerade"
    chains = [_own_chain("endpoint", service, pod) for pod in pods]
    held = " , ".join(f"{number} : goto {chain}" for number, chain in enumerate(chains))
    yield f"{own} {drawn} vmap {{ {held} }}"
    for chain, pod in zip(chains, pods, strict=True):
        yield f"{chain} ip saddr {pod} jump mark-for-masquerade"
        yield f"{chain} meta l4proto tcp dnat to {pod}:{service.pod_port}"


def _elements(service: Service, generation: str) -> Iterator[str]:
    key, pods = f"{service.address} . tcp . {service.port}", service.endpoints
    yield f"cluster-ips {{ {service.address} }}"
    if not pods:
        refused = f'comment "{service.full}" : goto reject-chain'
        yield f"no-endpoint-services {{ {key} {refused} }}"
        if service.node_port:
            yield f"no-endpoint-nodeports {{ tcp . {service.node_port} {refused} }}"
        return
    yield f"service-ips {{ {key} : goto {_own_chain('service', service)} }}"
    if service.node_port:
        outside = _own_chain("external", service)
        yield f"service-nodeports {{ tcp . {service.node_port} : goto {outside} }}"
    if generation != "1.33":
        for pod in pods:
            yield f"hairpin-connections {{ {pod} . {pod} . tcp . {service.pod_port} }}"
