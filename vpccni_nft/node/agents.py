"""What a node would have if its agents changed, kube-proxy its mode and the CNI its release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..text.saved_from import SavedFrom
from .kube_proxy.predict import Given
from .kube_proxy.switching import predicted as predicted_kube_proxy
from .kube_proxy.write_nftables import TableForm
from .vpc_cni.predict import predicted as predicted_cni

if TYPE_CHECKING:
    from ..proof.side import Side
    from .kube_proxy.on_node import Mode
    from .vpc_cni.predict import Release


@attrs.frozen(kw_only=True)
class AgentsChange:
    """What changes on a node; nothing where it is None."""

    kube_proxy: Mode | None = None
    form: TableForm = TableForm.V1_33  #: of kube-proxy's table in nftables mode
    given: Given = attrs.Factory(Given)
    vpc_cni: Release | None = None
    back_end: SavedFrom = SavedFrom.UNKNOWN  #: of iptables; unknown: what the dump shows


@attrs.frozen
class PredictedNode:
    """A node with its agents changed."""

    side: Side
    scripts: tuple[str, ...]  #: what each agent would write, for ``nft -f`` or iptables-restore
    assumptions: tuple[str, ...]  #: sentences
    services: int | None = None  #: ports of Services, where kube-proxy changes


def predicted(side: Side, change: AgentsChange) -> PredictedNode:
    """Change kube-proxy first, then the CNI.

    Raises Refused where an agent's rules are not understood (M301, M303), and NotGiven.
    """
    found = PredictedNode(side, (), ())
    if change.kube_proxy:
        switch = predicted_kube_proxy(side, change.kube_proxy, change.form, change.given)
        found = PredictedNode(switch.after, (switch.script,), switch.assumptions, switch.was.count)
    if change.vpc_cni:
        cni = predicted_cni(found.side, change.vpc_cni, change.back_end)
        found = PredictedNode(
            cni.after,
            (*found.scripts, cni.script),
            (*found.assumptions, *cni.assumptions),
            found.services,
        )
    return found
