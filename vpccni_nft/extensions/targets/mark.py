"""MARK: the packet's mark.

Kernel: net/netfilter/xt_mark.c, mark_tg: ``mark = (mark & ~mask) ^ value``, in any table.
iptables-save writes each of its options as ``--set-xmark``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.values import MaskedMark
from ...iptables.ast import Target
from ...model.effects import Effect
from ...nft import expressions as x
from .. import kinds as k
from ..extension import Extension
from ..placement import ANYWHERE
from ..shared.marks import set_bits, xor_masked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context
    from ..options import Options


@attrs.frozen
class SetMark(Target):
    """``-j MARK --set-xmark VALUE[/MASK]``."""

    mark: MaskedMark


def build(options: Options) -> SetMark:
    """Read the options."""
    return SetMark(options.required("--set-xmark", MaskedMark.parse))


def save(node: SetMark) -> Iterator[str]:
    """Write the options; unlike that of a match, a full mask is printed."""
    yield from ("--set-xmark", f"{node.mark.value:#x}/{node.mark.mask:#x}")


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
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(SetMark, k.MASKED_MARK),
    nft="meta mark set VALUE, or meta mark & ~MASK ^ VALUE",
)
