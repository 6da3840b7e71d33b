"""A change of kube-proxy's mode: what is compared, before anything is proved.

Predicted, it is a node as it is and as it would be; recorded, it is a node before and after. Both
are two sides, and kube-proxy as it is on either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import Refused
from ...core.values import Family
from .churn import changes, doubts, with_services_of
from .leftovers import leftovers
from .on_node import Mode, OnNode
from .predict import to_iptables, to_nftables

if TYPE_CHECKING:
    from ...core.diagnostics import Diagnostic
    from ...proof.side import Side
    from .churn import ServiceChange
    from .endpoint_slices import EndpointSlices
    from .predict import Given, Prediction
    from .write_nftables import TableForm


@attrs.frozen(kw_only=True)
class Switch:
    """Two sides of a change of kube-proxy's mode."""

    before: Side  #: with the Services of after
    after: Side
    was: OnNode
    now: OnNode
    changes: tuple[ServiceChange, ...] = ()  #: of Services, between two records
    doubts: tuple[str, ...] = ()  #: what of them nothing shows to be meant, as sentences
    leftovers: tuple[Diagnostic, ...] = ()  #: what is still there of the mode that was left
    predictions: tuple[Prediction, ...] = ()  #: of each family, where ``after`` is predicted

    @property
    def script(self) -> str:
        """What kube-proxy would write, where that is predicted."""
        return "".join(one.script for one in self.predictions)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What a prediction rests on, as sentences."""
        return tuple(sentence for one in self.predictions for sentence in one.assumptions)


def predicted(side: Side, to: Mode, form: TableForm, given: Given) -> Switch:
    """A change to a mode, predicted; ``form`` is that of the nftables mode.

    Raises Refused (M301), and NotGiven.
    """
    if to is Mode.NFTABLES:
        after, found = to_nftables(side, form, given)
        was = OnNode(Mode.IPTABLES, {_family(one): one.before for one in found})
        now = OnNode(to, {_family(one): one.after for one in found}, form)
    else:
        was = OnNode.of(side)
        after, found = to_iptables(side, given)
        now = OnNode(to, {_family(one): one.after for one in found})
    return Switch(before=side, after=after, was=was, now=now, predictions=found)


def _family(one: Prediction) -> Family:
    return one.before.settings.family


def recorded(one: Side, other: Side, slices: EndpointSlices | None = None) -> Switch:
    """A change between two records of a node; ``slices`` are those of the cluster after it.

    Raises Refused (M301) where kube-proxy's rules are not understood, with what is left over.
    """
    was = OnNode.of(one)
    left = leftovers(other, was.mode)
    try:
        now = OnNode.of(other)
        before = with_services_of(one, was, now)
    except Refused as refused:
        raise Refused((*left, *refused.diagnostics)) from None
    changed = changes(was, now)
    return Switch(
        before=before,
        after=other,
        was=was,
        now=now,
        changes=changed,
        doubts=tuple(doubts(changed, slices)),
        leftovers=left,
    )
