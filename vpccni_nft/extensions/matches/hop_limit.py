"""ttl, hl: the time to live of IPv4, the hop limit of IPv6.

Kernel: net/netfilter/xt_hl.c, ttl_mt and hl_mt6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...core.values import Family, Negatable
from ...iptables.ast import Match
from ...model.effects import Test
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..edges import around
from ..extension import Extension
from ..forms import number
from ..option_table import Option, OptionTable, exactly_one
from ..placement import Placement

if TYPE_CHECKING:
    from ...model.algebra import Bool
    from ...model.effects import View
    from ..aiming import Draft

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


def _lower(field: x.Payload, test: HopTest) -> tuple[s.Match, ...]:
    sign = SIGNS[test.relation][test.number.negated]
    return (s.Match(field, sign, x.Number(test.number.value)),)


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


def _options(name: str) -> OptionTable:
    """One option for each relation, of which only equality can be negated."""
    return OptionTable.of(
        Option(
            f"--{name}-eq",
            number(LARGEST),
            "test",
            negatable=True,
            spellings=(f"--{name}",),
            keep=lambda hops: HopTest("eq", hops),
            show=lambda node: node.test.number if node.test.relation == "eq" else None,
        ),
        _bound(name, "lt"),
        _bound(name, "gt"),
        exactly_one(f"--{name}-eq", f"--{name}-lt", f"--{name}-gt"),
    )


def _bound(name: str, relation: str) -> Option:
    return Option(
        f"--{name}-{relation}",
        number(LARGEST),
        "test",
        keep=lambda hops: HopTest(relation, Negatable(hops)),
        show=lambda node: node.test.number.value if node.test.relation == relation else None,
    )


def _extension(
    what: str, node: type[Ttl | Hl], family: Family, field: x.Payload
) -> Extension[Ttl | Hl]:
    """The record of a match that compares a field of a family's header."""
    name = node.__name__.lower()
    return Extension(
        name=name,
        what=what,
        node=node,
        options=_options(name),
        meaning=meaning,
        lower=lambda node, _context: _lower(field, node.test),
        placement=Placement(family=family),
        draw=k.Build(node, _DRAWN),
        aim=aim,
        edges=_edges,
        nft=f"{field.protocol} {field.field}",
        codes=(BAD_PLACE,),
    )


TTL = _extension("the time to live of IPv4.", Ttl, Family.IP, x.Payload("ip", "ttl"))
HL = _extension("the hop limit of IPv6.", Hl, Family.IP6, x.Payload("ip6", "hoplimit"))
