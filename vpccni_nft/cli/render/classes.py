"""Classes of differences as a table that fits the screen, and what is accepted as another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.render import folded, printable
from ...proof.acceptance import Occurs
from ...proof.changes import BY_BINDINGS
from ...simulate.packet_text import KEY_OF
from ...simulate.report import value_text
from .diagnostics import paint
from .screen import columns, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...proof.acceptance import AcceptedClass
    from ...proof.classes import DifferenceClass

_SIDES = ("before", "after")

#: The most conditions of a class in a table.
_CONDITIONS = 3


def table_of_classes(classes: Sequence[DifferenceClass]) -> Iterator[str]:
    """A line or a few for each class: where, which packets, and what differs."""
    rows = [
        (
            str(number),
            place_of(one),
            "\n".join(_conditions(one)),
            *("\n".join(paint(end, side) for end in ends_of(one, side)) for side in _SIDES),
        )
        for number, one in enumerate(classes, 1)
    ]
    yield from table(("", "where", "packets", "before", "after"), rows, ratios=(0, 0, 7, 3, 3))


def place_of(found: DifferenceClass) -> str:
    """The family and the hook or path of a class."""
    return f"{found.family.title} {found.example.hook}"


def sentence_of(found: DifferenceClass) -> str:
    """A class in one line."""
    return f"{place_of(found)}, {' '.join(_conditions(found))}: {ends_text(found)}"


def ends_text(found: DifferenceClass) -> str:
    """What becomes of the packets of a class."""
    return ", ".join(f"{', '.join(ends_of(found, side)) or 'nothing'} {side}" for side in _SIDES)


def _conditions(found: DifferenceClass) -> Iterator[str]:
    texts = [printable(text) or "every packet" for text in found.texts]
    for number, text in enumerate(texts[:_CONDITIONS]):
        yield f"or {text}" if number else text
    if len(texts) > _CONDITIONS:
        yield f"or {len(texts) - _CONDITIONS} more conditions"
    if not found.is_whole:
        yield "or others like it" if texts else f"like {printable(found.example.plain.text)}"


def ends_of(found: DifferenceClass, side: str) -> Iterator[str]:
    """What becomes of the packets on a side; what follows from a binding is left out."""
    differences = found.example.differences
    for name, both in differences.items():
        if "bindings" in differences and name in BY_BINDINGS:
            continue
        text = printable(value_text(name, both[_SIDES.index(side)], found.family))
        if name not in {"verdict", "bindings"}:
            text = f"{KEY_OF.get(name, name)} {text}"
        yield text


def table_of_accepted(accepted: Sequence[AcceptedClass]) -> Iterator[str]:
    """What is accepted and occurs; then notes of what does not, or not any more."""
    rows = []
    for one in accepted:
        if one.occurs in {Occurs.YES, Occurs.UNKNOWN}:
            places = ", ".join(f"{family.title} {hook}" for family, hook in one.places)
            example = printable(one.example.plain.text) if one.example else "it may occur"
            rows.append((one.acceptance.code, name_of(one), places, example))
    if rows:
        shown = rows if any(row[0] for row in rows) else [("", *row[1:]) for row in rows]
        yield from table(("", "accepted", "where", "such as"), shown, ratios=(0, 4, 2, 4))
    for one in accepted:
        name = f"{one.acceptance.code} {name_of(one)}".lstrip()
        if one.occurs is Occurs.NO:
            yield folded(f"  note: accepted, but does not occur: {name}", columns())
        elif one.occurs is Occurs.OVER:
            until = one.acceptance.until
            yield folded(f"  note: accepted until {until} only: {name}", columns())


def name_of(found: AcceptedClass) -> str:
    """What an acceptance is called, made safe for a terminal."""
    return printable(found.acceptance.name)
