"""CLASSIFY: the class in which traffic control sends the packet.

Kernel: net/netfilter/xt_CLASSIFY.c, in chains that only FORWARD, OUTPUT and POSTROUTING lead to:
``skb->priority = class``, as nft_meta_set_eval does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ...iptables.ast import Target
from ...model.effects import Effect
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..option_table import Form, Option, OptionTable
from ..placement import LEAVES_BY, Placement

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context


@attrs.frozen
class Classify(Target):
    """``-j CLASSIFY --set-class MAJOR:MINOR``."""

    major: int
    minor: int


def _parse_class(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9A-Fa-f]{1,4}):([0-9A-Fa-f]{1,4})", text)
    if not found:
        raise ValueError(f"“{text}” is not a class such as 1:ffff")
    return int(found[1], 16), int(found[2], 16)


def meaning(node: Classify, view: View) -> Effect:
    """The priority of the packet."""
    state = view.state
    priority = state.word("priority", node.major << 16 | node.minor)
    return Effect(assignments=((state.algebra.true, "priority", priority),))


def lower(node: Classify, _context: Context) -> tuple[s.Statement, ...]:
    """The same number; nft writes it as a class as well, with words for two of them."""
    return (s.Assign(x.Meta("priority"), x.Hex(node.major << 16 | node.minor)),)


EXTENSION = Extension(
    name="CLASSIFY",
    node=Classify,
    options=OptionTable.of(
        # Four digits a part (libxt_CLASSIFY 1.8.9).
        Option(
            "--set-class",
            Form("MAJOR:MINOR", _parse_class, lambda parts: f"{parts[0]:04x}:{parts[1]:04x}"),
            ("major", "minor"),
            required=True,
        ),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(hooks=LEAVES_BY),
    draw=k.Build(Classify, k.SHORT, k.SHORT),
    nft="meta priority set CLASS",
)
