"""devgroup: the group of the interface that the packet came by or leaves by.

Kernel: net/netfilter/xt_devgroup.c, devgroup_mt. The kernel takes each option only where the packet
has such an interface. (nft's ``meta iifgroup`` read the wrong interface in Linux 5.7 to 5.9.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...core.values import MaskedMark, Negatable
from ...iptables.ast import Match
from ...model.effects import Test
from ...nft import expressions as x
from .. import kinds as k
from ..extension import Extension
from ..forms import named_mark
from ..option_table import Option, OptionTable, at_least_one
from ..placement import ANYWHERE, COMES_BY, LEAVES_BY, Placement
from ..shared.compare import compare_mark

if TYPE_CHECKING:
    from ...core.values import Family
    from ...model.algebra import Bool
    from ...model.effects import View
    from ...nft import statements as s
    from ..aiming import Draft
    from ..context import Context


@attrs.frozen(kw_only=True)
class DevGroup(Match):
    """``-m devgroup`` with a group for either interface."""

    source: Negatable[MaskedMark] | None = None
    destination: Negatable[MaskedMark] | None = None


def meaning(node: DevGroup, view: View) -> Test:
    """``((group ^ value) & mask) == 0``."""
    return Test(
        view.state.algebra.all(
            _has_group("iif_group", node.source, view),
            _has_group("oif_group", node.destination, view),
        )
    )


def _has_group(field: str, test: Negatable[MaskedMark] | None, view: View) -> Bool:
    if not test:
        return view.state.algebra.true
    group = test.value
    same = view.state.is_(field, group.value & group.mask, group.mask)
    return view.negate(same, negated=test.negated)


def lower(node: DevGroup, _context: Context) -> tuple[s.Match, ...]:
    """Compare the masked group of each interface."""
    return tuple(
        match
        for key, test in (("iifgroup", node.source), ("oifgroup", node.destination))
        if test
        for match in compare_mark(x.Meta(key), _masked(test))
    )


def _masked(test: Negatable[MaskedMark]) -> Negatable[MaskedMark]:
    """The kernel masks both sides."""
    group = test.value
    return Negatable(MaskedMark(group.value & group.mask, group.mask), test.negated)


def _needs(node: DevGroup, _family: Family) -> Placement:
    """devgroup_mt_checkentry."""
    if node.source and node.destination:
        return Placement(hooks=("FORWARD",), subject="devgroup with --src-group and --dst-group")
    if node.source:
        return Placement(hooks=COMES_BY, subject="devgroup with --src-group")
    return Placement(hooks=LEAVES_BY, subject="devgroup with --dst-group")


def aim(node: DevGroup, draft: Draft) -> None:
    """Interfaces of such groups."""
    for field, test in (("iif_group", node.source), ("oif_group", node.destination)):
        draft.fit_mark(field, _masked(test) if test else None)


#: The one name that every node has for a group.
_GROUP = named_mark("group", "default")

EXTENSION = Extension(
    name="devgroup",
    node=DevGroup,
    options=OptionTable.of(
        Option("--src-group", _GROUP, "source", negatable=True),
        Option("--dst-group", _GROUP, "destination", negatable=True),
        at_least_one("--src-group", "--dst-group"),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    needs=_needs,
    draw=k.Build(
        DevGroup,
        source=k.maybe_negated(k.MASKED_MARK),
        destination=k.maybe_negated(k.MASKED_MARK),
    ).filter(lambda node: bool(node.source or node.destination)),
    aim=aim,
    edges=lambda node: {"iif_group": node.source, "oif_group": node.destination},
    nft="meta iifgroup|oifgroup & MASK == GROUP",
    codes=(BAD_PLACE,),
)
