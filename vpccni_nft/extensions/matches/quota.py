"""quota: so many bytes, and never again.

Kernel: net/netfilter/xt_quota.c, quota_mt. A packet that is larger than what is left does not fit,
and nothing is left from then on. A dump does not hold what is left: each load begins anew, here and
there. nft_quota.c counts bytes the other way round, up to the quota; before Linux 6.16 it took the
packet that uses up the quota to the last byte for one too many (docs/limits).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import Bound, OracleKind
from ...model.packet import Event
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import number
from ..option_table import Option, OptionTable
from ..placement import ANYWHERE

if TYPE_CHECKING:
    from ...core.values import Negatable
    from ...model.effects import View
    from ..context import Context

#: The largest quota.
LARGEST = 2**64 - 1

#: The largest quota of nft (S64_MAX, nft_quota.c).
LARGEST_OF_NFT = 2**63 - 1


@attrs.frozen
class Quota(Match):
    """``-m quota --quota BYTES``."""

    bytes: Negatable[int]

    @property
    def draws(self) -> bool:
        """What it answers depends on what it has seen."""
        return True


def meaning(node: Quota, view: View) -> Test:
    """As much as the packet is long is left, and is taken."""
    algebra, bound = view.state.algebra, Bound(node.bytes.value, "bytes")
    within = algebra.equal(view.ask_here(OracleKind.WITHIN, bound, width=1), algebra.const(1, 1))
    spent = Event("spend", (view.place, bound))
    return Test(view.negate(within, negated=node.bytes.negated), ((algebra.true, spent),))


def lower(node: Quota, context: Context) -> tuple[s.Quota, ...]:
    """A quota of the rule."""
    if node.bytes.value > LARGEST_OF_NFT:
        raise context.refuse(f"a quota of nft has at most {LARGEST_OF_NFT} bytes")
    return (s.Quota(node.bytes.value, over=node.bytes.negated),)


EXTENSION = Extension(
    name="quota",
    node=Quota,
    options=OptionTable.of(
        Option("--quota", number(2**64 - 1), "bytes", negatable=True, required=True)
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(Quota, k.negatable(k.Integers(0, 100) | k.Integers(0, LARGEST))),
    aim=lambda node, draft: draft.answer_here(
        OracleKind.WITHIN, not node.bytes.negated, Bound(node.bytes.value, "bytes")
    ),
    nft="quota [over] N bytes",
    codes=(NO_NFT_FORM,),
)
