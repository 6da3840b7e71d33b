"""mh: the type of a mobility header.

Kernel: net/ipv6/netfilter/ip6t_mh.c. A fragment without a header does not match. A header that
says that something follows it is malformed; ip6tables drops the packet (``hotdrop``), here it does
not match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...core.values import Family
from ...iptables.ast import Match
from ...iptables.protocols import MOBILITY
from ...model.effects import Test
from ...model.oracle import header_field
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..option_table import OptionTable
from ..placement import Placement
from ..shared.number_ranges import NumberRange, compare_range, in_range, range_option, refuse_bare

if TYPE_CHECKING:
    from ...core.values import Negatable
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context

PROTOCOL, NO_NEXT_HEADER = 135, 59
LARGEST = 255


@attrs.frozen
class Mh(Match):
    """``-m mh [!] --mh-type FIRST[:LAST]``, or without an option for any type."""

    type: Negatable[NumberRange] | None = None


def meaning(node: Mh, view: View) -> Test:
    """There is a header that nothing follows, and its type is as asked."""
    state, algebra = view.state, view.state.algebra
    follows = view.ask(header_field("mh", "nexthdr"), width=8)
    return Test(
        algebra.all(
            state.is_("fragment", 0),
            algebra.equal(follows, algebra.const(NO_NEXT_HEADER, 8)),
            in_range(view, view.ask(header_field("mh", "type"), width=8), node.type, 8),
        )
    )


def lower(node: Mh, context: Context) -> tuple[s.Match, ...]:
    """The same comparison; exthdr finds no header in a further fragment."""
    if node.type is None:
        raise refuse_bare(context, "mh", "--mh-type", LARGEST)
    follows = x.ExtensionHeader("mh", "nexthdr")
    return (
        s.Match(follows, "==", x.Protocol(NO_NEXT_HEADER)),
        *compare_range(x.ExtensionHeader("mh", "type"), node.type, 8),
    )


def aim(node: Mh, draft: Draft) -> None:
    """A header that nothing follows, of such a type."""
    draft.answer(header_field("mh", "nexthdr"), NO_NEXT_HEADER)
    draft.answer_fit(header_field("mh", "type"), node.type, 8)


EXTENSION = Extension(
    name="mh",
    node=Mh,
    options=OptionTable.of(range_option("--mh-type", "type", LARGEST)),
    meaning=meaning,
    lower=lower,
    placement=Placement(family=Family.IP6, protocols=(MOBILITY,)),
    draw=k.Build(Mh, k.number_tests(LARGEST)),
    aim=aim,
    nft="mh type",
    codes=(BAD_PLACE, NO_NFT_FORM),
)
