"""dscp: the differentiated services code point.

Kernel: net/netfilter/xt_dscp.c, dscp_mt and dscp_mt6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.values import Negatable, parse_integer
from ...iptables.ast import Match
from ...model.effects import Test
from ...nft import expressions as x
from ...nft import statements as s
from ...nft.expressions import NETWORK_HEADER
from .. import kinds as k
from ..extension import Extension
from ..placement import ANYWHERE
from ..shared.compare import equality
from ..shared.number_ranges import NumberRange
from ..shared.words import negation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import View
    from ..context import Context
    from ..options import Options

LARGEST = 63


@attrs.frozen
class Dscp(Match):
    """``-m dscp [!] --dscp VALUE``."""

    value: Negatable[int]


def build(options: Options) -> Dscp:
    """Read the options."""
    return Dscp(options.required_negatable("--dscp", lambda text: parse_integer(text, LARGEST)))


def save(node: Dscp) -> Iterator[str]:
    """Write the options."""
    yield from negation(node.value)
    yield from ("--dscp", f"0x{node.value.value:02x}")


def meaning(node: Dscp, view: View) -> Test:
    """The upper six bits of the type of service are the value."""
    same = view.state.is_("tos", node.value.value << 2, 0xFC)
    return Test(view.negate(same, negated=node.value.negated))


def lower(node: Dscp, context: Context) -> tuple[s.Match, ...]:
    """The same comparison."""
    field = x.Payload(NETWORK_HEADER[context.family], "dscp")
    return (s.Match(field, equality(negated=node.value.negated), x.Number(node.value.value)),)


EXTENSION = Extension(
    name="dscp",
    node=Dscp,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(Dscp, k.negatable(k.Integers(0, LARGEST))),
    aim=lambda node, draft: draft.fit_bits(
        "tos", node.value.value << 2, 0xFC, negated=node.value.negated
    ),
    edges=lambda node: {"tos": NumberRange(node.value.value << 2, node.value.value << 2 | 3)},
    nft="ip dscp, ip6 dscp",
)
