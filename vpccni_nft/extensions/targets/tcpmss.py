"""TCPMSS: make the largest segment that a TCP SYN announces smaller, never larger.

Kernel: net/netfilter/xt_TCPMSS.c, for a rule that asks for SYN; ``--clamp-mss-to-pmtu`` in chains
that only FORWARD, OUTPUT and POSTROUTING lead to. nft_exthdr.c does not enlarge it either, and
nft_rt.c takes the smaller MTU of both ways, too. What differs: iptables adds the option where it is
missing, drops packets where the MTU is no more than the headers, and takes an MTU above 65535 (of
the loopback interface) as it is; nft then takes a size of 536.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, MSS_OPTION
from ...iptables.ast import Target
from ...iptables.protocols import TCP
from ...model.effects import Effect
from ...model.oracle import ROUTE, Oracle, OracleKind
from ...model.packet import Event
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..edges import around
from ..extension import Extension
from ..forms import number
from ..option_table import Option, OptionTable, exactly_one
from ..placement import ANYWHERE, LEAVES_BY, Placement

if TYPE_CHECKING:
    from ...core.values import Family
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context

#: The largest size that iptables takes: a packet less its headers.
LARGEST = 65515


@attrs.frozen
class SetMss(Target):
    """``-j TCPMSS --set-mss SIZE`` or ``--clamp-mss-to-pmtu``."""

    size: int | None = None  #: None: what the path takes


def meaning(node: SetMss, view: View) -> Effect:
    """tcpmss_mangle_packet, where the path's MTU is usual.

    Of a packet without the option it is only known that it may be another one afterwards.
    """
    state, algebra = view.state, view.state.algebra
    if node.size is None:
        ends = (state.fields["saddr"], state.fields["daddr"])
        new = view.ask_since(ROUTE, Oracle(OracleKind.PATH_SEGMENT), *ends, width=16)
    else:
        new = state.word("mss", node.size)
    shrinks = algebra.all(
        state.is_("protocol", TCP),
        state.is_("fragment", 0),
        state.is_("has_mss", 1),
        algebra.not_(algebra.ule(state.fields["mss"], new)),
    )
    grows = algebra.all(view.where, state.is_("protocol", TCP), state.is_("has_mss", 0))
    state.use(grows, Event("option", (), (new,)))
    return Effect(assignments=((shrinks, "mss", new),))


def lower(node: SetMss, context: Context) -> tuple[s.Statement, ...]:
    """Set the option's field, which nft does not enlarge."""
    message = "iptables adds the option to a SYN that has none; nft leaves such a packet alone"
    if node.size is None:
        message += ", and takes 536 where the MTU is above 65535 or no more than the headers"
    context.approximate(MSS_OPTION, message)
    new = x.Rt("mtu") if node.size is None else x.Number(node.size)
    return (s.Assign(x.TcpOption("maxseg", "size"), new),)


def _needs(node: SetMss, _family: Family) -> Placement:
    """tcpmss_tg4_check."""
    if node.size is None:
        return Placement(hooks=LEAVES_BY, subject="TCPMSS with --clamp-mss-to-pmtu")
    return ANYWHERE


def aim(_node: SetMss, draft: Draft) -> None:
    """A packet that has such an option."""
    draft.fields["has_mss"] = 1


EXTENSION = Extension(
    name="TCPMSS",
    node=SetMss,
    options=OptionTable.of(
        Option("--set-mss", number(LARGEST), "size"),
        Option(
            "--clamp-mss-to-pmtu",
            field="size",
            keep=lambda _: None,
            show=lambda node: True if node.size is None else None,
        ),
        exactly_one("--set-mss", "--clamp-mss-to-pmtu"),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(protocols=(TCP,)),
    needs=_needs,
    draw=k.Build(SetMss, k.OneOf(None, k.Integers(536, 1460), k.Integers(0, LARGEST))),
    aim=aim,
    edges=lambda node: {"mss": around(node.size)},
    nft="tcp option maxseg size set SIZE; tcp option maxseg size set rt mtu",
    codes=(
        BAD_PLACE,
        MSS_OPTION,
    ),
)
