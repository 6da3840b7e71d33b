"""connmark: the connection's mark, masked.

Kernel: net/netfilter/xt_connmark.c, connmark_mt. Matches where ``(ct->mark & mask) == mark``. A
packet without a connection never fits, negated or not; nft's ``ct mark`` breaks the rule there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.values import MaskedMark, Negatable
from ...iptables.ast import Match
from ...model.effects import Test
from ...nft import expressions as x
from ..extension import Extension
from ..shared.compare import NEVER, compare_mark
from ..shared.marks import HAS_ENTRY
from ..shared.words import negation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context
    from ..options import Options


@attrs.frozen
class ConnectionMark(Match):
    """``-m connmark [!] --mark VALUE[/MASK]``."""

    mark: Negatable[MaskedMark]


def build(options: Options) -> ConnectionMark:
    """Read the options."""
    return ConnectionMark(options.required_negatable("--mark", MaskedMark.parse))


def save(node: ConnectionMark) -> Iterator[str]:
    """Write the options; a full mask is not printed."""
    mark = node.mark.value
    yield from negation(node.mark)
    yield "--mark"
    yield f"{mark.value:#x}" if mark.mask == 0xFFFFFFFF else f"{mark.value:#x}/{mark.mask:#x}"


def meaning(node: ConnectionMark, view: View) -> Test:
    """There is an entry, and ``(ct->mark & mask) == mark``."""
    state, mark = view.state, node.mark.value
    same = state.is_("ct_mark", mark.value, mark.mask)
    return Test(state.algebra.all(state.has_entry, view.negate(same, negated=node.mark.negated)))


def lower(node: ConnectionMark, _context: Context) -> tuple[s.Statement, ...]:
    """The same comparison; where nothing is left to compare, the entry is asked for."""
    found = compare_mark(x.Ct("mark"), node.mark) or (HAS_ENTRY,)
    # What never holds asks for the entry all the same: it makes the kernel track connections.
    return (HAS_ENTRY, *found) if found == (NEVER,) else found


EXTENSION = Extension(
    name="connmark",
    node=ConnectionMark,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="ct mark & MASK == VALUE",
    uses_conntrack=True,
)
