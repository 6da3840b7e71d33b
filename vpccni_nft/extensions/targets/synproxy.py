"""SYNPROXY: answer TCP handshakes, and let a connection through only when it is made.

Kernel: net/ipv4/netfilter/ipt_SYNPROXY.c and net/ipv6/netfilter/ip6t_SYNPROXY.c, in chains that
only INPUT and FORWARD lead to, behind ``-p tcp``. A SYN alone is answered, an ACK alone is checked;
both end here. nft_synproxy.c takes every packet with one of the two flags, so the rule asks for
them alone. xt_SYNPROXY drops packets with a bad checksum or malformed options besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...core.values import Family
from ...iptables.ast import Target
from ...iptables.protocols import TCP
from ...model.effects import Effect
from ...model.packet import TCP_FLAGS, Verdict
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import number
from ..option_table import Option, OptionTable
from ..placement import Placement
from ..shared.words import flags

if TYPE_CHECKING:
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context


@attrs.frozen(kw_only=True)
class Synproxy(Target):
    """``-j SYNPROXY`` with its options: what of the client's the server may have."""

    sack: bool = False
    timestamp: bool = False
    wscale: int | None = None
    mss: int | None = None
    ecn: bool = False


def meaning(node: Synproxy, view: View) -> Effect:
    """SYN without ACK, FIN and RST, or ACK without the other three: the packet ends here."""
    state = view.state
    watched = sum(TCP_FLAGS[name] for name in ("fin", "syn", "rst", "ack"))
    taken = state.algebra.any(
        *(state.is_("tcp_flags", TCP_FLAGS[name], watched) for name in ("syn", "ack"))
    )
    offered = (
        (f"mss {node.mss}", node.mss is not None),
        (f"wscale {node.wscale}", node.wscale is not None),
        ("ecn", node.ecn),
        ("sack-perm", node.sack),
        ("timestamp", node.timestamp),
    )
    words = " ".join(word for word, is_offered in offered if is_offered)
    return Effect(verdicts=((taken, Verdict("synproxy", words)),))


def lower(node: Synproxy, context: Context) -> tuple[s.Statement, ...]:
    """The statement of the same name, for a SYN alone and an ACK alone."""
    if context.family is Family.IP6:
        # nft_synproxy.c, nft_synproxy_do_eval: nf_ip_checksum, whatever the family. Measured.
        raise context.refuse(
            "nft checks the TCP checksum of an IPv6 packet as if it were IPv4, and drops the packet"
            " unless the network card has checked it"
        )
    if node.ecn:
        raise context.refuse("nft's synproxy does not know ECN")
    watched = x.Binary("&", x.Payload("tcp", "flags"), x.Flags(("fin", "syn", "rst", "ack")))
    either = x.AnonymousSet((x.Flags(("syn",)), x.Flags(("ack",))))
    words = flags(("timestamp", node.timestamp), ("sack-perm", node.sack))
    return (s.Match(watched, "==", either), s.Synproxy(node.mss, node.wscale, tuple(words)))


def aim(_node: Synproxy, draft: Draft) -> None:
    """The start of a connection, mostly."""
    draft.fields["tcp_flags"] = TCP_FLAGS[draft.random.choice(("syn", "ack", "syn", "fin"))]


EXTENSION = Extension(
    name="SYNPROXY",
    node=Synproxy,
    options=OptionTable.of(
        Option("--sack-perm", field="sack"),
        Option("--timestamp", field="timestamp"),
        Option("--wscale", number(14), "wscale"),
        Option("--mss", number(0xFFFF), "mss"),
        Option("--ecn", field="ecn"),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(hooks=("INPUT", "FORWARD"), protocols=(TCP,)),
    draw=k.Build(
        Synproxy,
        sack=k.FLAG,
        timestamp=k.FLAG,
        wscale=k.maybe(k.Integers(0, 14)),
        mss=k.maybe(k.SHORT),
        ecn=k.Among((False, False, False, True)),
    ),
    aim=aim,
    nft="tcp flags & (fin | syn | rst | ack) == { syn, ack } synproxy OPTIONS",
    codes=(
        BAD_PLACE,
        NO_NFT_FORM,
    ),
    uses_conntrack=True,
)
