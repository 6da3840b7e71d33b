"""A node whose kube-proxy has one Service, in iptables mode, with the endpoints that are wanted."""

from __future__ import annotations

from functools import cache
from typing import Any

import attrs

from vpccni_nft import parse
from vpccni_nft.core.values import Family
from vpccni_nft.node.kube_proxy.read_iptables import read_iptables
from vpccni_nft.node.kube_proxy.services import Endpoint, KubeProxy
from vpccni_nft.node.kube_proxy.write_iptables import as_restore_file

from .corpus import FOLDER

#: Where the Service gets its address from, for a prediction.
SERVICE_CIDR = "172.30.0.0/16"


@cache
def _proxy() -> KubeProxy:
    return read_iptables(parse((FOLDER / "modes" / "02-clusterip.save").read_text()), Family.IP)


def kube_proxy(*endpoints: str, **changes: Any) -> str:
    """Its dump; ``changes`` are fields of the Service."""
    ends = tuple(Endpoint(end, 80) for end in endpoints)
    services = tuple(attrs.evolve(one, endpoints=ends, **changes) for one in _proxy().services)
    return as_restore_file(attrs.evolve(_proxy(), services=services))
