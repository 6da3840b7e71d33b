"""Ranges of numbers in header fields: SPIs, identifications, lengths, types.

Kernel: each match has a function of its own for it, all the same: ``(min <= n && n <= max) ^
invert`` (spi_match in ip6t_ah.c, xt_esp.c and xt_ipcomp.c, id_match in ip6t_frag.c, ...).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import attrs

from ...core.values import Negatable, parse_integer
from ...nft import expressions as x
from ...nft import statements as s
from ..option_table import Form, Option, unless
from .compare import always_or_never, equality

if TYPE_CHECKING:
    from ...core.diagnostics import Problem
    from ...model.algebra import Bool, Word
    from ...model.effects import View
    from ..context import Context

LARGEST = 0xFFFFFFFF


@attrs.frozen
class NumberRange:
    """Numbers from first to last, both included; none where the first is larger.

    >>> NumberRange.parse("5:"), str(NumberRange.parse("0x10:20")), str(NumberRange(7, 7))
    (NumberRange(first=5, last=4294967295), '16:20', '7')
    """

    first: int
    last: int

    @classmethod
    def parse(cls, text: str, largest: int = LARGEST) -> NumberRange:
        """Read NUMBER or NUMBER:NUMBER; an open end reaches to the smallest or largest number."""
        first, colon, last = text.partition(":")
        if not colon:
            number = parse_integer(first, largest)
            return cls(number, number)
        return cls(
            parse_integer(first, largest) if first else 0,
            parse_integer(last, largest) if last else largest,
        )

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}:{self.last}"


def refuse_bare(context: Context, match: str, option: str, largest: int = LARGEST) -> Problem:
    """The problem to raise where a match has no option at all.

    Up to 1.8.10 the matches' save functions leave out a range of all numbers, negated or not.
    """
    return context.refuse(
        f"iptables-save up to 1.8.10 prints -m {match} for a rule with ! {option} 0:{largest}, too,"
        " which no packet matches: the dump does not say which of the two it is",
        f"leave -m {match} out if the rule is for every packet of the protocol",
    )


def number_range(largest: int = LARGEST) -> Form[NumberRange]:
    """The form of a range."""
    return Form("FIRST[:LAST]", functools.partial(NumberRange.parse, largest=largest))


def range_option(name: str, field: str, largest: int = LARGEST) -> Option:
    """A range of which a dump does not say that it may be any number."""
    any_number = Negatable(NumberRange(0, largest))
    return Option(name, number_range(largest), field, negatable=True, keep=unless(any_number))


def in_range(view: View, word: Word, test: Negatable[NumberRange] | None, bits: int) -> Bool:
    """Whether a number of so many bits is in the range, or outside it after a ``!``."""
    algebra = view.state.algebra
    if not test:
        return algebra.true
    first, last = test.value.first, test.value.last
    full = (1 << bits) - 1
    inside = algebra.false
    if first <= full:
        inside = algebra.all(
            algebra.ule(algebra.const(first, bits), word),
            algebra.ule(word, algebra.const(min(last, full), bits)),
        )
    return view.negate(inside, negated=test.negated)


def compare_range(
    left: x.Expression, test: Negatable[NumberRange] | None, bits: int
) -> tuple[s.Match, ...]:
    """Compare a field of so many bits with the range; the range may reach beyond the field."""
    if not test:
        return ()
    full = (1 << bits) - 1
    first, last = test.value.first, min(test.value.last, full)
    if first > last:
        return always_or_never(holds=test.negated)
    if (first, last) == (0, full):
        return always_or_never(holds=not test.negated)
    right = range_literal(NumberRange(first, last))
    return (s.Match(left, equality(negated=test.negated), right),)


def range_literal(
    numbers: NumberRange, kind: type[x.Number] | type[x.Hex] = x.Number
) -> x.Expression:
    """One number, or the range from first to last."""
    first, last = kind(numbers.first), kind(numbers.last)
    return first if numbers.first == numbers.last else x.Range(first, last)
