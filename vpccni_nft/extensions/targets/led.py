"""LED: let a light blink.

Kernel: net/netfilter/xt_LED.c: a trigger of the LED subsystem. nft has no such statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...core.values import parse_integer
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.packet import Event
from .. import kinds as k
from ..extension import Extension
from ..forms import TEXT
from ..option_table import Form, Option, OptionTable
from ..placement import ANYWHERE

if TYPE_CHECKING:
    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context


@attrs.frozen
class Led(Target):
    """``-j LED --led-trigger-id NAME`` with its options."""

    trigger: str
    delay: int | None = 0  #: milliseconds that it stays on; None: for good
    always_blink: bool = False


def meaning(node: Led, _view: View) -> Effect:
    """The light of the trigger goes on."""
    return Effect(events=(Event("light", (node.trigger, node.delay, node.always_blink)),))


def lower(_node: Led, context: Context) -> tuple[s.Statement, ...]:
    """There is no form."""
    raise context.refuse("nft cannot switch LEDs")


def _parse_delay(text: str) -> int | None:
    return None if text == "inf" else parse_integer(text, 0x7FFFFFFF)


def _delay_text(delay: int | None) -> str:
    return "inf" if delay is None else str(delay)


EXTENSION = Extension(
    name="LED",
    node=Led,
    options=OptionTable.of(
        Option("--led-trigger-id", TEXT, "trigger", required=True),
        Option("--led-delay", Form("MILLISECONDS|inf", _parse_delay, _delay_text), "delay"),
        Option("--led-always-blink", field="always_blink"),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(Led, k.Quoted(20), k.maybe(k.Integers(0, 0x7FFFFFFF)), k.FLAG),
    nft="none: nft knows no LEDs",
    codes=(NO_NFT_FORM,),
)
