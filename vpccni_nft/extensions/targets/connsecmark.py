"""CONNSECMARK: copy the security mark between the packet and its connection.

Kernel: net/netfilter/xt_CONNSECMARK.c, in the tables mangle and security. ``--save`` keeps a mark
that the connection has, and ``--restore`` one that the packet has. nft copies both marks, but
compares neither with zero: it would overwrite what the kernel keeps here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.packet import Event
from .. import kinds as k
from ..extension import Extension
from ..option_table import Option, OptionTable, exactly_one
from ..placement import Placement

if TYPE_CHECKING:
    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context


@attrs.frozen
class ConnSecMark(Target):
    """``-j CONNSECMARK --save`` or ``--restore``."""

    restore: bool


def meaning(node: ConnSecMark, _view: View) -> Effect:
    """secmark_save or secmark_restore; security marks are no fields of packets here."""
    return Effect(events=(Event("security mark", ("restore" if node.restore else "save",)),))


def lower(_node: ConnSecMark, context: Context) -> tuple[s.Statement, ...]:
    """There is no form."""
    raise context.refuse(
        "nft cannot check whether there is a security mark already, and would overwrite it"
    )


EXTENSION = Extension(
    name="CONNSECMARK",
    node=ConnSecMark,
    options=OptionTable.of(
        Option(
            "--save",
            field="restore",
            keep=lambda _: False,
            show=lambda node: None if node.restore else True,
        ),
        Option("--restore", field="restore", show=lambda node: node.restore or None),
        exactly_one("--save", "--restore"),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(tables=("mangle", "security")),
    draw=k.Build(ConnSecMark, k.FLAG),
    nft="none: nft compares no security mark",
    codes=(
        BAD_PLACE,
        NO_NFT_FORM,
    ),
    uses_conntrack=True,
)
