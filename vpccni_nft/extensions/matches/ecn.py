"""ecn: the congestion bits of the IP header, and those of the TCP header.

Kernel: net/netfilter/xt_ecn.c. It reads the TCP flags of a further fragment too, from whatever
bytes stand there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, WHOLE_PACKETS
from ...iptables.ast import Match
from ...iptables.protocols import TCP
from ...model.effects import Test
from ...model.packet import TCP_FLAGS
from ...nft import expressions as x
from ...nft import statements as s
from ...nft.expressions import NETWORK_HEADER
from .. import kinds as k
from ..extension import Extension
from ..forms import number
from ..option_table import Option, OptionTable, at_least_one
from ..placement import ANYWHERE, Placement
from ..shared.compare import equality
from ..shared.fragments import with_transport_header
from ..shared.number_ranges import NumberRange

if TYPE_CHECKING:
    from ...core.values import Family, Negatable
    from ...model.algebra import Bool
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece

LARGEST = 3


@attrs.frozen(kw_only=True)
class Ecn(Match):
    """``-m ecn`` with at least one of its options."""

    ece: Negatable[bool] | None = None
    cwr: Negatable[bool] | None = None
    ip: Negatable[int] | None = None


def meaning(node: Ecn, view: View) -> Test:
    """The flags are set or, after a ``!``, are not; and so are the bits of the IP header."""
    state, algebra = view.state, view.state.algebra
    fits = []
    if node.ip:
        fits.append(view.negate(state.is_("tos", node.ip.value, 3), negated=node.ip.negated))
    # The bytes of a further fragment are no flags.
    fits += [
        algebra.all(state.is_("fragment", 0), _is_set(view, name, test))
        for name, test in (("ecn", node.ece), ("cwr", node.cwr))
        if test
    ]
    return Test(algebra.all(*fits))


def _is_set(view: View, name: str, test: Negatable[bool]) -> Bool:
    return view.negate(view.state.has_bits("tcp_flags", TCP_FLAGS[name]), negated=test.negated)


def lower(node: Ecn, context: Context) -> tuple[Piece, ...]:
    """The same comparisons."""
    flags = tuple((name, test) for name, test in (("ecn", node.ece), ("cwr", node.cwr)) if test)
    if flags and not context.tracked:
        context.approximate(WHOLE_PACKETS, "iptables reads bytes of a later fragment as TCP flags")
    return (
        *_lower_ip(node.ip, context),
        *(with_transport_header(context) if flags else ()),
        *(_compare_flag(name, test) for name, test in flags),
    )


def _lower_ip(test: Negatable[int] | None, context: Context) -> tuple[s.Match, ...]:
    if not test:
        return ()
    field = x.Payload(NETWORK_HEADER[context.family], "ecn")
    return (s.Match(field, equality(negated=test.negated), x.Number(test.value)),)


def _compare_flag(name: str, test: Negatable[bool]) -> s.Match:
    flag = x.Flags((name,))
    masked = x.Binary("&", x.Payload("tcp", "flags"), flag)
    return s.Match(masked, "==", x.Hex(0) if test.negated else flag)


def _needs(node: Ecn, _family: Family) -> Placement:
    """ecn_mt_check4, ecn_mt_check6."""
    if node.ece or node.cwr:
        return Placement(protocols=(TCP,), subject="ecn with flags of TCP")
    return ANYWHERE


def aim(node: Ecn, draft: Draft) -> None:
    """Bits that fit."""
    if node.ip:
        draft.fit_bits("tos", node.ip.value, 3, negated=node.ip.negated)
    for name, test in (("ecn", node.ece), ("cwr", node.cwr)):
        if test:
            flag = TCP_FLAGS[name]
            draft.fit_bits("tcp_flags", flag, flag, negated=test.negated)


EXTENSION = Extension(
    name="ecn",
    node=Ecn,
    options=OptionTable.of(
        Option("--ecn-tcp-ece", field="ece", negatable=True),
        Option("--ecn-tcp-cwr", field="cwr", negatable=True),
        Option("--ecn-ip-ect", number(LARGEST), "ip", negatable=True),
        at_least_one("--ecn-tcp-ece", "--ecn-tcp-cwr", "--ecn-ip-ect"),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    needs=_needs,
    draw=k.Build(
        Ecn,
        ece=k.maybe_negated(True),
        cwr=k.maybe_negated(True),
        ip=k.maybe_negated(k.Integers(0, LARGEST)),
    ).filter(lambda node: node != Ecn()),
    aim=aim,
    edges=lambda _node: {
        "tos": NumberRange(0, 3),
        "tcp_flags": NumberRange(TCP_FLAGS["ecn"], TCP_FLAGS["cwr"]),
    },
    nft="ip ecn, ip6 ecn, tcp flags",
    codes=(BAD_PLACE, WHOLE_PACKETS),
)
