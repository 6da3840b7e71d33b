"""udp: ports.

Kernel: net/netfilter/xt_tcpudp.c, udp_mt. A fragment without a header does not match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...iptables.ast import Match
from ...iptables.protocols import UDP
from ...model.effects import Test
from .. import kinds as k
from ..extension import Extension
from ..option_table import OptionTable
from ..placement import Placement
from ..shared.fragments import with_transport_header
from ..shared.ports import PORT_OPTIONS, lower_ports, ports_fit

if TYPE_CHECKING:
    from ...core.values import Negatable, PortRange
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece


@attrs.frozen(kw_only=True)
class Udp(Match):
    """``-m udp``, with ports or without."""

    source_port: Negatable[PortRange] | None = None
    destination_port: Negatable[PortRange] | None = None


def meaning(node: Udp, view: View) -> Test:
    """There is a header, and both ports are as asked."""
    return Test(ports_fit(view, node.source_port, node.destination_port))


def lower(node: Udp, context: Context) -> tuple[Piece, ...]:
    """The same comparisons, where there is a header."""
    ports = lower_ports("udp", node.source_port, node.destination_port)
    return (*with_transport_header(context), *ports)


def aim(node: Udp, draft: Draft) -> None:
    """Ports that fit."""
    draft.fit("sport", node.source_port)
    draft.fit("dport", node.destination_port)


EXTENSION = Extension(
    name="udp",
    node=Udp,
    options=OptionTable.of(*PORT_OPTIONS),
    meaning=meaning,
    lower=lower,
    placement=Placement(protocols=(UDP,)),
    draw=k.Build(Udp, source_port=k.PORT_TEST, destination_port=k.PORT_TEST),
    aim=aim,
    edges=lambda node: {"sport": node.source_port, "dport": node.destination_port},
    nft="udp sport, udp dport",
    codes=(BAD_PLACE,),
)
