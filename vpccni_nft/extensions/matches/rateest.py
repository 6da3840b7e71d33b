"""rateest: the rate that the target RATEEST estimates.

Kernel: net/netfilter/xt_rateest.c, xt_rateest_mt. nft has no rate estimators.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind
from .. import kinds as k
from ..extension import Extension
from ..forms import WORD
from ..option_table import Form, Option, OptionTable, at_least_one
from ..placement import ANYWHERE

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context
    from ..options import GivenOptions


@attrs.frozen
class RateEst(Match):
    """``-m rateest``; its options are kept as they are written, for nothing is made of them."""

    words: tuple[str, ...]


#: A rate; compared with another estimator there is none.
_LIMIT = Form("RATE", str, optional=True)

_OPTIONS = OptionTable.of(
    Option("--rateest-delta"),
    Option("--rateest", WORD, "words"),
    Option("--rateest1", WORD, "words"),
    Option("--rateest2", WORD, "words"),
    Option("--rateest-bps", _LIMIT, "words"),
    Option("--rateest-pps", _LIMIT, "words"),
    Option("--rateest-bps1", _LIMIT, "words"),
    Option("--rateest-pps1", _LIMIT, "words"),
    Option("--rateest-bps2", _LIMIT, "words"),
    Option("--rateest-pps2", _LIMIT, "words"),
    Option("--rateest-lt", negatable=True, repeated=True),
    Option("--rateest-gt", negatable=True, repeated=True),
    Option("--rateest-eq", negatable=True, repeated=True),
    at_least_one(
        "--rateest-delta",
        "--rateest",
        "--rateest1",
        "--rateest2",
        "--rateest-bps",
        "--rateest-pps",
        "--rateest-bps1",
        "--rateest-pps1",
        "--rateest-bps2",
        "--rateest-pps2",
        "--rateest-lt",
        "--rateest-gt",
        "--rateest-eq",
    ),
)


def build(options: GivenOptions) -> RateEst:
    """Keep the options."""
    _OPTIONS.read(options)
    return RateEst(options.words())


def meaning(node: RateEst, view: View) -> Test:
    """Whatever the world answers."""
    return Test(view.says(Oracle(OracleKind.ESTIMATE, view.place, (" ".join(node.words),))))


def lower(_node: RateEst, context: Context) -> tuple[()]:
    """Refuse."""
    raise context.refuse("nft has no estimators of rates")


EXTENSION = Extension(
    name="rateest",
    node=RateEst,
    options=_OPTIONS,
    build=build,
    save=lambda node: node.words,
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
