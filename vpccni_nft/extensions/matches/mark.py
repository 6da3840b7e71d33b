"""mark: the packet's mark, masked.

Kernel: net/netfilter/xt_mark.c, mark_mt. Matches where ``(skb->mark & mask) == mark``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.values import MaskedMark, Negatable
from ...iptables.ast import Match
from ...model.effects import Test
from ...nft import expressions as x
from ..extension import Extension
from ..shared.compare import compare_mark
from ..shared.words import negation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context
    from ..options import Options


@attrs.frozen
class Mark(Match):
    """``-m mark [!] --mark VALUE[/MASK]``."""

    mark: Negatable[MaskedMark]


def build(options: Options) -> Mark:
    """Read the options."""
    return Mark(options.required_negatable("--mark", MaskedMark.parse))


def save(node: Mark) -> Iterator[str]:
    """Write the options; a full mask is not printed."""
    mark = node.mark.value
    yield from negation(node.mark)
    yield "--mark"
    yield f"{mark.value:#x}" if mark.mask == 0xFFFFFFFF else f"{mark.value:#x}/{mark.mask:#x}"


def meaning(node: Mark, view: View) -> Test:
    """``(mark & mask) == value``."""
    mark = node.mark.value
    same = view.state.is_("mark", mark.value, mark.mask)
    return Test(view.negate(same, negated=node.mark.negated))


def lower(node: Mark, _context: Context) -> tuple[s.Statement, ...]:
    """The same comparison."""
    return compare_mark(x.Meta("mark"), node.mark)


EXTENSION = Extension(
    name="mark",
    node=Mark,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="meta mark & MASK == VALUE",
)
