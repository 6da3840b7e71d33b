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
from ..aiming import any_packet
from ..extension import Extension
from ..placement import ANYWHERE
from ..shared.words import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import View
    from ..context import Context
    from ..options import Options


@attrs.frozen
class Comment(Match):
    """``-m comment --comment TEXT``."""

    text: str


def build(options: Options) -> Comment:
    """Read the options."""
    return Comment(options.required("--comment", str))


def save(node: Comment) -> Iterator[str]:
    """Write the options."""
    yield from ("--comment", quote(node.text))


def meaning(_node: Comment, view: View) -> Test:
    """Always."""
    return Test(view.state.algebra.true)


def lower(_node: Comment, _context: Context) -> tuple[()]:
    """No condition: the rule's comments become the nft rule's comment."""
    return ()


EXTENSION = Extension(
    name="comment",
    node=Comment,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(Comment, k.Quoted(255)),
    aim=any_packet,
    nft='comment "TEXT", at the end of the rule',
    codes=(COMMENT_CHANGED,),
)
