"""What output goes to: how wide it is, whether it has colour, and text that is laid out for it."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, RenderableType

#: The columns of a terminal that does not say how many it has, and the fewest that are used.
_USUAL, _FEWEST = 80, 40

#: The columns of a table where there is no terminal, and the most of one.
_PIPED, _MOST = 100, 140

#: The blanks at the end of a line, and the colours among them.
_TRAILING = re.compile(r"[ ]+((?:\x1b\[[0-9;]*m)*)[ ]*$")


def is_terminal(*, err: bool = False) -> bool:
    """Whether standard output, or with ``err`` standard error, is a terminal."""
    stream = sys.stderr if err else sys.stdout
    return stream is not None and stream.isatty()


def is_dumb() -> bool:
    """Whether the terminal can neither show colours nor write a line again."""
    return os.environ.get("TERM") == "dumb"


def is_coloured(*, err: bool = False) -> bool:
    """Whether colours are shown there: see the option ``--color``."""
    context = click.get_current_context(silent=True)
    wanted = context.color if context else None
    return is_terminal(err=err) if wanted is None else wanted


def colour_of(wanted: str) -> bool | None:
    """What ``--color`` means for click: None where it depends on the stream.

    ``auto`` follows https://no-color.org: any text in the variable turns colours off.
    """
    if wanted == "auto":
        return False if os.environ.get("NO_COLOR") or is_dumb() else None
    return wanted == "always"


def columns(*, err: bool = False) -> int | None:
    """How wide the terminal is, or ``COLUMNS`` says that it is; None where it is no terminal.

    What goes to a file or a program has one line for each thing, however long.
    """
    if not is_terminal(err=err):
        return None
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return max(_FEWEST, int(given))
    try:
        found = os.get_terminal_size((sys.stderr if err else sys.stdout).fileno()).columns
    except OSError:
        found = 0
    return max(_FEWEST, found or _USUAL)


def laid_out(shown: RenderableType, width: int, *, coloured: bool = True) -> str:
    """What rich makes of it; ``click.echo`` leaves colours out where they are not wanted."""
    from rich.console import Console

    system: Literal["standard"] | None = "standard" if coloured else None
    console = Console(width=width, force_terminal=True, color_system=system, no_color=False)
    with console.capture() as captured:
        console.print(shown)
    return captured.get()


def watched() -> Console:
    """Where signs of life are shown."""
    from rich.console import Console

    return Console(stderr=True, color_system="auto" if is_coloured(err=True) else None)


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    ratios: Sequence[int],
    *,
    err: bool = False,
) -> Iterator[str]:
    """Rows under their heads, as wide as the screen at most; a column without a ratio never folds.

    The cells are safe for a terminal, and may have colours.
    """
    from rich.table import Table
    from rich.text import Text

    width = max(_FEWEST, min(_MOST, columns(err=err) or _PIPED))
    shown = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, expand=True)
    for head, ratio in zip(heads, ratios, strict=True):
        shown.add_column(
            head, overflow="fold", no_wrap=not ratio, ratio=ratio or None, header_style="bold"
        )
    for row in rows:
        shown.add_row(*(Text.from_ansi(cell) for cell in row))
    for line in laid_out(shown, width).splitlines():
        yield _TRAILING.sub(r"\1", line)
