"""CHECKSUM: fill in the checksum that the network card would have filled in.

Kernel: net/netfilter/xt_CHECKSUM.c, in the mangle table only: skb_checksum_help for a packet whose
checksum is not there yet. nft has no statement that computes a checksum.

To clear that of UDP over IPv4 (``udp checksum set 0``: none) would be worse than no rule. Until the
checksum is computed its field holds the sum of addresses and ports. Without that, whoever computes
it later gets a wrong one, and the receiver drops the packet: measured on what comes from a veth and
leaves by a device that leaves checksums to the kernel.
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
from ..option_table import Option, OptionTable
from ..placement import Placement

if TYPE_CHECKING:
    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context


@attrs.frozen
class Checksum(Target):
    """``-j CHECKSUM --checksum-fill``."""


def meaning(_node: Checksum, _view: View) -> Effect:
    """skb_checksum_help where the checksum is still to be computed."""
    return Effect(events=(Event("fill checksum"),))


def lower(_node: Checksum, context: Context) -> tuple[s.Statement, ...]:
    """There is no form."""
    raise context.refuse(
        "nft has no statement that fills in a checksum, and clearing one can make it wrong",
        "programs that need it read packets past the network stack, such as old DHCP clients",
    )


EXTENSION = Extension(
    name="CHECKSUM",
    node=Checksum,
    options=OptionTable.of(Option("--checksum-fill", required=True)),
    meaning=meaning,
    lower=lower,
    placement=Placement(tables=("mangle",)),
    draw=k.Build(Checksum),
    nft="none: nft cannot compute a checksum",
    codes=(
        BAD_PLACE,
        NO_NFT_FORM,
    ),
)
