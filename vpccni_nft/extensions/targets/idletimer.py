"""IDLETIMER: restart a timer that notifies user space when no packet came for a while.

Kernel: net/netfilter/xt_IDLETIMER.c: a file in sysfs for each label. nft has no such timer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.packet import Event
from .. import kinds as k
from ..extension import Extension
from ..forms import NUMBER, text_of
from ..option_table import Option, OptionTable
from ..placement import ANYWHERE

if TYPE_CHECKING:
    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context

#: Bytes of a label (struct idletimer_tg_info).
LABEL_LENGTH = 27


@attrs.frozen
class IdleTimer(Target):
    """``-j IDLETIMER --timeout SECONDS --label NAME [--alarm]``."""

    timeout: int
    label: str
    alarm: bool = False  #: whether the timer wakes the system


def meaning(node: IdleTimer, _view: View) -> Effect:
    """The timer of this label runs anew."""
    return Effect(events=(Event("idle timer", (node.label, node.timeout, node.alarm)),))


def lower(_node: IdleTimer, context: Context) -> tuple[s.Statement, ...]:
    """There is no form."""
    raise context.refuse("nft has no timers that notify user space when traffic stops")


EXTENSION = Extension(
    name="IDLETIMER",
    node=IdleTimer,
    options=OptionTable.of(
        Option("--timeout", NUMBER, "timeout", required=True),
        Option("--label", text_of("a label", LABEL_LENGTH, text=str), "label", required=True),
        Option("--alarm", field="alarm"),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(IdleTimer, k.Integers(0, k.FULL), k.Unquoted(LABEL_LENGTH), k.FLAG),
    nft="none: nft has no timers",
    codes=(NO_NFT_FORM,),
)
