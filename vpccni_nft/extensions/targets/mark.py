"""MARK: the packet's mark.

Kernel: net/netfilter/xt_mark.c, mark_tg: ``mark = (mark & ~mask) ^ value``, in any table.
iptables-save writes each of its options as ``--set-xmark``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...iptables.ast import Target
from ...model.effects import Effect
from ...nft import expressions as x
from .. import kinds as k
from ..extension import Extension
from ..forms import MARK_SHORTHANDS, NEW_MARK
from ..option_table import Option, OptionTable
from ..placement import ANYWHERE
from ..shared.marks import set_bits, xor_masked

if TYPE_CHECKING:
    from ...core.values import MaskedMark
    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context


@attrs.frozen
class SetMark(Target):
    """``-j MARK --set-xmark VALUE[/MASK]``."""

    mark: MaskedMark


def meaning(node: SetMark, view: View) -> Effect:
    """``mark = (mark & ~mask) ^ value``."""
    state = view.state
    value = state.word("mark", node.mark.value)
    mark = xor_masked(state, state.fields["mark"], node.mark.mask, value)
    return Effect(assignments=((state.algebra.true, "mark", mark),))


def lower(node: SetMark, _context: Context) -> tuple[s.Statement, ...]:
    """The same arithmetic."""
    return set_bits(x.Meta("mark"), node.mark)


EXTENSION = Extension(
    name="MARK",
    node=SetMark,
    options=OptionTable.of(
        Option("--set-xmark", NEW_MARK, "mark", required=True), *MARK_SHORTHANDS
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(SetMark, k.MASKED_MARK),
    nft="meta mark set VALUE, or meta mark & ~MASK ^ VALUE",
)
