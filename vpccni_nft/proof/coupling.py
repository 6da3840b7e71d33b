"""Outcomes by chance, compared two and two where they are as likely.

A ladder of ``statistic`` rules and one ``numgen random`` draw other numbers. So that what differs
besides can be looked for, each outcome of one side is compared with one of the other side that is
as likely. Packets to which the same happens in all of them have the same distribution. Where
something differs, it is looked at whether the distributions do.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING

import attrs

from .chance import TOLERANCE, cuts, draws, size_of
from .term import LOG

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .chance import Outcome
    from .context import ProofContext
    from .symbolic import Model
    from .term import Term
    from .terms import Terms

#: The most outcomes that are drawn together.
_MOST = 64

#: A draw, the first number of a range, and the first one behind it.
Range = tuple["Term", int, int]


@attrs.frozen
class ChancePart:
    """What happens where numbers in certain ranges are drawn."""

    values: tuple[Term, ...]
    chance: float
    drawn: tuple[Range, ...]

    def numbers(self, terms: Terms) -> Mapping[Term, Term]:
        """One number of each draw that leads here."""
        return {draw: terms.const(first, draw.width) for draw, first, _ in self.drawn}

    def with_chance_of(self, other: ChancePart) -> ChancePart:
        """The same where it also happens for other numbers; these ones stand for them."""
        return attrs.evolve(self, chance=self.chance + other.chance)


@attrs.frozen
class Coupling:
    """The outcomes of both sides, two and two as likely."""

    names: tuple[str, ...]
    matched: tuple[tuple[ChancePart, ChancePart], ...]

    @classmethod
    def of(cls, setting: ProofContext, before: Outcome, after: Outcome) -> Coupling | None:
        """None where outcomes are not as likely, or too many."""
        terms, names = setting.terms, tuple(sorted(before.keys() | after.keys()))
        sides = []
        for outcome in (before, after):
            values = tuple(outcome.get(name) or setting.fields[name] for name in names)
            pieces: dict[tuple[Term, ...], ChancePart] = {}
            for count, piece in enumerate(_pieces(terms, ChancePart(values, 1.0, ()))):
                if count == _MOST:
                    return None
                known = pieces.get(piece.values)
                pieces[piece.values] = known.with_chance_of(piece) if known else piece
            sides.append(list(pieces.values()))
        ours, theirs = sides
        if len(ours) != len(theirs) or _draws_of(ours) & _draws_of(theirs):
            return None
        matched = []
        for one in ours:
            likely = [other for other in theirs if abs(one.chance - other.chance) <= TOLERANCE]
            if not likely:
                return None
            other = max(likely, key=lambda other: _alike(one, other))
            theirs.remove(other)
            matched.append((one, other))
        return cls(names, tuple(matched))

    def differs(self, model: Model) -> bool:
        """Whether the outcomes of a model's packet are not as likely on both sides."""
        found = []
        for pieces in zip(*self.matched, strict=True):
            likely: Counter[object] = Counter()
            for piece in pieces:
                likely[tuple(_value(model, one) for one in piece.values)] += round(
                    piece.chance / TOLERANCE
                )
            found.append(likely)
        one, other = found
        return any(abs(one[key] - other[key]) > len(one) + 1 for key in one.keys() | other.keys())


def _draws_of(pieces: Sequence[ChancePart]) -> set[Term]:
    return {draw for piece in pieces for draw, _, _ in piece.drawn}


def _pieces(terms: Terms, piece: ChancePart) -> Iterator[ChancePart]:
    # What is drawn first leaves least to draw.
    every = (draw for value in piece.values for draw in draws(value))
    draw = min(every, key=attrgetter("number"), default=None)
    if draw is None:
        yield piece
        return
    size = size_of(draw)
    bounds = sorted({0, size, *(cut for value in piece.values for cut in cuts(value, draw, size))})
    for first, last in pairwise(bounds):
        known = {draw: terms.const(first, draw.width)}
        values = tuple(terms.substitute(value, known) for value in piece.values)
        chance = piece.chance * (last - first) / size
        yield from _pieces(terms, ChancePart(values, chance, (*piece.drawn, (draw, first, last))))


def _alike(one: ChancePart, other: ChancePart) -> int:
    """How much of two outcomes is plainly the same."""
    return sum(mine is theirs for mine, theirs in zip(one.values, other.values, strict=True))


def _value(model: Model, term: Term) -> object:
    if not term.width:
        return model.holds(term)
    if term.width != LOG:
        return model.value(term)
    happened = []
    while term.kind != "variable":
        if term.kind == "then":
            before, *arguments = term.terms
            happened.append((term.parts[0], *(_value(model, one) for one in arguments)))
            term = before
        else:
            condition, then, otherwise = term.terms
            term = then if model.holds(condition) else otherwise
    return tuple(happened)
