"""TOS: the type of service of a packet, or its traffic class in IPv6.

Kernel: net/netfilter/xt_DSCP.c, tos_tg: ``tos = (tos & ~mask) ^ value``, in the mangle table only.
nft writes constants into the six bits of the DSCP and the two of ECN, and mends the checksum of
IPv4 only where it knows these fields. So where some of their bits stay, there is a rule for each
value of those that do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...core.values import parse_integer
from ...iptables.ast import Target
from ...model.effects import Effect
from ...nft import expressions as x
from ...nft.expressions import NETWORK_HEADER
from .. import kinds as k
from ..extension import Extension
from ..option_table import Form, Option, OptionTable, Shorthand
from ..placement import Placement
from ..shared.old_values import Change, in_helper
from ..shared.value_names import tos_text

if TYPE_CHECKING:
    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context

FULL = 0xFF


@attrs.frozen
class SetTos(Target):
    """``-j TOS --set-tos VALUE[/MASK]``."""

    value: int
    mask: int = FULL


def _parse_tos(text: str) -> tuple[int, int]:
    value, slash, mask = tos_text(text).partition("/")
    return parse_integer(value, FULL), parse_integer(mask, FULL) if slash else FULL


def meaning(node: SetTos, view: View) -> Effect:
    """``(tos & ~mask) ^ value``."""
    state, algebra = view.state, view.state.algebra
    kept = algebra.bvand(state.fields["tos"], state.word("tos", FULL ^ node.mask))
    tos = algebra.bvxor(kept, state.word("tos", node.value))
    return Effect(assignments=((algebra.true, "tos", tos),))


def lower(node: SetTos, context: Context) -> tuple[s.Statement, ...]:
    """Set each of the two fields, at once or in a helper chain."""
    header = NETWORK_HEADER[context.family]
    keep = FULL ^ node.mask
    dscp = Change(x.Payload(header, "dscp"), 6, keep >> 2, node.value >> 2)
    ecn = Change(x.Payload(header, "ecn"), 2, keep & 3, node.value & 3)
    return (*dscp.at_once(), *ecn.at_once(), *in_helper(context, dscp, ecn))


EXTENSION = Extension(
    name="TOS",
    node=SetTos,
    options=OptionTable.of(
        Option(
            "--set-tos",
            Form("VALUE[/MASK]", _parse_tos, lambda tos: f"{tos[0]:#04x}/{tos[1]:#04x}"),
            ("value", "mask"),
            required=True,
        ),
        Shorthand("--or-tos", lambda text: ("--set-tos", f"{text}/{text}")),
        Shorthand("--xor-tos", lambda text: ("--set-tos", f"{text}/0")),
        Shorthand(
            "--and-tos",
            lambda text: ("--set-tos", f"0/{parse_integer(text, FULL) ^ FULL}"),
        ),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(tables=("mangle",)),
    draw=k.Build(SetTos, k.BYTE) | k.Build(SetTos, k.BYTE, k.OneOf(k.BYTE, 0x3F)),
    nft="ip|ip6 dscp set VALUE, ip|ip6 ecn set VALUE; a rule for each old value in a helper chain",
    codes=(BAD_PLACE,),
)
