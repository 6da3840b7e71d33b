"""Classes of differences as a table that fits the screen, and what is accepted as another one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...core.render import folded, printable
from ...proof.acceptance import Occurs
from ...proof.changes import BY_BINDINGS
from ...simulate.packet_text import KEY_OF
from ...simulate.report import value_text
from .diagnostics import paint
from .screen import columns, laid_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...proof.acceptance import AcceptedClass
    from ...proof.classes import DifferenceClass

#: The columns of a table where there is no terminal, and the least and the most of one.
_COLUMNS, _LEAST, _MOST = 100, 60, 140

#: The blanks at the end of a line, and the colours among them.
_TRAILING = re.compile(r"[ ]+((?:\x1b\[[0-9;]*m)*)[ ]*$")

#: The most conditions of a class in a table.
_CONDITIONS = 3


def table_of_classes(classes: Sequence[DifferenceClass]) -> Iterator[str]:
    """A line or a few for each class: where, which packets, and what differs."""
    rows = [
        (
            str(number),
            place_of(one),
            "\n".join(_conditions(one)),
            "\n".join(_ends(one, 0)),
            "\n".join(_ends(one, 1)),
        )
        for number, one in enumerate(classes, 1)
    ]
    yield from _table(("", "where", "packets", "before", "after"), rows, ratios=(0, 0, 7, 3, 3))


def place_of(found: DifferenceClass) -> str:
    """The family and the hook or path of a class."""
    return f"{found.family.title} {found.example.hook}"


def _conditions(found: DifferenceClass) -> Iterator[str]:
    texts = [printable(text) or "every packet" for text in found.texts]
    for number, text in enumerate(texts[:_CONDITIONS]):
        yield f"or {text}" if number else text
    if len(texts) > _CONDITIONS:
        yield f"or {len(texts) - _CONDITIONS} more conditions"
    if not found.is_whole:
        yield "or others like it" if texts else f"like {printable(found.example.plain.text)}"


def _ends(found: DifferenceClass, side: int) -> Iterator[str]:
    """What becomes of the packets on a side; what follows from a binding is left out."""
    differences = found.example.differences
    for name, both in differences.items():
        if "bindings" in differences and name in BY_BINDINGS:
            continue
        text = printable(value_text(name, both[side], found.family))
        if name not in {"verdict", "bindings"}:
            text = f"{KEY_OF.get(name, name)} {text}"
        yield paint(text, ("before", "after")[side])


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
        yield from _table(("", "accepted", "where", "such as"), shown, ratios=(0, 4, 2, 4))
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


def _table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], ratios: Sequence[int]
) -> Iterator[str]:
    """Rows under their heads, as wide as the screen at most."""
    from rich.table import Table
    from rich.text import Text

    width = max(_LEAST, min(_MOST, columns() or _COLUMNS))
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, expand=True)
    for head, ratio in zip(heads, ratios, strict=True):
        table.add_column(
            head, overflow="fold", no_wrap=not ratio, ratio=ratio or None, header_style="bold"
        )
    for row in rows:
        table.add_row(*(Text.from_ansi(cell) for cell in row))
    for line in laid_out(table, width).splitlines():
        yield _TRAILING.sub(r"\1", line)
