"""cpu: the processor that the packet is handled by.

Kernel: net/netfilter/xt_cpu.c, cpu_mt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.values import Negatable, parse_integer
from ...iptables.ast import Match
from ...model.effects import Test
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..aiming import around
from ..extension import Extension
from ..placement import ANYWHERE
from ..shared.compare import equality
from ..shared.words import negatable_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import View
    from ..context import Context
    from ..options import Options


@attrs.frozen
class Cpu(Match):
    """``-m cpu [!] --cpu NUMBER``."""

    cpu: Negatable[int]


def build(options: Options) -> Cpu:
    """Read the options."""
    return Cpu(options.required_negatable("--cpu", parse_integer))


def save(node: Cpu) -> Iterator[str]:
    """Write the options."""
    yield from negatable_option("--cpu", node.cpu)


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
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(Cpu, k.negatable(k.NUMBER)),
    aim=lambda node, draft: draft.fit("cpu", node.cpu),
    edges=lambda node: {"cpu": around(node.cpu)},
    nft="meta cpu N",
)
