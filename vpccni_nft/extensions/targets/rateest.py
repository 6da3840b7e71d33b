"""RATEEST: count the packet in an estimator of rates, which the match ``rateest`` reads.

Kernel: net/netfilter/xt_RATEEST.c, net/core/gen_estimator.c. nft has no estimators.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.packet import Event
from .. import kinds as k
from ..extension import Extension
from ..forms import WORD
from ..option_table import Form, Option, OptionTable
from ..placement import ANYWHERE

if TYPE_CHECKING:
    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context


@attrs.frozen
class Estimate(Target):
    """``-j RATEEST`` with its options, times as they are printed."""

    name: str
    interval: str
    average: str  #: ``--rateest-ewmalog``


def _parse_time(text: str) -> str:
    if not re.fullmatch(r"[0-9.]{1,20}(s|ms|us)?", text):
        raise ValueError(f"“{text}” is not a time such as 250.0ms")
    return text


def meaning(node: Estimate, _view: View) -> Effect:
    """The estimator of this name counts the packet."""
    return Effect(events=(Event("estimate", (node.name, node.interval, node.average)),))


def lower(_node: Estimate, context: Context) -> tuple[s.Statement, ...]:
    """There is no form."""
    raise context.refuse("nft has no estimators of rates")


_TIME = k.Among(("250.0ms", "1.0s", "500us"))


EXTENSION = Extension(
    name="RATEEST",
    node=Estimate,
    options=OptionTable.of(
        Option("--rateest-name", WORD, "name", required=True),
        Option("--rateest-interval", Form("TIME", _parse_time), "interval", required=True),
        Option("--rateest-ewmalog", Form("TIME", _parse_time), "average", required=True),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(Estimate, k.Unquoted(15), _TIME, _TIME),
    nft="none: nft has no estimators",
    codes=(NO_NFT_FORM,),
)
