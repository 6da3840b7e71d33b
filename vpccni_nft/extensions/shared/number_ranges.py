"""Ranges of numbers in header fields: SPIs, identifications, lengths, types.

Kernel: each match has a function of its own for it, all alike: ``(min <= n && n <= max) ^ invert``
(spi_match in ip6t_ah.c, xt_esp.c and xt_ipcomp.c, id_match in ip6t_frag.c, ...).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import attrs

from ...core.values import Negatable, parse_integer
from ...nft import expressions as x
from ...nft import statements as s
from .compare import always_or_never, equality

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.algebra import Bool, Word
    from ...model.effects import View
    from ..options import Options

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


def build_range(
    options: Options, name: str, largest: int = LARGEST
) -> Negatable[NumberRange] | None:
    """Read ``[!] --name FIRST[:LAST]``; that it may be any number is not said in a dump."""
    test = options.negatable(name, functools.partial(NumberRange.parse, largest=largest))
    return None if test == Negatable(NumberRange(0, largest)) else test


def save_range(name: str, test: Negatable[NumberRange] | None) -> Iterator[str]:
    """Write it."""
    if test:
        if test.negated:
            yield "!"
        yield from (name, str(test.value))


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
