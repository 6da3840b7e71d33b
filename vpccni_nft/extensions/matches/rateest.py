"""rateest: the rate that the target RATEEST estimates.

Kernel: net/netfilter/xt_rateest.c, xt_rateest_mt. nft has no rate estimators.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_OPTION, NO_NFT_FORM, Problem
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind
from .. import kinds as k
from ..extension import Extension
from ..placement import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import View
    from ..context import Context
    from ..options import Options


@attrs.frozen
class RateEst(Match):
    """``-m rateest``; its options are kept as they are written, for nothing is made of them."""

    words: tuple[str, ...]


def build(options: Options) -> RateEst:
    """Keep the options."""
    if not options.given:
        raise Problem(BAD_OPTION, "rateest needs an option", span=options.span)
    return RateEst(options.words())


def save(node: RateEst) -> Iterator[str]:
    """Write the options."""
    yield from node.words


def meaning(node: RateEst, view: View) -> Test:
    """Whatever the world answers."""
    return Test(view.says(Oracle(OracleKind.ESTIMATE, view.place, (" ".join(node.words),))))


def lower(_node: RateEst, context: Context) -> tuple[()]:
    """Refuse."""
    raise context.refuse("nft has no estimators of rates")


EXTENSION = Extension(
    name="rateest",
    node=RateEst,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(
        RateEst,
        k.Among(
            (
                ("--rateest", "a", "!", "--rateest-lt", "--rateest-bps", "100000bit"),
                ("--rateest", "a", "--rateest-gt", "--rateest-pps", "100"),
                ("--rateest1", "a", "--rateest-eq", "--rateest-bps", "--rateest2", "b"),
            )
        ),
    ),
    aim=lambda node, draft: draft.answer_all(lambda view: meaning(node, view), 1),
    nft="none: nft has no estimators of rates",
    codes=(NO_NFT_FORM,),
)
