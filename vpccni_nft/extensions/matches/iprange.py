"""iprange: addresses from first to last.

Kernel: net/netfilter/xt_iprange.c, iprange_mt4 and iprange_mt6. No address is in a range whose ends
are the wrong way round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.values import Address, Family, Negatable
from ...iptables.ast import Match
from ...model.effects import Test
from ...nft import expressions as x
from ...nft import statements as s
from ...nft.expressions import NETWORK_HEADER
from .. import kinds as k
from ..extension import Extension
from ..option_table import Form, Option, OptionTable, at_least_one
from ..placement import ANYWHERE
from ..shared.compare import always_or_never, equality

if TYPE_CHECKING:
    from ...model.algebra import Bool
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context


@attrs.frozen
class Ends:
    """Both ends as they are written: the last one may be smaller than the first."""

    first: Address
    last: Address

    def __attrs_post_init__(self) -> None:
        if self.first.family is not self.last.family:
            raise ValueError("the two ends of a range must be of one family")

    @classmethod
    def parse(cls, text: str) -> Ends:
        """Read ADDRESS or ADDRESS-ADDRESS."""
        first, dash, last = text.partition("-")
        address = Address.parse(first)
        return cls(address, Address.parse(last) if dash else address)

    @property
    def family(self) -> Family:
        """The family of both ends."""
        return self.first.family

    @property
    def is_empty(self) -> bool:
        """Whether no address is between the ends."""
        return self.first.value > self.last.value

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


@attrs.frozen(kw_only=True)
class IpRange(Match):
    """``-m iprange`` with a range for the source, the destination, or both."""

    source: Negatable[Ends] | None = None
    destination: Negatable[Ends] | None = None


def meaning(node: IpRange, view: View) -> Test:
    """Each address that is named is neither before the first nor behind the last one."""
    tests = (("saddr", node.source), ("daddr", node.destination))
    return Test(view.state.algebra.all(*(_inside(field, test, view) for field, test in tests)))


def _inside(field: str, test: Negatable[Ends] | None, view: View) -> Bool:
    if not test:
        return view.state.algebra.true
    inside = view.state.between(field, test.value.first.value, test.value.last.value)
    return view.negate(inside, negated=test.negated)


def lower(node: IpRange, context: Context) -> tuple[s.Match, ...]:
    """Compare with the range."""
    header = NETWORK_HEADER[context.family]
    return tuple(
        match
        for field, test in (("saddr", node.source), ("daddr", node.destination))
        if test
        for match in _compare(x.Payload(header, field), test)
    )


def _compare(address: x.Expression, test: Negatable[Ends]) -> tuple[s.Match, ...]:
    ends = test.value
    if ends.is_empty:
        return always_or_never(holds=test.negated)
    if (ends.first.value, ends.last.value) == (0, ends.family.all_ones):
        return always_or_never(holds=not test.negated)
    first, last = x.Host(ends.first), x.Host(ends.last)
    right = first if first == last else x.Range(first, last)
    return (s.Match(address, equality(negated=test.negated), right),)


_ENDS = k.maybe_negated(k.Build(Ends, k.ADDRESS, k.ADDRESS))


def aim(node: IpRange, draft: Draft) -> None:
    """Addresses that fit."""
    draft.fit("saddr", node.source)
    draft.fit("daddr", node.destination)


#: Both ends are printed, even where they are one address.
_RANGE = Form("ADDRESS[-ADDRESS]", Ends.parse)

EXTENSION = Extension(
    name="iprange",
    node=IpRange,
    options=OptionTable.of(
        Option("--src-range", _RANGE, "source", negatable=True),
        Option("--dst-range", _RANGE, "destination", negatable=True),
        at_least_one("--src-range", "--dst-range"),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(IpRange, source=_ENDS, destination=_ENDS).filter(
        lambda node: bool(node.source or node.destination)
    ),
    aim=aim,
    edges=lambda node: {"saddr": node.source, "daddr": node.destination},
    nft="ip saddr|daddr FIRST-LAST",
)
