"""mark, connmark: the mark of the packet or of its connection, masked.

Kernel: net/netfilter/xt_mark.c, mark_mt, and xt_connmark.c, connmark_mt. They match where ``(mark &
mask) == value``. A packet without a connection never fits ``connmark``, negated or not; nft's ``ct
mark`` breaks the rule there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...iptables.ast import Match
from ...model.effects import Test
from ...nft import expressions as x
from .. import kinds as k
from ..extension import Extension
from ..forms import MARK as MARK_TEST
from ..option_table import Option, OptionTable
from ..placement import ANYWHERE
from ..shared.compare import NEVER, compare_mark
from ..shared.marks import HAS_ENTRY

if TYPE_CHECKING:
    from ...core.values import MaskedMark, Negatable
    from ...model.effects import View
    from ...nft import statements as s
    from ..aiming import Draft
    from ..context import Context


@attrs.frozen
class Mark(Match):
    """``-m mark [!] --mark VALUE[/MASK]``."""

    mark: Negatable[MaskedMark]


@attrs.frozen
class ConnectionMark(Match):
    """``-m connmark [!] --mark VALUE[/MASK]``."""

    mark: Negatable[MaskedMark]


def _mark_fits(node: Mark, view: View) -> Test:
    mark = node.mark.value
    same = view.state.is_("mark", mark.value, mark.mask)
    return Test(view.negate(same, negated=node.mark.negated))


def _connection_mark_fits(node: ConnectionMark, view: View) -> Test:
    """There is an entry, and its mark fits."""
    state, mark = view.state, node.mark.value
    same = state.is_("ct_mark", mark.value, mark.mask)
    return Test(state.algebra.all(state.has_entry, view.negate(same, negated=node.mark.negated)))


def _lower_mark(node: Mark, _context: Context) -> tuple[s.Statement, ...]:
    return compare_mark(x.Meta("mark"), node.mark)


def _lower_connection_mark(node: ConnectionMark, _context: Context) -> tuple[s.Statement, ...]:
    """The same comparison; where nothing is left to compare, the entry is asked for."""
    found = compare_mark(x.Ct("mark"), node.mark) or (HAS_ENTRY,)
    # What never holds asks for the entry all the same: it makes the kernel track connections.
    return (HAS_ENTRY, *found) if found == (NEVER,) else found


_DRAWN = k.negatable(k.MASKED_MARK)


def _aim_connection(node: ConnectionMark, draft: Draft) -> None:
    draft.fit_entry()
    draft.fit_mark("ct_mark", node.mark)


_OPTIONS = OptionTable.of(Option("--mark", MARK_TEST, "mark", negatable=True, required=True))

MARK = Extension(
    name="mark",
    what="the packet's mark, masked.",
    node=Mark,
    options=_OPTIONS,
    meaning=_mark_fits,
    lower=_lower_mark,
    placement=ANYWHERE,
    draw=k.Build(Mark, _DRAWN),
    aim=lambda node, draft: draft.fit_mark("mark", node.mark),
    edges=lambda node: {"mark": node.mark},
    nft="meta mark & MASK == VALUE",
)

CONNMARK = Extension(
    name="connmark",
    what="the connection's mark, masked.",
    node=ConnectionMark,
    options=_OPTIONS,
    meaning=_connection_mark_fits,
    lower=_lower_connection_mark,
    placement=ANYWHERE,
    draw=k.Build(ConnectionMark, _DRAWN),
    aim=_aim_connection,
    edges=lambda node: {"ct_mark": node.mark},
    nft="ct mark & MASK == VALUE",
    codes=(NO_NFT_FORM,),
    uses_conntrack=True,
    reads_entry=lambda _node: True,
)
