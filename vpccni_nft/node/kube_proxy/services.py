"""Services as kube-proxy on one node has them, whichever mode wrote the rules.

What is here is what decides packets: names, addresses, ports, endpoints, policies. Source:
pkg/proxy of Kubernetes 1.33 to 1.37, whose two modes fill their tables from the same maps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from ...core.values import Family

#: A load balancer's address, and the networks whose packets it takes; empty: all.
LoadBalancer = tuple[str, tuple[str, ...]]


@attrs.frozen(order=True)
class Endpoint:
    """Where a Service's packets go."""

    address: str
    port: int

    def __str__(self) -> str:
        """As kube-proxy prints it: an IPv6 address in brackets."""
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{shown}:{self.port}"


@attrs.frozen(kw_only=True)
class ServicePort:
    """One port of a Service."""

    namespace: str
    service: str
    port_name: str  #: empty where the Service has one port without a name
    protocol: str  #: ``tcp``, ``udp`` or ``sctp``
    cluster_ip: str
    port: int
    external_ips: tuple[str, ...] = ()
    load_balancers: tuple[LoadBalancer, ...] = ()
    node_port: int | None = None
    health_check_port: int | None = None  #: TCP, on the node itself
    #: Those that packets of the cluster policy go to, in kube-proxy's order.
    endpoints: tuple[Endpoint, ...] = ()
    #: Those on this node, where a local policy uses them.
    local_endpoints: tuple[Endpoint, ...] = ()
    #: Those that kube-proxy has rules for, though no packet gets there.
    unused_endpoints: tuple[Endpoint, ...] = ()
    internal_local: bool = False  #: internalTrafficPolicy: Local
    external_local: bool = False  #: externalTrafficPolicy: Local
    affinity: int | None = None  #: seconds of sessionAffinity: ClientIP

    @property
    def name(self) -> str:
        """As kube-proxy's comments have it: ``namespace/service:port``."""
        port = f":{self.port_name}" if self.port_name else ""
        return f"{self.namespace}/{self.service}{port}"

    @property
    def all_endpoints(self) -> tuple[Endpoint, ...]:
        """Those that kube-proxy has rules for, each once."""
        every = (*self.endpoints, *self.local_endpoints, *self.unused_endpoints)
        return tuple(dict.fromkeys(every))

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses that it has, whatever they are for."""
        balanced = (address for address, _ in self.load_balancers)
        return (self.cluster_ip, *self.external_ips, *balanced)

    @property
    def in_either_mode(self) -> ServicePort:
        """What rules of both modes show: of an address not whether it is a load balancer's."""
        guarded = tuple(one for one in self.load_balancers if one[1])
        others = (address for address, ranges in self.load_balancers if not ranges)
        return attrs.evolve(
            self,
            external_ips=tuple(sorted((*self.external_ips, *others))),
            load_balancers=guarded,
            health_check_port=None,
        )

    @property
    def is_external(self) -> bool:
        """Whether it can be reached by anything but its cluster IP."""
        return bool(self.external_ips or self.load_balancers or self.node_port)

    @property
    def internal_endpoints(self) -> tuple[Endpoint, ...]:
        """Those that packets for the cluster IP go to."""
        return self.local_endpoints if self.internal_local else self.endpoints

    @property
    def external_endpoints(self) -> tuple[Endpoint, ...]:
        """Those that packets from outside go to."""
        return self.local_endpoints if self.external_local else self.endpoints


@attrs.frozen(kw_only=True)
class Settings:
    """How kube-proxy is configured on this node, as far as its rules show it."""

    family: Family
    masquerade_mark: int = 0x4000
    masquerade_all: bool = False
    cluster_cidr: str | None = None  #: of pods; None: kube-proxy does not tell pods from others
    #: The addresses that take NodePort packets; None: every local one.
    node_port_addresses: tuple[str, ...] | None = None
    #: Whether NodePorts can be reached at loopback addresses.
    localhost_node_ports: bool = True
    drops_invalid: bool = True  #: whether packets that conntrack calls INVALID are not forwarded
    counts_invalid: bool = False  #: whether nfacct counts the INVALID packets that are dropped
    counts_localhost: bool = False  #: whether nfacct counts packets for NodePorts at 127.0.0.1
    random_fully: bool = True
    #: Where Services get their cluster IPs from, as far as it is known.
    service_cidrs: tuple[str, ...] = ()


@attrs.frozen
class KubeProxy:
    """All that kube-proxy knows on this node."""

    settings: Settings
    services: tuple[ServicePort, ...]
