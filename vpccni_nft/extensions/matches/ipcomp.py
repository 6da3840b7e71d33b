"""ipcomp: the compression parameter index.

Kernel: net/netfilter/xt_ipcomp.c. It does not look at ``--compres``. A fragment without a header
does not match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...iptables.ast import Match
from ...iptables.protocols import IPCOMP
from ...model.effects import Test
from ...model.oracle import header_field
from ...nft import expressions as x
from .. import kinds as k
from ..extension import Extension
from ..option_table import Option, OptionTable
from ..placement import Placement
from ..shared.fragments import with_transport_header
from ..shared.number_ranges import NumberRange, compare_range, in_range, number_range

if TYPE_CHECKING:
    from ...core.values import Negatable
    from ...model.effects import View
    from ..context import Context
    from ..extension import Piece

PROTOCOL = 108


@attrs.frozen
class IpComp(Match):
    """``-m ipcomp [!] --ipcompspi FIRST[:LAST] [--compres]``.

    The index must be there. Without it, iptables-restore means 0, and iptables-save any.
    """

    spi: Negatable[NumberRange]
    reserved: bool = False  #: ``--compres``, which changes nothing


def meaning(node: IpComp, view: View) -> Test:
    """There is a header, and its index is as asked."""
    index = in_range(view, view.ask(header_field("comp", "cpi"), width=16), node.spi, 16)
    return Test(view.state.algebra.all(view.state.is_("fragment", 0), index))


def lower(node: IpComp, context: Context) -> tuple[Piece, ...]:
    """The same comparison, where there is a header."""
    index = compare_range(x.Payload("comp", "cpi"), node.spi, 16)
    return (*with_transport_header(context), *index)


EXTENSION = Extension(
    name="ipcomp",
    node=IpComp,
    options=OptionTable.of(
        Option("--ipcompspi", number_range(), "spi", negatable=True, required=True),
        Option("--compres", field="reserved"),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(protocols=(IPCOMP,)),
    draw=k.Build(IpComp, k.negatable(k.number_ranges(0xFFFF) | k.number_ranges()), k.FLAG),
    aim=lambda node, draft: draft.answer_fit(header_field("comp", "cpi"), node.spi, 16),
    nft="comp cpi",
    codes=(BAD_PLACE,),
)
