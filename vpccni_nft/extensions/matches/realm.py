"""realm: the realm of the packet's route.

Kernel: net/netfilter/xt_realm.c, realm_mt. It stands where a route is known: not in PREROUTING.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...core.values import Family, MaskedMark, Negatable
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import ROUTE
from ...nft import expressions as x
from .. import kinds as k
from ..extension import Extension
from ..forms import named_mark
from ..option_table import Option, OptionTable
from ..placement import Placement
from ..shared.compare import compare_mark

if TYPE_CHECKING:
    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context


@attrs.frozen
class Realm(Match):
    """``-m realm [!] --realm VALUE[/MASK]``."""

    realm: Negatable[MaskedMark]


def meaning(node: Realm, view: View) -> Test:
    """``(dst->tclassid & mask) == realm``."""
    algebra, realm = view.state.algebra, node.realm.value
    masked = algebra.bvand(view.field_since(ROUTE, "realm"), algebra.const(realm.mask, 32))
    same = algebra.equal(masked, algebra.const(realm.value, 32))
    return Test(view.negate(same, negated=node.realm.negated))


def lower(node: Realm, _context: Context) -> tuple[s.Match, ...]:
    """The same comparison."""
    return compare_mark(x.Rt("classid"), node.realm)


EXTENSION = Extension(
    name="realm",
    node=Realm,
    options=OptionTable.of(  # Every node has a name for realm 0.
        Option("--realm", named_mark("realm", "cosmos"), "realm", negatable=True, required=True)
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(family=Family.IP, hooks=("INPUT", "FORWARD", "OUTPUT", "POSTROUTING")),
    draw=k.Build(Realm, k.negatable(k.MASKED_MARK)),
    aim=lambda node, draft: draft.fit_mark("realm", node.realm),
    edges=lambda node: {"realm": node.realm},
    nft="rt classid & MASK == REALM",
    codes=(BAD_PLACE,),
)
