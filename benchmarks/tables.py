"""What a program has measured: rows of named values, printed as Markdown."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Cell = str | int | float | None


@attrs.frozen
class Table:
    """Rows of the same columns; None where nothing could be measured."""

    title: str
    rows: Sequence[Mapping[str, Cell]]
    note: str = ""

    def markdown(self) -> str:
        """The table under its title; numbers with three digits."""
        columns = list(self.rows[0])
        numbers = [not isinstance(value, str) for value in self.rows[0].values()]
        lines = [
            columns,
            ["--:" if number else "---" for number in numbers],
            *([_text(row[column]) for column in columns] for row in self.rows),
        ]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return "\n\n".join(part for part in (f"### {self.title}", table, self.note) if part)

    def find(self, column: str, where: Mapping[str, Cell]) -> float | None:
        """A number of the row that holds these values, if it was measured."""
        for row in self.rows:
            if where.items() <= row.items():
                value = row[column]
                return None if value is None or isinstance(value, str) else float(value)
        return None


def _text(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if cell >= 100 else f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) else cell


@attrs.frozen(str=False)
class Program:
    """A benchmark: what it measures, for nodes of these numbers of Services."""

    name: str
    about: str | None
    measure: Callable[[Sequence[int]], Iterable[Table]]
    services: Sequence[int]
    quickly: Sequence[int]

    def __str__(self) -> str:
        return self.name

    def run(self, *, quick: bool) -> list[Table]:
        """All tables, of nodes of the usual sizes or of small ones."""
        return list(self.measure(self.quickly if quick else self.services))

    def main(self) -> None:
        """Print the tables."""
        parser = argparse.ArgumentParser(
            description=self.about, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument("services", nargs="*", type=int, help="numbers of Services")
        parser.add_argument("--quick", action="store_true", help="small nodes only")
        arguments = parser.parse_args()
        usual = self.quickly if arguments.quick else self.services
        for table in self.measure(arguments.services or usual):
            print(f"{table.markdown()}\n")
