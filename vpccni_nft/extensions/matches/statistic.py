"""statistic: some of the packets, at random or every nth.

Kernel: net/netfilter/xt_statistic.c, statistic_mt.

- random: 31 random bits are less than the probability, which is kept as a multiple of 2**-31.
- nth: a counter that runs from 0 to E - 1 and round again stands at P. It starts anew when the
  rules are loaded, here and there.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_OPTION, Problem
from ...core.values import Negatable
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import NUMBER, number
from ..option_table import Form, Option, OptionTable, at_most_one, needs
from ..placement import ANYWHERE
from ..shared.compare import always_or_never, equality

if TYPE_CHECKING:
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..options import GivenOptions

#: A probability of 1.
CERTAIN = 1 << 31


class StatisticMode(enum.Enum):
    """How packets are chosen, by the word after ``--mode``."""

    RANDOM = "random"
    NTH = "nth"


@attrs.frozen(kw_only=True)
class Statistic(Match):
    """``-m statistic`` in one of its modes."""

    mode: StatisticMode
    negated: bool = False
    probability: int = 0  #: random only, times 2**31
    every: int = 1  #: nth only
    packet: int = 0  #: nth only: which one of them, counted from 0

    def __attrs_post_init__(self) -> None:
        if self.packet >= self.every:
            raise ValueError(f"--packet goes from 0 to {self.every - 1} here")

    @property
    def draws(self) -> bool:
        """All do but those that always hold or never."""
        return self.every > 1 or 0 < self.probability < CERTAIN


def parse_probability(text: str) -> int:
    """Read a decimal as libxt_statistic does: ``lround(2**31 * strtod(text))``.

    >>> parse_probability("0.33333333349")
    715827883
    """
    try:
        scaled = float(text) * CERTAIN
    except ValueError:
        raise ValueError(f"“{text}” is not a number") from None
    if not 0 <= scaled <= CERTAIN:
        raise ValueError("a probability is a number from 0 to 1")
    whole = int(scaled)
    return whole + (scaled - whole >= 0.5)


def meaning(node: Statistic, view: View) -> Test:
    """31 random bits are less than the probability, or the counter stands at the packet."""
    algebra = view.state.algebra
    if node.mode is StatisticMode.RANDOM:
        draw = view.ask_here(OracleKind.RANDOM, width=31)
        chosen = algebra.false
        if node.probability:
            chosen = algebra.ule(draw, algebra.const(node.probability - 1, 31))
    elif node.every == 1:
        chosen = algebra.true
    else:
        counter = view.ask_here(OracleKind.COUNTER, node.every, width=32)
        chosen = algebra.equal(counter, algebra.const(node.packet, 32))
    return Test(view.negate(chosen, negated=node.negated))


def lower(node: Statistic, _context: Context) -> tuple[s.Match, ...]:
    """The same draw, or the same counter."""
    if node.mode is StatisticMode.RANDOM:
        return _lower_random(Negatable(node.probability, node.negated))
    if node.every == 1:
        return always_or_never(holds=not node.negated)
    counter = x.Numgen(node.every)
    return (s.Match(counter, equality(negated=node.negated), x.Number(node.packet)),)


def _lower_random(test: Negatable[int]) -> tuple[s.Match, ...]:
    if test.value in (0, CERTAIN):
        return always_or_never(holds=(test.value == CERTAIN) is not test.negated)
    draw = x.Binary("&", x.Meta("random"), x.Number(CERTAIN - 1))
    return (s.Match(draw, ">=" if test.negated else "<", x.Number(test.value)),)


_DRAW = k.OneOf(
    k.Build(
        Statistic,
        mode=StatisticMode.RANDOM,
        negated=k.FLAG,
        probability=k.Integers(0, CERTAIN) | k.Among((0, 1, CERTAIN)),
    ),
    (k.Integers(1, 5) | k.Integers(1, k.FULL)).then(
        lambda every: k.Build(
            Statistic,
            mode=StatisticMode.NTH,
            negated=k.FLAG,
            every=every,
            packet=k.Integers(0, every - 1),
        )
    ),
)


def aim(node: Statistic, draft: Draft) -> None:
    """A draw or a count that chooses the packet, which the rules before this one let pass."""
    if node.mode is StatisticMode.RANDOM:
        for place in draft.earlier:
            draft.answers.setdefault((Oracle(OracleKind.RANDOM, place), ()), CERTAIN - 1)
        inside, outside = node.probability - 1, node.probability
        drawn = max(0, outside if node.negated else inside) & CERTAIN - 1
        draft.answer_here(OracleKind.RANDOM, drawn)
    else:
        counter = (node.packet + node.negated) % node.every
        draft.answer_here(OracleKind.COUNTER, counter, node.every)


_OPTIONS = OptionTable.of(
    Option(
        "--mode", Form("random|nth", StatisticMode, lambda mode: mode.value), "mode", required=True
    ),
    Option(
        "--probability",
        Form("NUMBER", parse_probability, lambda chance: f"{chance / CERTAIN:.11f}"),
        ("negated", "probability"),
        negatable=True,
        keep=lambda chance: (chance.negated, chance.value),
        show=lambda node: (
            Negatable(node.probability, node.negated) if node.mode is StatisticMode.RANDOM else None
        ),
    ),
    Option(
        "--every",
        number(smallest=1),
        ("negated", "every"),
        negatable=True,
        keep=lambda every: (every.negated, every.value),
        show=lambda node: (
            Negatable(node.every, node.negated) if node.mode is StatisticMode.NTH else None
        ),
    ),
    Option(
        "--packet",
        NUMBER,
        "packet",
        show=lambda node: node.packet if node.mode is StatisticMode.NTH else None,
    ),
    at_most_one("--probability", "--every"),
    needs("--packet", "--every"),
)

#: The option that each mode wants.
_WANTED = {StatisticMode.RANDOM: "--probability", StatisticMode.NTH: "--every"}


def build(options: GivenOptions) -> Statistic:
    """Read the options; each mode has its own."""
    node = _OPTIONS.build(Statistic, options)
    name = _WANTED[node.mode]
    if not options.has(name):
        raise Problem(BAD_OPTION, f"statistic needs {name}", span=options.span)
    return node


EXTENSION = Extension(
    name="statistic",
    node=Statistic,
    options=_OPTIONS,
    build=build,
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=_DRAW,
    aim=aim,
    nft="meta random & 2147483647 < N; numgen inc mod EVERY == PACKET",
)
