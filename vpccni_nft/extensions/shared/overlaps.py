"""Boxes that overlap, cut up so that none does: networks of ipsets, in one dimension or several.

Where several boxes hold a point, the one with the highest rank decides what is said of it.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: First and last value, both included.
Interval = tuple[int, int]

#: Boxes, each as its intervals.
Pieces = tuple[tuple[Interval, ...], ...]


@attrs.frozen
class Box:
    """The points between the ends of some intervals, one for each dimension."""

    intervals: tuple[Interval, ...]
    rank: tuple[int, ...] = ()
    #: Whether its points are wanted, where no box of a higher rank holds them.
    wanted: bool = True


def overlap(boxes: Sequence[Box], dimension: int = 0) -> bool:
    """Whether two of the boxes have a point in common, from a dimension on."""
    if len(boxes) < 2 or dimension == len(boxes[0].intervals):
        return len(boxes) > 1
    return any(overlap(active, dimension + 1) for _, active in _sweep(boxes, dimension))


def wanted_pieces(boxes: Sequence[Box], dimension: int = 0) -> Pieces:
    """The points that are wanted, from a dimension on, as boxes without overlaps, in order.

    >>> outer, inner = Box(((0, 9),), (1,)), Box(((4, 5),), (2,), wanted=False)
    >>> wanted_pieces([outer, inner])
    (((0, 3),), ((6, 9),))
    """
    if dimension == len(boxes[0].intervals):
        # One empty piece, or none.
        return ((),) if max(boxes, key=lambda box: box.rank).wanted else ()
    pieces: list[tuple[Interval, Pieces]] = []
    for (first, last), active in _sweep(boxes, dimension):
        rest = wanted_pieces(active, dimension + 1)
        if pieces and pieces[-1][1] == rest and pieces[-1][0][1] + 1 == first:
            pieces[-1] = ((pieces[-1][0][0], last), rest)
        elif rest:
            pieces.append(((first, last), rest))
    return tuple((interval, *piece) for interval, rest in pieces for piece in rest)


def _sweep(boxes: Sequence[Box], dimension: int) -> Iterator[tuple[Interval, tuple[Box, ...]]]:
    """The stretches of a dimension between the boxes' ends, and the boxes of each."""
    starts: dict[int, list[int]] = {}
    ends: dict[int, list[int]] = {}
    for index, box in enumerate(boxes):
        first, last = box.intervals[dimension]
        starts.setdefault(first, []).append(index)
        ends.setdefault(last + 1, []).append(index)
    active: dict[int, None] = {}
    for place, following in itertools.pairwise(sorted({*starts, *ends})):
        for index in ends.get(place, ()):
            del active[index]
        active.update(dict.fromkeys(starts.get(place, ())))
        if active:
            yield (place, following - 1), tuple(boxes[index] for index in active)
