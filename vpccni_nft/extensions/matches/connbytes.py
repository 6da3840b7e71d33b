"""connbytes: how many packets or bytes the packet's connection has had.

Kernel: net/netfilter/xt_connbytes.c, connbytes_mt. A connection that the kernel does not count for
(one that began before anything asked for counts) never matches, where nft reads zero. Every
connection that is counted has had a packet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...core.values import Negatable, parse_integer
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import choice
from ..option_table import Form, Option, OptionTable
from ..placement import ANYWHERE
from ..shared.compare import NEVER, equality
from ..shared.number_ranges import NumberRange

if TYPE_CHECKING:
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context

LARGEST = (1 << 64) - 1

#: nft's keys, by what iptables counts.
MODES = {"packets": "packets", "bytes": "bytes", "avgpkt": "avgpkt"}
#: nft's directions.
DIRECTIONS = {"original": "original", "reply": "reply", "both": ""}

#: True of connections that are counted.
COUNTED = s.Match(x.Ct("packets"), ">", x.Number(0))


@attrs.frozen(kw_only=True)
class ConnBytes(Match):
    """``-m connbytes [!] --connbytes FIRST[:LAST] --connbytes-mode MODE --connbytes-dir WAY``."""

    count: Negatable[NumberRange]
    mode: str  #: ``packets``, ``bytes`` or ``avgpkt``
    direction: str  #: ``original``, ``reply`` or ``both``


def _without_idle_negation(count: Negatable[NumberRange]) -> Negatable[NumberRange]:
    """libxt_connbytes swaps the ends for a "!", which says nothing of one number."""
    return Negatable(count.value) if count.value.first == count.value.last else count


def _count_text(count: NumberRange) -> str:
    """An open end is not printed."""
    return str(count.first) if count.last == LARGEST else f"{count.first}:{count.last}"


def _parse_count(text: str) -> NumberRange:
    first, colon, last = text.partition(":")
    low = parse_integer(first, LARGEST) if first else 0
    # What iptables-save prints as one number has no end.
    high = parse_integer(last, LARGEST) if colon and last else LARGEST
    if low > high:
        raise ValueError(f"the range {text} ends before it starts")
    return NumberRange(low, high)


def meaning(node: ConnBytes, view: View) -> Test:
    """There is an entry, it is counted, and its count is in the range."""
    state, algebra = view.state, view.state.algebra
    packets = view.ask(Oracle(OracleKind.TRAFFIC, "both ways", ("packets",)), width=64)
    way = "both ways" if node.direction == "both" else node.direction
    count = view.ask(Oracle(OracleKind.TRAFFIC, way, (node.mode,)), width=64)
    first, last = (
        algebra.const(end, 64) for end in (node.count.value.first, node.count.value.last)
    )
    inside = algebra.all(algebra.ule(first, count), algebra.ule(count, last))
    return Test(
        algebra.all(
            state.has_entry,
            algebra.not_(algebra.equal(packets, algebra.const(0, 64))),
            view.negate(inside, negated=node.count.negated),
        )
    )


def lower(node: ConnBytes, context: Context) -> tuple[s.Match, ...]:
    """Compare the count; where zero would fit, ask first whether there is one."""
    count, negated = node.count.value, node.count.negated
    if count == NumberRange(0, LARGEST) and not negated:
        raise context.refuse(
            "iptables-save prints --connbytes 0 for 0:0 as well: it is unclear which one this is",
            "write 0:0, or remove the match if any count will do",
        )
    left = x.Ct(MODES[node.mode], DIRECTIONS[node.direction])
    zero_fits = (count.first == 0) is not negated
    return ((COUNTED,) if zero_fits else ()) + _compare(left, count, negated=negated)


def _compare(left: x.Ct, count: NumberRange, *, negated: bool) -> tuple[s.Match, ...]:
    first, last = x.Number(count.first), x.Number(count.last)
    if count == NumberRange(0, LARGEST):
        # It asks for the connection all the same, which makes the kernel track connections.
        return (COUNTED, NEVER)
    if count.last == LARGEST:
        return (s.Match(left, "<" if negated else ">=", first),)
    right = first if first == last else x.Range(first, last)
    return (s.Match(left, equality(negated=negated), right),)


_COUNTS = k.OneOf(
    k.Integers(0, 3000).map(lambda first: NumberRange(first, LARGEST)),
    k.number_ranges(3000),
    k.number_ranges(LARGEST),
)
#: A ``!`` before one number says nothing.
_DRAW = k.Build(
    ConnBytes,
    count=k.negatable(_COUNTS),
    mode=k.Among(MODES),
    direction=k.Among(DIRECTIONS),
).filter(lambda node: not node.count.negated or node.count.value.first != node.count.value.last)


def _traffic(node: ConnBytes) -> Oracle:
    way = "both ways" if node.direction == "both" else node.direction
    return Oracle(OracleKind.TRAFFIC, way, (node.mode,))


def aim(node: ConnBytes, draft: Draft) -> None:
    """A connection that has counted something, and as much as is asked for."""
    draft.fit_entry()
    draft.answer(Oracle(OracleKind.TRAFFIC, "both ways", ("packets",)), 1)
    count = draft.pick(node.count, 64)
    if not count:
        count = node.count.value.last + node.count.negated & LARGEST
    draft.answer(_traffic(node), count)


EXTENSION = Extension(
    name="connbytes",
    node=ConnBytes,
    options=OptionTable.of(
        Option(
            "--connbytes",
            Form("FIRST[:LAST]", _parse_count, _count_text),
            "count",
            negatable=True,
            required=True,
            keep=_without_idle_negation,
        ),
        Option("--connbytes-mode", choice(*MODES), "mode", required=True),
        Option("--connbytes-dir", choice(*DIRECTIONS), "direction", required=True),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=_DRAW,
    aim=aim,
    edges=lambda node: {_traffic(node): node.count},
    nft="ct [original|reply] packets|bytes|avgpkt FIRST-LAST",
    codes=(NO_NFT_FORM,),
    uses_conntrack=True,
    reads_entry=lambda _node: True,
)
