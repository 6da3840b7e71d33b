"""TEE: send a copy of the packet to a neighbour, and on with the next rule.

Kernel: net/netfilter/xt_TEE.c. nf_dup_ipv4.c and nf_dup_ipv6.c send the copy, for nft too. xt_TEE
follows the name of ``--oif``; nft looks it up once, when the script is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import LASTING_DEVICE, NO_NFT_FORM
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.packet import Event
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import ADDRESS, text_of
from ..option_table import Option, OptionTable
from ..placement import ANYWHERE

if TYPE_CHECKING:
    from ...core.values import Address
    from ...model.effects import View
    from ..context import Context

#: Bytes of an interface's name.
NAME_LENGTH = 15


@attrs.frozen
class Tee(Target):
    """``-j TEE --gateway ADDRESS [--oif NAME]``."""

    gateway: Address
    device: str = ""


def meaning(node: Tee, _view: View) -> Effect:
    """nf_dup_ipv4 or nf_dup_ipv6."""
    return Effect(events=(Event("dup", (node.gateway.value, node.device)),))


def lower(node: Tee, context: Context) -> tuple[s.Statement, ...]:
    """The statement for it; a device has to be there when the script is loaded."""
    if node.device:
        if not node.device.isprintable() or any(char in node.device for char in '"*\\'):
            raise context.refuse(f"nft cannot write the interface name {node.device!r}")
        context.approximate(
            LASTING_DEVICE, f"nft looks up {node.device} once, when the script is loaded"
        )
    return (s.Dup(x.Host(node.gateway), node.device),)


EXTENSION = Extension(
    name="TEE",
    node=Tee,
    options=OptionTable.of(
        Option("--gateway", ADDRESS, "gateway", required=True),
        Option("--oif", text_of("the name of an interface", NAME_LENGTH, text=str), "device"),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(Tee, k.ADDRESS, k.OneOf("", "", k.Unquoted(NAME_LENGTH))),
    nft="dup to ADDRESS device NAME",
    codes=(
        LASTING_DEVICE,
        NO_NFT_FORM,
    ),
)
