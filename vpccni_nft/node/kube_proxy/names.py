"""The names that kube-proxy gives to chains: hashes that tell its Services apart.

Sources: pkg/proxy/iptables/proxier.go (portProtoHash, servicePortEndpointChainName) and
pkg/proxy/nftables/proxier.go (hashAndTruncate, servicePortEndpointChainNamePrefix).
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .services import Endpoint, ServicePort

#: What nft's own limit leaves for a name in kube-proxy's nftables mode.
_MOST = 240


def _hash(text: str) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()


def iptables_chain(kind: str, service: ServicePort) -> str:
    """A chain of a Service in iptables mode: ``kind`` is SVC, SVL, EXT or FW."""
    return f"KUBE-{kind}-{_hash(service.name + service.protocol)[:16]}"


def iptables_endpoint(service: ServicePort, endpoint: Endpoint) -> str:
    """The chain of an endpoint in iptables mode."""
    return f"KUBE-SEP-{_hash(service.name + service.protocol + str(endpoint))[:16]}"


def nft_name(service: ServicePort) -> str:
    """What the chains of a Service are called in nftables mode, behind their kind."""
    return _shortened("/".join(_words(service)))


def nft_endpoint(service: ServicePort, endpoint: Endpoint) -> str:
    """The same for an endpoint: nft takes no colons in names."""
    address = endpoint.address.replace(":", ".")
    return _shortened(f"{'/'.join(_words(service))}__{address}/{endpoint.port}")


def _words(service: ServicePort) -> tuple[str, ...]:
    return service.namespace, service.service, service.protocol, service.port_name


def _shortened(name: str) -> str:
    whole = f"{_hash(name)[:8]}-{name}"
    return whole if len(whole) <= _MOST else whole[: _MOST - 3] + "..."
