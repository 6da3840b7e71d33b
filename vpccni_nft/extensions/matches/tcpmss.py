"""tcpmss: the maximum segment size that TCP's options name.

Kernel: net/netfilter/xt_tcpmss.c. Without that option, the match fails, and holds after a ``!``.
A packet whose options are cut off is dropped there (``hotdrop``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, TCP_OPTIONS, WHOLE_PACKETS
from ...core.values import Negatable
from ...iptables.ast import Match
from ...iptables.protocols import TCP
from ...model.effects import Test
from ...model.oracle import OPTIONS_OF_TCP
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension, NoneOf
from ..option_table import Form, Option, OptionTable
from ..placement import Placement
from ..shared.fragments import with_transport_header
from ..shared.number_ranges import NumberRange, in_range, range_literal

if TYPE_CHECKING:
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece

LARGEST = 0xFFFF


@attrs.frozen
class TcpMss(Match):
    """``-m tcpmss [!] --mss FIRST[:LAST]``."""

    size: Negatable[NumberRange]


def _parse_sizes(text: str) -> NumberRange:
    sizes = NumberRange.parse(text, LARGEST)
    if sizes.first > sizes.last:
        raise ValueError(f"the range {sizes} ends before it starts")
    return sizes


def meaning(node: TcpMss, view: View) -> Test:
    """There is a header, and in it a size in the range, or none such after a ``!``."""
    state, algebra = view.state, view.state.algebra
    has, size = (view.field_since(OPTIONS_OF_TCP, field) for field in ("has_mss", "mss"))
    range_ = Negatable(node.size.value)
    inside = algebra.all(algebra.equal(has, algebra.const(1, 1)), in_range(view, size, range_, 16))
    fits = view.negate(inside, negated=node.size.negated)
    return Test(algebra.all(state.is_("fragment", 0), fits))


def lower(node: TcpMss, context: Context) -> tuple[Piece, ...]:
    """The same comparison; a packet without the option has no size to compare."""
    context.approximate(TCP_OPTIONS, "iptables skips an MSS option with a wrong length")
    if not context.tracked:
        context.approximate(
            WHOLE_PACKETS, "iptables reads bytes of a later fragment as TCP options"
        )
    size = x.TcpOption("maxseg", "size")
    inside = s.Match(size, "==", range_literal(node.size.value))
    header = with_transport_header(context)
    return (*header, NoneOf(((inside,),)) if node.size.negated else inside)


def aim(node: TcpMss, draft: Draft) -> None:
    """A packet with such a size; after a ``!`` with another, or with none."""
    draft.fit("mss", node.size)
    draft.fields["has_mss"] = draft.random.getrandbits(1) if node.size.negated else 1
    if node.size == Negatable(NumberRange(0, 0xFFFF), negated=True):
        draft.fields["has_mss"] = 0


EXTENSION = Extension(
    name="tcpmss",
    node=TcpMss,
    options=OptionTable.of(
        Option("--mss", Form("SIZE[:SIZE]", _parse_sizes), "size", negatable=True, required=True)
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(protocols=(TCP,)),
    draw=k.Build(TcpMss, k.negatable(k.OneOf(k.number_ranges(0xFFFF), NumberRange(0, 0xFFFF)))),
    aim=aim,
    edges=lambda node: {"mss": node.size},
    nft="tcp option maxseg size",
    codes=(BAD_PLACE, TCP_OPTIONS, WHOLE_PACKETS),
)
