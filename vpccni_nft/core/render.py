"""Diagnostics as people and programs read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .diagnostics import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from .diagnostics import Diagnostic
    from .span import Span

#: The most characters of a source line that are shown.
WIDTH = 100


def render(diagnostic: Diagnostic, paint: Callable[[str, str], str] | None = None) -> str:
    """Write a diagnostic with its source line and a caret.

    ``paint(text, role)`` may add colour; the roles are error, approximation, note, gutter, hint.
    """
    if paint is None:
        paint = _plain
    role = diagnostic.code.kind.value if diagnostic.refuses else Kind.NOTE.value
    place = f"{diagnostic.span}: " if diagnostic.span else ""
    lines = [f"{printable(place)}{paint(_label(diagnostic), role)} {printable(diagnostic.message)}"]
    if diagnostic.span:
        number = str(diagnostic.span.line)
        code, caret = _excerpt(diagnostic.span)
        lines.append(f"{paint(f' {number} |', 'gutter')} {code}")
        lines.append(f"{paint(' ' * len(number) + '  |', 'gutter')} {paint(caret, role)}")
    if diagnostic.hint:
        lines.append(f"  {paint('hint:', 'hint')} {printable(diagnostic.hint)}")
    return "\n".join(lines)


def as_dict(diagnostic: Diagnostic) -> dict[str, Any]:
    """A diagnostic for ``json.dumps``; the keys are stable."""
    span = diagnostic.span
    return {
        "code": diagnostic.code.name,
        "kind": diagnostic.code.kind.value,
        "refuses": diagnostic.refuses,
        "message": printable(diagnostic.message),
        "hint": printable(diagnostic.hint),
        "file": printable(span.source.name) if span else None,
        "line": span.line if span else None,
        "column": span.start if span else None,
        "end_column": span.end if span else None,
    }


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


def _excerpt(span: Span) -> tuple[str, str]:
    """The part of the line around the span, and a caret line for it."""
    line = span.source.lines[span.line - 1]
    start = 0
    if len(line) > WIDTH:
        start = max(0, min(span.start - 1 - WIDTH // 4, len(line) - WIDTH))
    # A tab would move the caret; nft indents with tabs.
    shown = printable(line[start : start + WIDTH].replace("\t", " "))
    before, after = "…" * (start > 0), "…" * (start + WIDTH < len(line))
    column = span.start - 1 - start
    length = max(1, min(span.end, start + WIDTH + 1) - span.start)
    return before + shown + after, " " * (len(before) + column) + "^" * length
