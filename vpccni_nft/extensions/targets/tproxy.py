"""TPROXY: give the packet to a transparent socket of this host, without NAT.

Kernel: net/netfilter/xt_TPROXY.c, in the mangle table, in chains that only PREROUTING leads to,
behind ``-p tcp`` or ``-p udp``. Where there is a socket, the packet's mark changes and it is
accepted; else it is dropped. nft_tproxy.c looks for the same socket, and its rule ends where there
is none. So a helper chain has the drop behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...core.values import Address, MaskedMark
from ...iptables.ast import Target
from ...iptables.protocols import TCP, UDP
from ...model.effects import Effect
from ...model.oracle import Oracle, OracleKind
from ...model.packet import ACCEPT, DROP, Event
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import ADDRESS, NEW_MARK, number
from ..option_table import Option, OptionTable
from ..placement import Placement
from ..shared.marks import set_bits, xor_masked

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context

#: A mark is left as it is.
NO_CHANGE = MaskedMark(0, 0)


@attrs.frozen(kw_only=True)
class Tproxy(Target):
    """``-j TPROXY --on-port PORT --on-ip ADDRESS --tproxy-mark VALUE/MASK``."""

    port: int
    address: Address | None = None  #: no bits, or None: the first one of the interface
    mark: MaskedMark = NO_CHANGE


def meaning(node: Tproxy, view: View) -> Effect:
    """nf_tproxy_get_sock: the mark changes and NF_ACCEPT where it finds one, NF_DROP elsewhere."""
    state, algebra = view.state, view.state.algebra
    address = node.address.value if node.address else 0
    ends = (state.fields[name] for name in ("protocol", "saddr", "daddr", "sport", "dport"))
    found = view.says(Oracle(OracleKind.TRANSPARENT_SOCKET, parameters=(address, node.port)), *ends)
    value = state.word("mark", node.mark.value)
    mark = xor_masked(state, state.fields["mark"], node.mark.mask, value)
    return Effect(
        events_where=((found, Event("tproxy", (address, node.port))),),
        assignments=((found, "mark", mark),),
        verdicts=((algebra.not_(found), DROP),),
        verdict=ACCEPT,
    )


def lower(node: Tproxy, context: Context) -> tuple[s.Statement, ...]:
    """Proxy, mark and accept in a helper chain, which drops what comes to its end."""
    protocol = s.Match(x.Meta("l4proto"), "==", x.Protocol(context.protocol or 0))
    address = x.Host(node.address) if node.address and node.address.value else None
    proxy = s.Tproxy(address, node.port)
    mark = set_bits(x.Meta("mark"), node.mark)
    words = (
        context.protocol,
        *((f"{address.address.value:x}",) if address else ()),
        node.port,
        *_mark(node.mark),
    )
    chain = context.helper(
        "-".join(("tproxy", *map(str, words))), (protocol, proxy, *mark, s.Accept()), (s.Drop(),)
    )
    return (s.Jump(chain),)


def _mark(mark: MaskedMark) -> tuple[str, ...]:
    """A part of the helper's name."""
    return () if mark == NO_CHANGE else (f"{mark.value:#x}", f"{mark.mask:#x}")


_NOWHERE = k.OfFamily(lambda family: k.Among((Address(family, 0),)))


EXTENSION = Extension(
    name="TPROXY",
    node=Tproxy,
    options=OptionTable.of(
        Option("--on-port", number(0xFFFF), "port", required=True),
        Option("--on-ip", ADDRESS, "address"),
        Option("--tproxy-mark", NEW_MARK, "mark", always=True),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(tables=("mangle",), hooks=("PREROUTING",), protocols=(TCP, UDP)),
    draw=k.Build(
        Tproxy,
        port=k.SHORT,
        address=_NOWHERE | k.ADDRESS,
        mark=k.OneOf(NO_CHANGE, k.MASKED_MARK),
    ),
    nft="tproxy to ADDRESS:PORT meta mark set ... accept, and drop behind it, in a helper chain",
    codes=(BAD_PLACE,),
)
