"""DSCP: the class of service of a packet.

Kernel: net/netfilter/xt_DSCP.c, dscp_tg, in the mangle table only. The two bits for ECN beside it
stay, with nft too, and both mend the checksum of the IPv4 header.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...iptables.ast import Target
from ...model.effects import Effect
from ...nft import expressions as x
from ...nft import statements as s
from ...nft.expressions import NETWORK_HEADER
from .. import kinds as k
from ..extension import Extension
from ..forms import number
from ..option_table import Option, OptionTable, Shorthand
from ..placement import Placement
from ..shared.value_names import dscp_class

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context

#: The largest of six bits.
LARGEST = 0x3F


@attrs.frozen
class SetDscp(Target):
    """``-j DSCP --set-dscp VALUE``."""

    value: int


def meaning(node: SetDscp, view: View) -> Effect:
    """The upper six bits of the byte."""
    state, algebra = view.state, view.state.algebra
    rest = algebra.bvand(state.fields["tos"], state.word("tos", 3))
    tos = algebra.bvor(rest, state.word("tos", node.value << 2))
    return Effect(assignments=((algebra.true, "tos", tos),))


def lower(node: SetDscp, context: Context) -> tuple[s.Statement, ...]:
    """The field of the same name."""
    return (s.Assign(x.Payload(NETWORK_HEADER[context.family], "dscp"), x.Number(node.value)),)


EXTENSION = Extension(
    name="DSCP",
    node=SetDscp,
    options=OptionTable.of(
        Option(
            "--set-dscp",
            number(LARGEST, text=lambda value: f"{value:#04x}"),
            "value",
            required=True,
        ),
        Shorthand("--set-dscp-class", lambda name: ("--set-dscp", dscp_class(name))),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(tables=("mangle",)),
    draw=k.Build(SetDscp, k.Integers(0, LARGEST)),
    nft="ip|ip6 dscp set VALUE",
    codes=(BAD_PLACE,),
)
