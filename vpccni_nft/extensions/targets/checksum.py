"""CHECKSUM: fill in the checksum that the network card would have filled in.

Kernel: net/netfilter/xt_CHECKSUM.c, in the mangle table only: skb_checksum_help for a packet whose
checksum is not there yet. nft has no statement that computes a checksum, so the rule only counts.
Whoever sends the packet on computes it; until then it is wrong for programs that read packets past
the network stack, and do not look whether it is there.

To clear that of UDP over IPv4 (``udp checksum set 0``: none) would be worse than no rule: see
docs/decisions/0008-checksums-are-left-to-the-device.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, LATE_CHECKSUM
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
    """Nothing: the device does it."""
    context.approximate(
        LATE_CHECKSUM,
        "nft does not fill in a checksum: programs that read packets past the network stack, such"
        " as old DHCP clients, may find a wrong one",
    )
    return ()


EXTENSION = Extension(
    name="CHECKSUM",
    node=Checksum,
    options=OptionTable.of(Option("--checksum-fill", required=True)),
    meaning=meaning,
    lower=lower,
    placement=Placement(tables=("mangle",)),
    draw=k.Build(Checksum),
    nft="counter; the device computes it",
    codes=(
        BAD_PLACE,
        LATE_CHECKSUM,
    ),
)
