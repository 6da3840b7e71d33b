"""dscp: the differentiated services code point.

Kernel: net/netfilter/xt_dscp.c, dscp_mt and dscp_mt6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...iptables.ast import Match
from ...model.effects import Test
from ...nft import expressions as x
from ...nft import statements as s
from ...nft.expressions import NETWORK_HEADER
from .. import kinds as k
from ..extension import Extension
from ..forms import number
from ..option_table import Option, OptionTable, Shorthand
from ..placement import ANYWHERE
from ..shared.compare import equality
from ..shared.number_ranges import NumberRange
from ..shared.value_names import dscp_class

if TYPE_CHECKING:
    from ...core.values import Negatable
    from ...model.effects import View
    from ..context import Context

LARGEST = 63


@attrs.frozen
class Dscp(Match):
    """``-m dscp [!] --dscp VALUE``."""

    value: Negatable[int]


def meaning(node: Dscp, view: View) -> Test:
    """The upper six bits of the type of service are the value."""
    same = view.state.is_("tos", node.value.value << 2, 0xFC)
    return Test(view.negate(same, negated=node.value.negated))


def lower(node: Dscp, context: Context) -> tuple[s.Match, ...]:
    """The same comparison."""
    field = x.Payload(NETWORK_HEADER[context.family], "dscp")
    return (s.Match(field, equality(negated=node.value.negated), x.Number(node.value.value)),)


EXTENSION = Extension(
    name="dscp",
    node=Dscp,
    options=OptionTable.of(
        Option(
            "--dscp",
            number(LARGEST, text=lambda value: f"0x{value:02x}"),
            "value",
            negatable=True,
            required=True,
        ),
        Shorthand("--dscp-class", lambda name: ("--dscp", dscp_class(name))),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(Dscp, k.negatable(k.Integers(0, LARGEST))),
    aim=lambda node, draft: draft.fit_bits(
        "tos", node.value.value << 2, 0xFC, negated=node.value.negated
    ),
    edges=lambda node: {"tos": NumberRange(node.value.value << 2, node.value.value << 2 | 3)},
    nft="ip dscp, ip6 dscp",
)
