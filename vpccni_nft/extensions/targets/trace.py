"""TRACE: follow the packet from here on, rule by rule.

Kernel: net/netfilter/xt_TRACE.c, in the raw table only: ``skb->nf_trace = 1``, as nft_meta_set_eval
does. Rules of nft are reported to ``nft monitor trace``, those of iptables to the kernel's log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.packet import Event
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..placement import Placement

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context


@attrs.frozen
class Trace(Target):
    """``-j TRACE``."""


def meaning(_node: Trace, _view: View) -> Effect:
    """The packet's bit for it."""
    return Effect(events=(Event("trace"),))


def lower(_node: Trace, _context: Context) -> tuple[s.Statement, ...]:
    """The same bit."""
    return (s.Assign(x.Meta("nftrace"), x.Number(1)),)


EXTENSION = Extension(
    name="TRACE",
    node=Trace,
    meaning=meaning,
    lower=lower,
    placement=Placement(tables=("raw",)),
    draw=k.Build(Trace),
    nft="meta nftrace set 1",
    codes=(BAD_PLACE,),
)
