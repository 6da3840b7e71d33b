"""Which endpoints Services are meant to have: the cluster's EndpointSlices.

Source: kubernetes/pkg/proxy/endpointslicecache.go and topology.go: a slice is of the Service that
its label names; kube-proxy sends to endpoints that are ready, or where none is, to those that still
serve while they terminate; and of those with hints it may leave out what is meant for other zones.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from ...core.values import Family
from .services import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .churn import ServiceChange

_OF_SERVICE = "kubernetes.io/service-name"

#: A port of a Service: its name as kube-proxy has it, its protocol, and the family.
_Key = tuple[str, str, Family]

_FAMILIES = {"IPv4": Family.IP, "IPv6": Family.IP6}


@attrs.frozen
class EndpointSlices:
    """The endpoints of each port of a Service, as they are printed: those that must be there."""

    ready: Mapping[_Key, frozenset[str]]
    known: Mapping[_Key, frozenset[str]]  #: and those that may be there

    @classmethod
    def parse(cls, text: str) -> EndpointSlices:
        """Read what ``kubectl get endpointslices -A -o json`` prints. Raises ValueError.

        >>> slices = EndpointSlices.parse('''{"kind": "List", "items": [{
        ...     "kind": "EndpointSlice", "addressType": "IPv4", "metadata": {"namespace": "a",
        ...     "labels": {"kubernetes.io/service-name": "b"}},
        ...     "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        ...     "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true}}]}]}''')
        >>> dict(slices.ready)
        {('a/b:http', 'tcp', <Family.IP: 'ip'>): frozenset({'10.0.0.1:80'})}
        """
        try:
            items = json.loads(text)["items"]
            found = [one for item in items for one in _endpoints_of(item)]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            message = f"it is not what kubectl get endpointslices -A -o json prints: {error!r}"
            raise ValueError(message) from None
        ready: dict[_Key, set[str]] = {}
        known: dict[_Key, set[str]] = {}
        for key, endpoint, must_be_there in found:
            known.setdefault(key, set()).add(endpoint)
            if must_be_there:
                ready.setdefault(key, set()).add(endpoint)
        return cls(
            {key: frozenset(ends) for key, ends in ready.items()},
            {key: frozenset(ends) for key, ends in known.items()},
        )

    def doubts(self, one: ServiceChange) -> Iterator[str]:
        """What of a change the slices do not explain, as sentences."""
        key = (one.name, one.protocol, one.family)
        for endpoint in one.gone:
            if endpoint in self.ready.get(key, ()):
                yield f"{one.title} is without {endpoint}, which is ready by the EndpointSlices"
        for endpoint in one.new:
            if endpoint not in self.known.get(key, ()):
                yield f"{one.title} has {endpoint}, which is not in the EndpointSlices"


def _endpoints_of(item: Mapping[str, Any]) -> Iterator[tuple[_Key, str, bool]]:
    """The endpoints of a slice, as printed, and whether every kube-proxy must have each."""
    service = item["metadata"].get("labels", {}).get(_OF_SERVICE)
    family = _FAMILIES.get(item["addressType"])
    if not service or family is None:
        return
    for port in item.get("ports") or ():
        name = f"{item['metadata']['namespace']}/{service}"
        name += f":{port['name']}" if port.get("name") else ""
        key = (name, port.get("protocol", "TCP").lower(), family)
        if port.get("port") is None:
            continue
        for one in item.get("endpoints") or ():
            ready = one.get("conditions", {}).get("ready") is not False
            for address in one["addresses"][:1]:
                yield key, str(Endpoint(address, port["port"])), ready and not one.get("hints")
