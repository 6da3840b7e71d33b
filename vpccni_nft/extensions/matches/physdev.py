"""physdev: the bridge port that a packet came through or leaves through.

Kernel: net/netfilter/xt_physdev.c, physdev_mt. A packet that crosses no bridge, or that
br_netfilter does not hand over, matches where every option is negated. The families ip and ip6 of
nft do not know the port of a packet that does cross one. None has crossed one in OUTPUT: the node
has made it just now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NOT_BRIDGED
from ...iptables.ast import Match
from ...model.effects import Test
from .. import kinds as k
from ..edges import any_packet
from ..extension import Extension
from ..forms import WORD
from ..option_table import Option, OptionTable, at_least_one
from ..placement import ANYWHERE, Placement
from ..shared.compare import always_or_never

if TYPE_CHECKING:
    from ...core.values import Family, Negatable
    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context


@attrs.frozen(kw_only=True)
class Physdev(Match):
    """``-m physdev`` with any of its options, each of which may be negated."""

    is_in: Negatable[bool] | None = None
    in_port: Negatable[str] | None = None
    is_out: Negatable[bool] | None = None
    out_port: Negatable[str] | None = None
    is_bridged: Negatable[bool] | None = None

    @property
    def tests(self) -> tuple[Negatable[bool] | Negatable[str], ...]:
        """Those of the options that are there."""
        every = (self.is_in, self.in_port, self.is_out, self.out_port, self.is_bridged)
        return tuple(test for test in every if test)


def meaning(node: Physdev, view: View) -> Test:
    """Every option is negated: what is true of a packet that crosses no bridge."""
    algebra = view.state.algebra
    return Test(algebra.true if all(test.negated for test in node.tests) else algebra.false)


def lower(node: Physdev, context: Context) -> tuple[s.Match, ...]:
    """What the kernel says of a packet without a bridge."""
    if context.hooks != {"OUTPUT"}:
        context.approximate(
            NOT_BRIDGED,
            f"nft's family {context.family.value} does not know bridge ports:"
            " packets are assumed not to cross a bridge",
        )
    return always_or_never(holds=all(test.negated for test in node.tests))


def _needs(node: Physdev, _family: Family) -> Placement:
    """physdev_mt_check."""
    if node.is_out or node.out_port:
        return Placement(
            hooks=("PREROUTING", "INPUT", "FORWARD", "POSTROUTING"),
            subject="physdev with --physdev-out or --physdev-is-out",
        )
    return ANYWHERE


_IS, _PORT = k.maybe_negated(True), k.maybe_negated(k.Unquoted(15))


EXTENSION = Extension(
    name="physdev",
    node=Physdev,
    options=OptionTable.of(
        Option("--physdev-is-in", field="is_in", negatable=True),
        Option("--physdev-in", WORD, "in_port", negatable=True),
        Option("--physdev-is-out", field="is_out", negatable=True),
        Option("--physdev-out", WORD, "out_port", negatable=True),
        Option("--physdev-is-bridged", field="is_bridged", negatable=True),
        at_least_one(
            "--physdev-is-in",
            "--physdev-in",
            "--physdev-is-out",
            "--physdev-out",
            "--physdev-is-bridged",
        ),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    needs=_needs,
    draw=k.Build(
        Physdev, is_in=_IS, in_port=_PORT, is_out=_IS, out_port=_PORT, is_bridged=_IS
    ).filter(lambda node: bool(node.tests)),
    aim=any_packet,  # none crosses a bridge
    nft="nothing where all options are negated, else a condition that never holds",
    codes=(NOT_BRIDGED,),
)
