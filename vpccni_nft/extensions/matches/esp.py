"""esp: the security parameters index of an encrypted payload.

Kernel: net/netfilter/xt_esp.c. A fragment without a header does not match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...iptables.ast import Match
from ...iptables.protocols import ESP
from ...model.effects import Test
from ...model.oracle import header_field
from ...nft import expressions as x
from .. import kinds as k
from ..extension import Extension
from ..option_table import OptionTable
from ..placement import Placement
from ..shared.fragments import with_transport_header
from ..shared.number_ranges import NumberRange, compare_range, in_range, range_option, refuse_bare

if TYPE_CHECKING:
    from ...core.values import Negatable
    from ...model.effects import View
    from ..context import Context
    from ..extension import Piece

PROTOCOL = 50


@attrs.frozen
class Esp(Match):
    """``-m esp [!] --espspi FIRST[:LAST]``, or without an option for any index."""

    spi: Negatable[NumberRange] | None = None


def meaning(node: Esp, view: View) -> Test:
    """There is a header, and its index is as asked."""
    spi = in_range(view, view.ask(header_field("esp", "spi"), width=32), node.spi, 32)
    return Test(view.state.algebra.all(view.state.is_("fragment", 0), spi))


def lower(node: Esp, context: Context) -> tuple[Piece, ...]:
    """The same comparison, where there is a header."""
    if not node.spi:
        raise refuse_bare(context, "esp", "--espspi")
    spi = compare_range(x.Payload("esp", "spi"), node.spi, 32)
    return (*with_transport_header(context), *spi)


EXTENSION = Extension(
    name="esp",
    node=Esp,
    options=OptionTable.of(range_option("--espspi", "spi")),
    meaning=meaning,
    lower=lower,
    placement=Placement(protocols=(ESP,)),
    draw=k.Build(Esp, k.number_tests()),
    aim=lambda node, draft: draft.answer_fit(header_field("esp", "spi"), node.spi, 32),
    nft="esp spi",
    codes=(BAD_PLACE, NO_NFT_FORM),
)
