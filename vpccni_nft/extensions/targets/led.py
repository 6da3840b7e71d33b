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
from ..placement import ANYWHERE
from ..shared.words import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context
    from ..options import Options


@attrs.frozen
class Led(Target):
    """``-j LED --led-trigger-id NAME`` with its options."""

    trigger: str
    delay: int | None = 0  #: milliseconds that it stays on; None: for good
    always_blink: bool = False


def build(options: Options) -> Led:
    """Read the options."""
    delay = options.value("--led-delay", _parse_delay)
    return Led(
        options.required("--led-trigger-id", str),
        (delay if delay >= 0 else None) if delay is not None else 0,
        options.flag("--led-always-blink"),
    )


def _parse_delay(text: str) -> int:
    return -1 if text == "inf" else parse_integer(text, 0x7FFFFFFF)


def save(node: Led) -> Iterator[str]:
    """Write the options; no delay is not printed."""
    yield from ("--led-trigger-id", quote(node.trigger))
    if node.delay != 0:
        yield from ("--led-delay", "inf" if node.delay is None else str(node.delay))
    if node.always_blink:
        yield "--led-always-blink"


def meaning(node: Led, _view: View) -> Effect:
    """The light of the trigger goes on."""
    return Effect(events=(Event("light", (node.trigger, node.delay, node.always_blink)),))


def lower(_node: Led, context: Context) -> tuple[s.Statement, ...]:
    """There is no form."""
    raise context.refuse("nft cannot switch lights")


EXTENSION = Extension(
    name="LED",
    node=Led,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(Led, k.Quoted(20), k.maybe(k.Integers(0, 0x7FFFFFFF)), k.FLAG),
    nft="none: nft knows no lights",
    codes=(NO_NFT_FORM,),
)
