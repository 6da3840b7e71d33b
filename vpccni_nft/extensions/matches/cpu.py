"""cpu: the processor that the packet is handled by.

Kernel: net/netfilter/xt_cpu.c, cpu_mt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...iptables.ast import Match
from ...model.effects import Test
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..edges import around
from ..extension import Extension
from ..forms import NUMBER
from ..option_table import Option, OptionTable
from ..placement import ANYWHERE
from ..shared.compare import equality

if TYPE_CHECKING:
    from ...core.values import Negatable
    from ...model.effects import View
    from ..context import Context


@attrs.frozen
class Cpu(Match):
    """``-m cpu [!] --cpu NUMBER``."""

    cpu: Negatable[int]


def meaning(node: Cpu, view: View) -> Test:
    """``smp_processor_id() == cpu``."""
    same = view.state.is_("cpu", node.cpu.value)
    return Test(view.negate(same, negated=node.cpu.negated))


def lower(node: Cpu, _context: Context) -> tuple[s.Match, ...]:
    """The same comparison."""
    sign = equality(negated=node.cpu.negated)
    return (s.Match(x.Meta("cpu"), sign, x.Number(node.cpu.value)),)


EXTENSION = Extension(
    name="cpu",
    node=Cpu,
    options=OptionTable.of(Option("--cpu", NUMBER, "cpu", negatable=True, required=True)),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(Cpu, k.negatable(k.NUMBER)),
    aim=lambda node, draft: draft.fit("cpu", node.cpu),
    edges=lambda node: {"cpu": around(node.cpu)},
    nft="meta cpu N",
)
