"""pkttype: who the link layer sent the packet to.

Kernel: net/netfilter/xt_pkttype.c, pkttype_mt; nft's ``meta pkttype`` is nft_meta.c. Both take a
packet that the node sent to several and got back for a multicast or a broadcast by its address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.values import Negatable, PortRange
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.packet import PACKET_TYPES
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import choice
from ..option_table import Option, OptionTable
from ..placement import ANYWHERE
from ..shared.compare import equality

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context

#: nft's words, by those that iptables-save prints.
TYPES = {
    "unicast": "host", "broadcast": "broadcast", "multicast": "multicast", "otherhost": "other",
}  # fmt: skip
_ALIASES = {"host": "unicast", "bcast": "broadcast", "mcast": "multicast"}


@attrs.frozen
class PktType(Match):
    """``-m pkttype [!] --pkt-type TYPE``."""

    type: Negatable[str]


def meaning(node: PktType, view: View) -> Test:
    """``skb->pkt_type == pkttype``."""
    same = view.state.is_("packet_type", PACKET_TYPES[TYPES[node.type.value]])
    return Test(view.negate(same, negated=node.type.negated))


def lower(node: PktType, _context: Context) -> tuple[s.Match, ...]:
    """The same comparison."""
    sign = equality(negated=node.type.negated)
    return (s.Match(x.Meta("pkttype"), sign, x.Symbol(TYPES[node.type.value])),)


def _name(text: str) -> str:
    return _ALIASES.get(text.lower(), text.lower())


EXTENSION = Extension(
    name="pkttype",
    node=PktType,
    options=OptionTable.of(
        Option("--pkt-type", choice(*TYPES, fold=_name), "type", negatable=True, required=True)
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(PktType, k.negatable(k.Among(TYPES))),
    aim=lambda node, draft: draft.fit_bits(
        "packet_type", PACKET_TYPES[TYPES[node.type.value]], 7, negated=node.type.negated
    ),
    edges=lambda _node: {"packet_type": PortRange(0, 3)},
    nft="meta pkttype TYPE",
)
