"""TCPOPTSTRIP: overwrite options of the TCP header with padding.

Kernel: net/netfilter/xt_TCPOPTSTRIP.c, in the mangle table only, behind ``-p tcp``. nft has
``reset tcp option`` for it, which needs Linux 5.18; scripts are for Linux 5.13 on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...core.values import parse_integer
from ...iptables.ast import Target
from ...iptables.protocols import TCP
from ...model.effects import Effect
from ...model.packet import Event
from .. import kinds as k
from ..extension import Extension
from ..option_table import Form, Option, OptionTable
from ..placement import Placement

if TYPE_CHECKING:
    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context

#: The first option that is not padding, and that of the largest segment.
FIRST = MSS = 2


@attrs.frozen
class TcpOptStrip(Target):
    """``-j TCPOPTSTRIP --strip-options NUMBERS``."""

    numbers: tuple[int, ...] = ()


def _parse_numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(parse_integer(part, 255) for part in text.split(","))
    if min(numbers) < FIRST:
        raise ValueError("the options 0 and 1 end and pad the others and cannot be stripped")
    return numbers


def meaning(node: TcpOptStrip, view: View) -> Effect:
    """Each of the options is no longer there; that of the largest segment is a field here."""
    state, algebra = view.state, view.state.algebra
    has_header = algebra.all(state.is_("protocol", TCP), state.is_("fragment", 0))
    gone = ((has_header, "has_mss", state.word("has_mss", 0)),) if MSS in node.numbers else ()
    event = Event("strip", node.numbers)
    return Effect(events=(event,), assignments=gone)


def lower(_node: TcpOptStrip, context: Context) -> tuple[s.Statement, ...]:
    """There is no form yet."""
    raise context.refuse("nft cannot strip TCP options before Linux 5.18 (reset tcp option)")


EXTENSION = Extension(
    name="TCPOPTSTRIP",
    node=TcpOptStrip,
    options=OptionTable.of(
        Option(
            "--strip-options",
            Form("NUMBER[,NUMBER...]", _parse_numbers, lambda numbers: ",".join(map(str, numbers))),
            "numbers",
        )
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(tables=("mangle",), protocols=(TCP,)),
    draw=k.Build(
        TcpOptStrip, k.Several(k.Integers(2, 255), 0, 5, unique=True).map(sorted).map(tuple)
    ),
    nft="none: reset tcp option needs Linux 5.18",
    codes=(
        BAD_PLACE,
        NO_NFT_FORM,
    ),
)
