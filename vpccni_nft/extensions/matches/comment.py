"""comment: words for the reader; every packet fits.

Kernel: net/netfilter/xt_comment.c, comment_mt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import COMMENT_CHANGED
from ...iptables.ast import Match
from ...model.effects import Test
from .. import kinds as k
from ..edges import any_packet
from ..extension import Extension
from ..forms import TEXT
from ..option_table import Option, OptionTable
from ..placement import ANYWHERE

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context


@attrs.frozen
class Comment(Match):
    """``-m comment --comment TEXT``."""

    text: str


def meaning(_node: Comment, view: View) -> Test:
    """Always."""
    return Test(view.state.algebra.true)


def lower(_node: Comment, _context: Context) -> tuple[()]:
    """No condition: the rule's comments become the nft rule's comment."""
    return ()


EXTENSION = Extension(
    name="comment",
    node=Comment,
    options=OptionTable.of(Option("--comment", TEXT, "text", required=True)),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(Comment, k.Quoted(255)),
    aim=any_packet,
    nft='comment "TEXT", at the end of the rule',
    codes=(COMMENT_CHANGED,),
)
