"""Fragments, which have no transport header but the first.

iptables' tcp, udp, sctp, icmp and multiport match no further fragment (xt_tcpudp.c: par->fragoff).
nft reads ``tcp dport`` of such a fragment all the same, from whatever bytes stand there (measured
on Linux 6.18: the fast path of payload expressions does not ask for the offset). So where
fragments can be seen at all, the rule has to ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.values import Family
from ...nft import expressions as x
from ...nft import statements as s
from ..extension import AnyOf, Piece

if TYPE_CHECKING:
    from ..context import Context

#: The bits of ``ip frag-off`` that are the offset; the others are flags.
OFFSET_BITS = 0x1FFF

NOT_FURTHER_FRAGMENT = s.Match(
    x.Binary("&", x.Payload("ip", "frag-off"), x.Hex(OFFSET_BITS)), "==", x.Number(0)
)


def with_transport_header(context: Context) -> tuple[Piece, ...]:
    """The condition that a packet is whole or a first fragment.

    Nothing is checked where conntrack runs: it reassembles fragments at priority -400, before
    any table (nf_defrag_ipv4.c, nf_defrag_ipv6_hooks.c).
    """
    if context.tracked:
        return ()
    if context.family is Family.IP:
        return (NOT_FURTHER_FRAGMENT,)
    no_header = s.Match(x.ExtensionHeader("frag"), "==", x.Symbol("missing"))
    first = s.Match(x.ExtensionHeader("frag", "frag-off"), "==", x.Number(0))
    return (AnyOf(((no_header,), (first,))),)
