"""eui64: whether the source address is made of the sender's MAC address.

Kernel: net/ipv6/netfilter/ip6t_eui64.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...core.values import Family
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind
from .. import kinds as k
from ..extension import Extension
from ..placement import COMES_BY, Placement

if TYPE_CHECKING:
    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context


@attrs.frozen
class Eui64(Match):
    """``-m eui64``, which has no options."""


def meaning(_node: Eui64, view: View) -> Test:
    """The last eight bytes of the source are the MAC address, with ff:fe in it and a bit turned."""
    return Test(view.says(Oracle(OracleKind.SOURCE_IS_EUI64), view.state.fields["saddr"]))


def lower(_node: Eui64, context: Context) -> tuple[s.Match, ...]:
    """There is no form for it."""
    raise context.refuse("nft cannot compare two fields of a packet with each other")


EXTENSION = Extension(
    name="eui64",
    node=Eui64,
    meaning=meaning,
    lower=lower,
    placement=Placement(family=Family.IP6, hooks=COMES_BY),
    draw=k.Build(Eui64),
    aim=lambda _node, draft: draft.answer(OracleKind.SOURCE_IS_EUI64, 1, draft.fields["saddr"]),
    nft="none: nft cannot compare two fields of a packet",
    codes=(NO_NFT_FORM,),
)
