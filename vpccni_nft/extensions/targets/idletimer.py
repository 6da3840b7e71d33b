"""IDLETIMER: start a timer anew, which tells user space when no packet came for a while.

Kernel: net/netfilter/xt_IDLETIMER.c: a file in sysfs for each label. nft has no such timer.
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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context
    from ..options import Options

#: Bytes of a label (struct idletimer_tg_info).
LABEL_LENGTH = 27


@attrs.frozen
class IdleTimer(Target):
    """``-j IDLETIMER --timeout SECONDS --label NAME [--alarm]``."""

    timeout: int
    label: str
    alarm: bool = False  #: whether the timer wakes the system


def build(options: Options) -> IdleTimer:
    """Read the options."""
    return IdleTimer(
        options.required("--timeout", lambda text: parse_integer(text, 0xFFFFFFFF)),
        options.required("--label", _parse_label),
        options.flag("--alarm"),
    )


def _parse_label(text: str) -> str:
    if len(text.encode("utf-8", "surrogateescape")) > LABEL_LENGTH:
        raise ValueError(f"a label has at most {LABEL_LENGTH} bytes")
    return text


def save(node: IdleTimer) -> Iterator[str]:
    """Write the options."""
    yield from ("--timeout", str(node.timeout), "--label", node.label)
    if node.alarm:
        yield "--alarm"


def meaning(node: IdleTimer, _view: View) -> Effect:
    """The timer of this label runs anew."""
    return Effect(events=(Event("idle timer", (node.label, node.timeout, node.alarm)),))


def lower(_node: IdleTimer, context: Context) -> tuple[s.Statement, ...]:
    """There is no form."""
    raise context.refuse("nft has no timers that tell user space when traffic stops")


EXTENSION = Extension(
    name="IDLETIMER",
    node=IdleTimer,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(IdleTimer, k.Integers(0, k.FULL), k.Unquoted(LABEL_LENGTH), k.FLAG),
    nft="none: nft has no timers",
    codes=(NO_NFT_FORM,),
)
