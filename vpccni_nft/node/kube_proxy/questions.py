r"""A change of kube-proxy's mode from Python: predicted of a node, or proved of two records.

>>> from vpccni_nft.core.values import Family
>>> from vpccni_nft.node import Snapshot, predict, prove
>>> from vpccni_nft.node.kube_proxy.services import Endpoint, KubeProxy, ServicePort, Settings
>>> from vpccni_nft.node.kube_proxy.write_iptables import as_restore_file
>>> shop = ServicePort(
...     namespace="shop", service="web", port_name="", protocol="tcp", cluster_ip="10.100.0.10",
...     port=80, endpoints=(Endpoint("10.0.1.5", 8080),))
>>> text = as_restore_file(KubeProxy(Settings(family=Family.IP), (shop,)))
>>> node = Snapshot.of({"iptables-legacy.save": text})
>>> [(one.name, [str(end) for end in one.endpoints]) for one in node.services()]
[('shop/web', ['10.0.1.5:8080'])]
>>> same = prove(node, node)
>>> type(same.answer).__name__, same.switch.changes, same.is_still_so
('Equivalent', (), True)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...proof.answers import Equivalent
from .on_node import Mode
from .predict import given_by
from .switching import predicted, recorded
from .write_nftables import TableForm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...core.span import Source
    from ...proof.answers import Answer
    from ...proof.verify import ProofSettings
    from ..snapshot import Snapshot
    from .endpoint_slices import EndpointSlices
    from .switching import Switch


@attrs.frozen
class ProvedSwitch:
    """A change of kube-proxy's mode, and the answer of the proof."""

    switch: Switch
    answer: Answer

    @property
    def is_still_so(self) -> bool:
        """Whether the node does what it did, but for what is accepted, and nothing is in doubt."""
        open_ends = self.switch.leftovers or self.switch.doubts
        return isinstance(self.answer, Equivalent) and not open_ends


def predict(
    node: Snapshot,
    to: str,
    *,
    kubernetes: str = "1.33",
    node_ips: tuple[str, ...] = (),
    service_cidrs: tuple[str, ...] = (),
    cluster_cidrs: tuple[str, ...] = (),
    accept: Iterable[str | Source] = (),
    settings: ProofSettings | None = None,
) -> ProvedSwitch:
    """What changes when kube-proxy changes to a mode, ``nftables`` or ``iptables``.

    ``kubernetes`` is the release of the table in nftables mode: 1.33, 1.36 or 1.37. Addresses and
    CIDRs are texts; ``none`` as a Service CIDR says that kube-proxy knows none. ``accept`` names
    catalogues or has texts of files. Raises Refused (M301) where kube-proxy's rules are not
    understood, and NotGiven, a ValueError, where something is not given that no rule shows.
    """
    given = given_by(
        node.facts, node_ips=node_ips, service_cidrs=service_cidrs, cluster_cidrs=cluster_cidrs
    )
    switch = predicted(node.side(), Mode(to), TableForm(kubernetes), given)
    return _proved(switch, accept, settings)


def prove(
    before: Snapshot,
    after: Snapshot,
    *,
    slices: EndpointSlices | None = None,
    accept: Iterable[str | Source] = (),
    settings: ProofSettings | None = None,
) -> ProvedSwitch:
    """Whether a node does after a change of kube-proxy's mode what it did before it.

    ``slices`` say which endpoints are meant. Raises Refused (M301) where kube-proxy's rules are not
    understood.
    """
    return _proved(recorded(before.side(), after.side(), slices), accept, settings)


def _proved(
    switch: Switch, accept: Iterable[str | Source], settings: ProofSettings | None
) -> ProvedSwitch:
    from ...proof.verify import ProofSettings, verify
    from ..catalogues import acceptances

    accepted = acceptances(accept, switch.before, switch.after)
    settings = attrs.evolve(settings or ProofSettings(), paths=True, accept=accepted)
    return ProvedSwitch(switch, verify(switch.before, switch.after, settings))
