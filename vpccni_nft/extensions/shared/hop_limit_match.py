"""The time to live of IPv4 and the hop limit of IPv6, which ``ttl`` and ``hl`` test alike.

Kernel: net/netfilter/xt_hl.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_OPTION, Problem
from ...core.values import Negatable, parse_integer
from ...nft import expressions as x
from ...nft import statements as s
from .words import negatable_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.algebra import Bool
    from ...model.effects import View
    from ..options import Options

LARGEST = 255

#: nft's signs for the options' last word, and for what they say after a ``!``.
SIGNS = {"eq": ("==", "!="), "lt": ("<", ">="), "gt": (">", "<=")}


@attrs.frozen
class HopTest:
    """How many hops are left; only equality can be negated."""

    relation: str  #: ``eq``, ``lt`` or ``gt``
    number: Negatable[int]


def build_hops(options: Options, name: str) -> HopTest:
    """Read ``[!] --ttl-eq NUMBER`` or one of its like."""
    option = options.exclusive(*(f"--{name}-{relation}" for relation in SIGNS))
    number = options.required_negatable(option, lambda text: parse_integer(text, LARGEST))
    relation = option[-2:]
    if number.negated and relation != "eq":
        raise Problem(BAD_OPTION, f"{option} cannot be negated", span=options.span)
    return HopTest(relation, number)


def save_hops(name: str, test: HopTest) -> Iterator[str]:
    """Write it."""
    yield from negatable_option(f"--{name}-{test.relation}", test.number)


def hops_fit(view: View, test: HopTest) -> Bool:
    """Whether the packet has as many hops left."""
    state, algebra = view.state, view.state.algebra
    left, number = state.fields["ttl"], state.word("ttl", test.number.value)
    if test.relation == "lt":
        return algebra.not_(algebra.ule(number, left))
    if test.relation == "gt":
        return algebra.not_(algebra.ule(left, number))
    return view.negate(algebra.equal(left, number), negated=test.number.negated)


def lower_hops(field: x.Payload, test: HopTest) -> tuple[s.Match, ...]:
    """The same comparison."""
    sign = SIGNS[test.relation][test.number.negated]
    return (s.Match(field, sign, x.Number(test.number.value)),)
