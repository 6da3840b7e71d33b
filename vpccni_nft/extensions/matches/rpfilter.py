"""rpfilter: whether an answer to the packet would leave through the interface that it came by.

Kernel: net/ipv4/netfilter/ipt_rpfilter.c, net/ipv6/netfilter/ip6t_rpfilter.c; nft's ``fib ... oif``
is in nft_fib_ipv4.c and nft_fib_ipv6.c beside them. Compared packet by packet on Linux 6.18, they
agree but for these, where nft

- for IPv4 takes a source that is a subnet's broadcast address for one with a route;
- for IPv6 looks, of several routes to one prefix, only at the best one, where the match takes any
  that leaves through the interface (not with ``--loose``), and looks for a route to ``::``, where
  the match needs none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM, REVERSE_PATH
from ...core.values import Family
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind
from ...model.packet import ADDRESS_TYPES
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import AnyOf, Extension
from ..option_table import Option, OptionTable
from ..placement import Placement
from ..shared.compare import equality

if TYPE_CHECKING:
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece

_DIFFERENCES = {
    Family.IP: "nft finds a route to a source that is a subnet's broadcast address",
    Family.IP6: "nft looks only at the best route to the source, and for one even to ::",
}


@attrs.frozen(kw_only=True)
class RpFilter(Match):
    """``-m rpfilter`` with any of its options."""

    loose: bool = False  #: a route through any interface will do
    validmark: bool = False  #: look it up with the packet's mark
    accept_local: bool = False  #: an address of the node itself will do
    invert: bool = False


def meaning(node: RpFilter, view: View) -> Test:
    """There is a route back, through the interface that it came by unless loose, or to itself."""
    state, algebra = view.state, view.state.algebra
    source = state.fields["saddr"]
    mark = state.fields["mark"] if node.validmark else state.word("mark", 0)
    interface = state.word("iif", 0) if node.loose else state.fields["iif"]
    asked = (source, mark, interface, *state.routed_by)
    found = view.says(Oracle(OracleKind.ROUTE_BACK), *asked)
    if node.accept_local and state.family is Family.IP:
        type_ = view.ask(Oracle(OracleKind.FIB_TYPE), source, interface, width=8)
        local = algebra.equal(type_, algebra.const(ADDRESS_TYPES["local"], 8))
        found = algebra.any(found, local)
    elif node.accept_local:
        found = algebra.any(found, view.says(Oracle(OracleKind.ROUTE_BACK_TO_ITSELF), *asked))
    return Test(view.negate(found, negated=node.invert))


def lower(node: RpFilter, context: Context) -> tuple[Piece, ...]:
    """Look for the route back, and for the source among the node's own addresses."""
    if node.accept_local and context.family is Family.IP6:
        raise context.refuse(
            "for IPv6 nft and rpfilter differ in which addresses are the node's own"
        )
    context.approximate(REVERSE_PATH, _DIFFERENCES[context.family])
    interface = () if node.loose else ("iif",)
    mark = ("mark",) if node.validmark else ()
    route = x.Fib(("saddr", *mark, *interface), "oif")
    found = s.Match(route, "==", x.Symbol("exists"))
    missing = s.Match(route, "==", x.Symbol("missing"))
    if not node.accept_local:
        return (missing if node.invert else found,)
    local = s.Match(
        x.Fib(("saddr", *interface), "type"), equality(negated=node.invert), x.Symbol("local")
    )
    return (missing, local) if node.invert else (AnyOf(((found,), (missing, local))),)


def aim(node: RpFilter, draft: Draft) -> None:
    """A source with a route back, or with none, not even to the node itself."""
    source = draft.fields["saddr"]
    mark = draft.fields["mark"] if node.validmark else 0
    interface = 0 if node.loose else draft.fields["iif"]
    asked = (source, mark, interface, *draft.routed_by)
    draft.answer(OracleKind.ROUTE_BACK, not node.invert, *asked)
    if node.invert:
        draft.answer(OracleKind.ROUTE_BACK_TO_ITSELF, 0, *asked)
        draft.answer(OracleKind.FIB_TYPE, ADDRESS_TYPES["unicast"], source, interface)


EXTENSION = Extension(
    name="rpfilter",
    node=RpFilter,
    options=OptionTable.of(
        Option("--loose", field="loose"),
        Option("--validmark", field="validmark"),
        Option("--accept-local", field="accept_local"),
        Option("--invert", field="invert"),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(tables=("raw", "mangle"), hooks=("PREROUTING",)),
    draw=k.Build(RpFilter, loose=k.FLAG, validmark=k.FLAG, accept_local=k.FLAG, invert=k.FLAG),
    aim=aim,
    nft="fib saddr [. mark] [. iif] oif exists|missing",
    codes=(REVERSE_PATH, BAD_PLACE, NO_NFT_FORM),
)
