"""ttl, hl: the time to live of IPv4, the hop limit of IPv6.

Kernel: net/netfilter/xt_hl.c, ttl_mt and hl_mt6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_OPTION, BAD_PLACE, Problem
from ...core.values import Family, Negatable, parse_integer
from ...iptables.ast import Match
from ...model.effects import Test
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..aiming import around
from ..extension import Extension
from ..placement import Placement
from ..shared.words import negatable_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.algebra import Bool
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..options import Options

LARGEST = 255

#: nft's signs for the options' last word, and for what they say after a ``!``.
SIGNS = {"eq": ("==", "!="), "lt": ("<", ">="), "gt": (">", "<=")}


@attrs.frozen
class HopTest:
    """How many hops are left; only equality can be negated."""

    relation: str  #: ``eq``, ``lt`` or ``gt``
    number: Negatable[int]


@attrs.frozen
class Ttl(Match):
    """``-m ttl [!] --ttl-eq NUMBER``, ``--ttl-lt NUMBER`` or ``--ttl-gt NUMBER``."""

    test: HopTest


@attrs.frozen
class Hl(Match):
    """``-m hl`` with an option of the same form."""

    test: HopTest


def _build(options: Options, name: str) -> HopTest:
    """Read ``[!] --ttl-eq NUMBER`` or one of its like."""
    option = options.exclusive(*(f"--{name}-{relation}" for relation in SIGNS))
    number = options.required_negatable(option, lambda text: parse_integer(text, LARGEST))
    relation = option[-2:]
    if number.negated and relation != "eq":
        raise Problem(BAD_OPTION, f"{option} cannot be negated", span=options.span)
    return HopTest(relation, number)


def _save(name: str, test: HopTest) -> Iterator[str]:
    """Write it."""
    yield from negatable_option(f"--{name}-{test.relation}", test.number)


def meaning(node: Ttl | Hl, view: View) -> Test:
    """As many hops are left."""
    return Test(_fits(view, node.test))


def _fits(view: View, test: HopTest) -> Bool:
    state, algebra = view.state, view.state.algebra
    left, number = state.fields["ttl"], state.word("ttl", test.number.value)
    if test.relation == "lt":
        return algebra.not_(algebra.ule(number, left))
    if test.relation == "gt":
        return algebra.not_(algebra.ule(left, number))
    return view.negate(algebra.equal(left, number), negated=test.number.negated)


def _lower_ttl(node: Ttl, _context: Context) -> tuple[s.Match, ...]:
    return (_compare(x.Payload("ip", "ttl"), node.test),)


def _lower_hl(node: Hl, _context: Context) -> tuple[s.Match, ...]:
    return (_compare(x.Payload("ip6", "hoplimit"), node.test),)


def _compare(field: x.Payload, test: HopTest) -> s.Match:
    sign = SIGNS[test.relation][test.number.negated]
    return s.Match(field, sign, x.Number(test.number.value))


_DRAWN = k.OneOf(
    k.Build(HopTest, "eq", k.negatable(k.BYTE)),
    k.Build(HopTest, k.Among(SIGNS), k.Build(Negatable, k.BYTE)),
)


def aim(node: Ttl | Hl, draft: Draft) -> None:
    """As many hops, or one more or less."""
    number = node.test.number
    beside = {"eq": 0, "lt": -1, "gt": 1}[node.test.relation] + number.negated
    draft.fields["ttl"] = number.value + beside & LARGEST


def _edges(node: Ttl | Hl) -> dict[str, tuple[int, ...]]:
    return {"ttl": around(node.test.number)}


TTL = Extension(
    name="ttl",
    what="the time to live of IPv4.",
    node=Ttl,
    build=lambda options: Ttl(_build(options, "ttl")),
    save=lambda node: _save("ttl", node.test),
    meaning=meaning,
    lower=_lower_ttl,
    placement=Placement(family=Family.IP),
    draw=k.Build(Ttl, _DRAWN),
    aim=aim,
    edges=_edges,
    nft="ip ttl",
    codes=(BAD_PLACE,),
)

HL = Extension(
    name="hl",
    what="the hop limit of IPv6.",
    node=Hl,
    build=lambda options: Hl(_build(options, "hl")),
    save=lambda node: _save("hl", node.test),
    meaning=meaning,
    lower=_lower_hl,
    placement=Placement(family=Family.IP6),
    draw=k.Build(Hl, _DRAWN),
    aim=aim,
    edges=_edges,
    nft="ip6 hoplimit",
    codes=(BAD_PLACE,),
)
