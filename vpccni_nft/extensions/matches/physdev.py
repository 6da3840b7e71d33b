"""physdev: the bridge port that a packet came through or leaves through.

Kernel: net/netfilter/xt_physdev.c, physdev_mt. A packet that crosses no bridge, or that
br_netfilter does not hand over, matches where every option is negated. The families ip and ip6 of
nft do not know the port of a packet that does cross one. None has crossed one in OUTPUT: the node
has made it just now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_OPTION, NOT_BRIDGED, Problem
from ...core.values import Negatable
from ...iptables.ast import Match
from ...model.effects import Test
from .. import kinds as k
from ..aiming import any_packet
from ..extension import Extension
from ..placement import ANYWHERE, Placement
from ..shared.compare import always_or_never
from ..shared.words import negatable_option, negation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...core.values import Family
    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context
    from ..options import Options


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


def build(options: Options) -> Physdev:
    """Read the options."""
    node = Physdev(
        is_in=options.negatable_flag("--physdev-is-in"),
        in_port=options.negatable("--physdev-in", str),
        is_out=options.negatable_flag("--physdev-is-out"),
        out_port=options.negatable("--physdev-out", str),
        is_bridged=options.negatable_flag("--physdev-is-bridged"),
    )
    if not node.tests:
        raise Problem(BAD_OPTION, "physdev needs an option", span=options.span)
    return node


def save(node: Physdev) -> Iterator[str]:
    """Write the options in libxt_physdev's order."""
    yield from _save_flag("--physdev-is-in", node.is_in)
    yield from negatable_option("--physdev-in", node.in_port)
    yield from _save_flag("--physdev-is-out", node.is_out)
    yield from negatable_option("--physdev-out", node.out_port)
    yield from _save_flag("--physdev-is-bridged", node.is_bridged)


def _save_flag(name: str, test: Negatable[bool] | None) -> Iterator[str]:
    if test:
        yield from negation(test)
        yield name


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
            " no packet is taken to cross a bridge",
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
    build=build,
    save=save,
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
