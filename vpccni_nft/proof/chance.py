"""Choices by chance, compared as distributions.

A ladder of ``statistic`` rules and one ``numgen random`` draw other numbers. They mean the same
where every outcome is as likely on both sides, whatever the packet and the rest of the world. So
all draws are gone through, range by range, each with its likelihood.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from ..model.oracle import CHOICES, DRAWS, OracleKind
from .term import asks, postorder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..model.oracle import Oracle
    from .context import ProofContext
    from .term import Term
    from .terms import Terms

#: How much the likelihood of an outcome may differ.
TOLERANCE = 1e-9

#: The most outcomes that are distinguished.
_MOST = 2000

#: How many numbers may be drawn on both sides, and how many more outcomes may hang on further draws
#: than in a ladder, where of each draw one does: of numbers for different packets all do.
_MOST_DRAWS = 16

#: What comes of a packet, by name.
Outcome = Mapping[str, "Term"]


class Prover(Protocol):
    """Shows that no packet makes a condition true."""

    @property
    def setting(self) -> ProofContext:
        """Which packets there are."""

    def is_unsat(self, condition: Term) -> bool:
        """Whether it is shown of a condition."""


class _TooMany(Exception):  # noqa: N818 - found on the way, and caught
    """More outcomes than are worth the time."""


def are_equal(prover: Prover, before: Outcome, after: Outcome) -> bool:
    """Whether every outcome is as likely on both sides."""
    counts = [len(set().union(*map(draws_in, outcome.values()))) for outcome in (before, after)]
    if not 0 < min(counts) <= _MOST_DRAWS:
        return False
    if _are_renamed(prover.setting.terms, before, after):
        return True
    try:
        ours, theirs = (_distribution(prover, outcome) for outcome in (before, after))
    except _TooMany:
        return False
    return len(ours) == len(theirs) and all(_take(prover, one, theirs) for one in ours)


def _are_renamed(terms: Terms, before: Outcome, after: Outcome) -> bool:
    """Whether both sides are the same but for the names of the numbers that they draw.

    Which numbers they are does not matter where each is drawn alike: for the same, from as many.
    """
    if before.keys() != after.keys():
        return False
    ours, theirs = (
        tuple(dict.fromkeys(draw for name in before for draw in draws(side[name])))
        for side in (before, after)
    )
    names = dict(zip(ours, theirs, strict=False))
    if len(ours) != len(theirs) or any(map(_drawn_otherwise, ours, theirs)):
        return False
    return all(terms.substitute(before[name], names) is after[name] for name in before)


def _drawn_otherwise(one: Term, other: Term) -> bool:
    """Whether a number is drawn for something else, or in another way; or after other numbers."""
    kinds = ((draw.parts[0].kind, draw.parts[0].parameters, draw.width) for draw in (one, other))
    return len(set(kinds)) > 1 or one.terms != other.terms or any(map(draws_in, one.terms))


def _take(prover: Prover, wanted: tuple[Outcome, float], left: list[tuple[Outcome, float]]) -> bool:
    """Take an outcome that is the same, and as likely, from those that are left.

    Each is taken once. That outcomes are the same is an equivalence: whichever of them is taken,
    the others of that side can be matched with the rest.
    """
    one, chance = wanted
    for index, (other, likewise) in enumerate(left):
        if abs(chance - likewise) <= TOLERANCE and prover.is_unsat(
            prover.setting.compare(one, other)
        ):
            del left[index]
            return True
    return False


def _distribution(prover: Prover, outcome: Outcome) -> list[tuple[Outcome, float]]:
    """All outcomes without draws, each with its likelihood."""
    found: dict[tuple[Term, ...], float] = {}
    names, further = tuple(outcome), 0
    parts = [(tuple(outcome.values()), 1.0)]
    waiting: list[tuple[tuple[Term, ...], float, Term]] = []
    while True:
        drawn = 0
        for values, chance in parts:
            draw = next((draw for value in values for draw in draws(value)), None)
            if draw is None:
                found[values] = found.get(values, 0.0) + chance
            else:
                waiting.append((values, chance, draw))
                drawn += 1
        further += max(0, drawn - 1)
        if len(found) > _MOST or further > _MOST_DRAWS:
            raise _TooMany
        if not waiting:
            return [(dict(zip(names, each, strict=True)), found[each]) for each in found]
        parts = list(_parted(prover.setting.terms, *waiting.pop()))


def _parted(
    terms: Terms, values: tuple[Term, ...], chance: float, draw: Term
) -> Iterator[tuple[tuple[Term, ...], float]]:
    """What comes of each range of a draw, with its likelihood."""
    size = size_of(draw)
    bounds = sorted({0, size, *(cut for value in values for cut in cuts(value, draw, size))})
    for first, last in pairwise(bounds):
        known = {draw: terms.const(first, draw.width)}
        chosen = tuple(terms.substitute(value, known) for value in values)
        yield chosen, chance * (last - first) / size


def choose_otherwise(before: Iterable[Term], after: Iterable[Term]) -> bool:
    """Whether other numbers are drawn or counted on either side, by what the sides ask."""
    mine, theirs = ({asked.parts[0] for asked in side} for side in (before, after))
    return any(oracle.kind in CHOICES for oracle in mine ^ theirs)


def draws_in(term: Term) -> set[Oracle]:
    """The draws that a term depends on."""
    return {draw.parts[0] for draw in draws(term)}


def draws(term: Term) -> Iterator[Term]:
    """The numbers that are drawn for a term."""
    return (one for one in asks(term) if one.parts[0].kind in DRAWS)


def size_of(draw: Term) -> int:
    """How many numbers may be drawn, all of them as likely."""
    oracle: Oracle = draw.parts[0]
    if oracle.kind is OracleKind.NUMBER_BELOW:
        (modulus,) = oracle.parameters
        assert isinstance(modulus, int)
        return modulus
    return 1 << draw.width


def cuts(term: Term, draw: Term, size: int) -> Iterator[int]:
    """Where the truth of a term's conditions on a draw may change."""
    done: dict[Term, None] = {}
    for one in postorder(term, done):
        done[one] = None
        if draw not in one.parts:
            continue
        match one.kind:
            case "up to":
                yield min(one.parts[1] + 1, size)
            case "bits" if step := _step(one.parts[1], draw.width):
                yield from (min(cut, size) for cut in (one.parts[2], one.parts[2] + step))
            case _ if size <= _MOST:
                yield from range(size)
            case _:
                raise _TooMany


def _step(mask: int, width: int) -> int | None:
    """How many numbers in a row are equal under a mask of upper bits; None for another mask."""
    step = mask & -mask
    return step if mask == (1 << width) - step else None
