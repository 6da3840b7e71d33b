"""connlimit: how many connections an address has, or all addresses of a network together.

Kernel: net/netfilter/xt_connlimit.c, connlimit_mt. Each rule counts on its own, by the masked
address of the packet; the packet's own connection is one of those counted. nft's ``ct count``
(nft_connlimit.c) asks the same list of connections (nf_conncount.c), one for each element of a set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_VALUE, LIMITED_ROOM, Problem
from ...core.values import Address, mask_of_length
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import OracleKind
from ...model.packet import Event
from ...nft import expressions as x
from ...nft import statements as s
from ...nft.ast import Set
from ...nft.expressions import NETWORK_HEADER
from .. import kinds as k
from ..context import ADDRESS_TYPE, DYNAMIC_SET_SIZE
from ..extension import Extension
from ..forms import NUMBER, number
from ..option_table import Option, OptionTable, at_most_one, exactly_one
from ..placement import ANYWHERE

if TYPE_CHECKING:
    from ...core.values import Family
    from ...model.effects import View
    from ..context import Context


@attrs.frozen(kw_only=True)
class Connlimit(Match):
    """``-m connlimit --connlimit-above N`` or ``--connlimit-upto N``."""

    limit: int
    above: bool
    length: int | None = None  #: bits of the address that count; None: all of them
    destination: bool = False  #: the destination's address instead of the source's

    @property
    def draws(self) -> bool:
        """What it answers depends on what it has seen."""
        return True


def meaning(node: Connlimit, view: View) -> Test:
    """More connections than the limit were counted for the masked address."""
    state, algebra = view.state, view.state.algebra
    field, bits = "daddr" if node.destination else "saddr", state.family.bits
    host = (1 << bits - (bits if node.length is None else node.length)) - 1
    key = algebra.bvand(state.fields[field], state.word(field, state.family.all_ones ^ host))
    counted = view.ask_here(OracleKind.CONNECTIONS, width=32)
    few = algebra.ule(counted, algebra.const(node.limit, 32))
    spent = Event("spend", (view.place, "connections"), (key,))
    return Test(algebra.not_(few) if node.above else few, ((algebra.true, spent),))


def lower(node: Connlimit, context: Context) -> tuple[s.UpdateSet, ...]:
    """Count in a set of this rule alone."""
    family = context.family
    if node.length is not None and node.length > family.bits:
        raise Problem(BAD_VALUE, f"an address of {family.title} has {family.bits} bits")
    key: x.Expression = x.Payload(NETWORK_HEADER[family], "daddr" if node.destination else "saddr")
    if node.length is not None and node.length < family.bits:
        mask = Address(family, mask_of_length(family, node.length))
        key = x.Binary("&", key, x.Host(mask))
    context.approximate(
        LIMITED_ROOM,
        f"connections are counted for {DYNAMIC_SET_SIZE} addresses at a time, and beyond them"
        " the rule does not match",
    )
    counted = Set("connlimit", ADDRESS_TYPE[family], ("dynamic",), size=DYNAMIC_SET_SIZE)
    name = context.numbered_set("connlimit", counted)
    return (s.UpdateSet("add", name, key, limit=s.CtCount(node.limit, over=node.above)),)


def _draw(family: Family) -> k.ValueKind:
    return k.Build(
        Connlimit,
        limit=k.NUMBER,
        above=k.FLAG,
        length=k.OneOf(family.bits, k.Integers(0, family.bits)),
        destination=k.FLAG,
    )


EXTENSION = Extension(
    name="connlimit",
    node=Connlimit,
    options=OptionTable.of(
        Option(
            "--connlimit-upto",
            NUMBER,
            ("above", "limit"),
            negatable=True,
            keep=lambda limit: (limit.negated, limit.value),
            show=lambda node: None if node.above else node.limit,
        ),
        Option(
            "--connlimit-above",
            NUMBER,
            ("above", "limit"),
            negatable=True,
            keep=lambda limit: (not limit.negated, limit.value),
            show=lambda node: node.limit if node.above else None,
        ),
        Option("--connlimit-mask", number(128), "length"),
        Option(
            "--connlimit-saddr",
            field="destination",
            keep=lambda _: False,
            show=lambda node: None if node.destination else True,
        ),
        Option("--connlimit-daddr", field="destination"),
        exactly_one("--connlimit-upto", "--connlimit-above"),
        at_most_one("--connlimit-saddr", "--connlimit-daddr"),
        completed=lambda given, family: {"--connlimit-mask": (str(family.bits),)} | given,
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.OfFamily(_draw),
    aim=lambda node, draft: draft.answer_here(
        OracleKind.CONNECTIONS, min(node.limit + node.above, 0xFFFFFFFF)
    ),
    nft="add @connlimit-N { ip saddr|daddr [& MASK] ct count [over] N }",
    codes=(LIMITED_ROOM,),
    uses_conntrack=True,
)
