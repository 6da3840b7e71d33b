"""Diagnostics as people read them."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from .diagnostics import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .diagnostics import Diagnostic
    from .span import Span

#: The most of a source line that is shown, in cells of a terminal.
WIDTH = 100

#: What changes the colour of a text, and takes no room.
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def render(
    diagnostic: Diagnostic,
    paint: Callable[[str, str], str] | None = None,
    columns: int | None = None,
) -> str:
    """Write a diagnostic with its source line and a caret.

    ``paint(text, role)`` may add colour; the roles are error, approximation, note, gutter, hint.
    ``columns`` is how wide the screen is; without it a message is one line, however long.
    """
    if paint is None:
        paint = _plain
    role = diagnostic.code.kind.value if diagnostic.refuses else Kind.NOTE.value
    place, label = printable(f"{diagnostic.span}: " if diagnostic.span else ""), _label(diagnostic)
    said = folded(f"{place}{label} {printable(diagnostic.message)}", columns)
    lines = [said.replace(label, paint(label, role), 1)]
    if diagnostic.span:
        number = str(diagnostic.span.line)
        room = WIDTH if columns is None else min(WIDTH, columns - len(f" {number} | ……"))
        code, caret = _excerpt(diagnostic.span, room)
        lines.append(f"{paint(f' {number} |', 'gutter')} {code}")
        lines.append(f"{paint(' ' * len(number) + '  |', 'gutter')} {paint(caret, role)}")
    if diagnostic.hint:
        said = folded(f"  hint: {printable(diagnostic.hint)}", columns)
        lines.append(said.replace("hint:", paint("hint:", "hint"), 1))
    return "\n".join(lines)


def printable(text: str) -> str:
    """Replace whatever could steer a terminal or is not text at all."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _plain(text: str, _role: str) -> str:
    return text


def _label(diagnostic: Diagnostic) -> str:
    allowed = " (allowed)" if diagnostic.allowed else ""
    return f"{diagnostic.code.kind.value}[{diagnostic.code}]{allowed}:"


def _excerpt(span: Span, room: int) -> tuple[str, str]:
    """The part of the line around the span, in so many cells, and a caret line for it."""
    line, place = span.source.lines[span.line - 1], span.start - 1
    start, end = _window(line, place, room)
    # A tab would move the caret; nft indents with tabs.
    before, under, after = (
        printable(line[one:other].replace("\t", " "))
        for one, other in ((start, place), (place, min(span.end - 1, end)), (span.end - 1, end))
    )
    left, right = "…" * (start > 0), "…" * (end < len(line))
    blank = " " * cells(left + before)
    return f"{left}{before}{under}{after}{right}", blank + "^" * max(1, cells(under))


def _window(line: str, place: int, room: int) -> tuple[int, int]:
    """The characters around a place that fit: a quarter before it, more where the rest is short."""
    start = end = place
    used = 0
    while start > 0 and used + cells(line[start - 1]) <= room // 4:
        start -= 1
        used += cells(line[start])
    while end < len(line) and used + cells(line[end]) <= room:
        used += cells(line[end])
        end += 1
    while start > 0 and used + cells(line[start - 1]) <= room:
        start -= 1
        used += cells(line[start])
    return start, end


def folded(line: str, columns: int | None) -> str:
    """A line of prose, continued below itself where the screen is not so wide.

    >>> print(folded("  assumed: no packet is a fragment", 24))
      assumed: no packet is
          a fragment
    """
    if columns is None or cells(line) <= columns:
        return line
    own = len(line) - len(line.lstrip(" "))
    blank = " " * (own + 4)
    rows, used = [" " * own], own
    for word in line.split():
        for piece in _cut(word, columns - len(blank)):
            if used + cells(piece) > columns and rows[-1].strip():
                rows.append(blank)
                used = len(blank)
            rows[-1] += piece
            used += cells(piece) + 1
        rows[-1] += " "
    return "\n".join(row.rstrip(" ") for row in rows)


def _cut(word: str, room: int) -> Iterator[str]:
    """A word that no line has room for, in pieces; one with colours is never so long."""
    while cells(word) > room:
        end = room // (2 if cells(word) > len(word) else 1)
        yield word[:end]
        word = word[end:]
    yield word


def cells(text: str) -> int:
    """How many columns of a terminal a text takes; colours take none.

    >>> cells("eni1"), cells("網卡")
    (4, 4)
    """
    text = _ESCAPES.sub("", text)
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(one) else 1 + (unicodedata.east_asian_width(one) in "WF")
        for one in text
    )
