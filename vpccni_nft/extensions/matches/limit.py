"""limit: no more packets than a rate.

Kernel: net/netfilter/xt_limit.c, limit_mt. Each rule has a bucket of its own, which is full when
the rules are loaded, here and there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import RATE_BY_TICKS
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import OracleKind
from ...model.packet import Event
from .. import kinds as k
from ..extension import Extension
from ..forms import number
from ..option_table import Form, Option, OptionTable
from ..placement import ANYWHERE
from ..shared.rates import Rate, rates

if TYPE_CHECKING:
    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context

#: Parts of a second that the kernel counts in (XT_LIMIT_SCALE).
STEPS = 10_000

#: What libxt_limit takes where nothing is said.
USUAL_RATE = Rate(3, "hour")
USUAL_BURST = 5

LARGEST_BURST = 10_000


@attrs.frozen(kw_only=True)
class Limit(Match):
    """``-m limit --limit RATE --limit-burst BURST``."""

    rate: Rate = USUAL_RATE
    burst: int = USUAL_BURST

    @property
    def draws(self) -> bool:
        """What it answers depends on what it has seen."""
        return True


def parse_rate(text: str) -> Rate:
    """Read a rate as libxt_limit does."""
    return Rate.parse(text, STEPS)


def meaning(node: Limit, view: View) -> Test:
    """There are credits left, and they are spent."""
    algebra, bound = view.state.algebra, node.rate.bound(node.burst)
    within = algebra.equal(view.ask_here(OracleKind.WITHIN, bound, width=1), algebra.const(1, 1))
    return Test(within, ((algebra.true, Event("spend", (view.place, bound))),))


def lower(node: Limit, context: Context) -> tuple[s.Limit, ...]:
    """A bucket of the same size."""
    return (node.rate.lower(node.burst, over=False, context=context),)


EXTENSION = Extension(
    name="limit",
    node=Limit,
    options=OptionTable.of(
        Option("--limit", Form("NUMBER[/UNIT]", parse_rate), "rate", always=True),
        Option("--limit-burst", number(LARGEST_BURST, smallest=1), "burst"),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(Limit, rate=rates(STEPS), burst=k.OneOf(USUAL_BURST, k.Integers(1, 10_000))),
    aim=lambda node, draft: draft.answer_here(OracleKind.WITHIN, 1, node.rate.bound(node.burst)),
    nft="limit rate N/second|minute|hour|day burst N packets",
    codes=(RATE_BY_TICKS,),
)
