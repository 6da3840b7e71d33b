"""What changed of Services between two records, apart from what their rules do.

Endpoints come and go while a node changes its mode. That is no change of behaviour: so the rules of
before are written for the Services of after, and what differs then is of the modes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .on_node import Mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ...core.values import Family
    from ...proof.side import Side
    from .endpoint_slices import EndpointSlices
    from .on_node import OnNode
    from .services import KubeProxy, ServicePort

#: What of a Service endpoints decide, which nobody configures.
_OF_ENDPOINTS = ("endpoints", "local_endpoints", "unused_endpoints")


@attrs.frozen
class ServiceChange:
    """How a port of a Service is another one than before."""

    name: str
    protocol: str
    family: Family
    #: ``added``, ``removed``, ``endpoints`` where only these changed, else ``changed``.
    what: str
    gone: tuple[str, ...] = ()  #: endpoints that it had before
    new: tuple[str, ...] = ()  #: endpoints that it has after
    fields: tuple[str, ...] = ()  #: what else changed, by the names of ``ServicePort``
    #: Whether fewer endpoints take its packets from inside or outside, and none that is new.
    fewer: bool = False

    @property
    def title(self) -> str:
        """What messages call the port."""
        return f"{self.name} {self.protocol} ({self.family.title})"


def changes(before: OnNode, after: OnNode) -> tuple[ServiceChange, ...]:
    """What changed of the Services of all families that kube-proxy has rules for in both."""
    found: list[ServiceChange] = []
    for family in before.proxies.keys() & after.proxies.keys():
        found += _changes_of(family, before.proxies[family], after.proxies[family])
    return tuple(found)


def _changes_of(family: Family, before: KubeProxy, after: KubeProxy) -> Iterator[ServiceChange]:
    ours, theirs = _by_name(before), _by_name(after)
    for key in sorted(ours.keys() | theirs.keys()):
        one, other = ours.get(key), theirs.get(key)
        if one is None or other is None:
            yield ServiceChange(*key, family, "added" if one is None else "removed")
            continue
        mine, its = one.in_either_mode, other.in_either_mode
        fields = [name.name for name in attrs.fields(type(mine))]
        differing = [name for name in fields if getattr(mine, name) != getattr(its, name)]
        if not differing:
            continue
        others = tuple(name for name in differing if name not in _OF_ENDPOINTS)
        had, has = (set(map(str, each.all_endpoints)) for each in (one, other))
        gone, new = sorted(had - has), sorted(has - had)
        what = "changed" if others else "endpoints"
        fewer = any(
            set(has) < set(had)
            for had, has in (
                (one.internal_endpoints, other.internal_endpoints),
                (one.external_endpoints, other.external_endpoints),
            )
        )
        yield ServiceChange(*key, family, what, tuple(gone), tuple(new), others, fewer)


def doubts(changed: Iterable[ServiceChange], slices: EndpointSlices | None) -> Iterator[str]:
    """What nothing shows to be meant rather than a fault of the new mode, as sentences.

    Endpoints that others took the place of are taken for churn, and so is whatever the
    EndpointSlices of the cluster explain.
    """
    for one in changed:
        if one.what in {"added", "removed"}:
            yield f"{one.title} was {one.what}: nothing shows whether that was meant"
        elif one.fields:
            fields = " and ".join(field.replace("_", " ") for field in one.fields)
            yield f"{one.title}: its {fields} changed: nothing shows whether that was meant"
        if slices is not None:
            yield from slices.doubts(one)
        if one.fewer and (slices is None or not one.gone):
            hint = ": give --endpoints" if slices is None else ""
            yield (
                f"{one.title} has fewer endpoints than before, and nothing shows whether that was"
                f" meant{hint}"
            )


def _by_name(proxy: KubeProxy) -> dict[tuple[str, str], ServicePort]:
    return {(service.name, service.protocol): service for service in proxy.services}


def with_services_of(side: Side, before: OnNode, after: OnNode) -> Side:
    """The side of before, with the Services of after in the mode of before.

    What only the mode of before shows of a Service stays as it was.
    """
    proxies: dict[Family, KubeProxy] = {}
    for family, proxy in before.proxies.items():
        if family not in after.proxies:
            proxies[family] = proxy
            continue
        known = _by_name(proxy)
        services = (
            _as_before(service, known.get((service.name, service.protocol)), before.mode)
            for service in after.proxies[family].services
        )
        proxies[family] = attrs.evolve(proxy, services=tuple(services))
    return before.with_others(side, proxies)


def _as_before(service: ServicePort, before: ServicePort | None, mode: Mode) -> ServicePort:
    if before is None or mode is Mode.NFTABLES:
        return service
    balanced = {address for address, ranges in before.load_balancers if not ranges}
    unguarded = tuple((one, ()) for one in service.external_ips if one in balanced)
    return attrs.evolve(
        service,
        external_ips=tuple(one for one in service.external_ips if one not in balanced),
        load_balancers=(*service.load_balancers, *unguarded),
        health_check_port=before.health_check_port,
    )
