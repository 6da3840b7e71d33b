"""Show diagnostics on standard error."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from ...core.diagnostics import UNREADABLE_CODES, Kind
from ...core.exit_codes import ExitCode
from ...core.render import folded, render
from .screen import columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...core.diagnostics import Diagnostic

#: The most diagnostics that are written out.
SHOWN = 50

_COLOURS = {
    "error": "red", "approximation": "yellow", "note": "cyan", "gutter": "blue",
    "equal": "green", "different": "red", "unknown": "yellow", "before": "red", "after": "green",
}  # fmt: skip
_BOLD = {"error", "approximation", "hint", "equal", "different", "unknown"}


def show(diagnostics: Iterable[Diagnostic], *, notes: bool) -> None:
    """Write the diagnostics and a summary; in colour where standard error is a terminal."""
    found = tuple(diagnostics)
    chosen = [one for one in found if notes or one.code.kind is not Kind.NOTE]
    width = columns(err=True)
    for one in chosen[:SHOWN]:
        click.echo(render(one, paint, width), err=True)
    if len(chosen) > SHOWN:
        click.echo(f"... and {len(chosen) - SHOWN} more", err=True)
    if found:
        click.echo(folded(_summary(found, notes_shown=notes), width), err=True)


def show_lines(lines: Iterable[str], found: Sequence[Diagnostic]) -> None:
    """Write lines about the diagnostics in place of each of them, and the same summary."""
    for line in lines:
        click.echo(line, err=True)
    if found:
        summary = _summary(found, notes_shown=True)
        click.echo(folded(summary, columns(err=True)), err=True)


def code_of(diagnostics: Iterable[Diagnostic]) -> ExitCode:
    """What a command ends with that found these problems."""
    found = tuple(diagnostics)
    if any(one.code in UNREADABLE_CODES for one in found):
        return ExitCode.USAGE
    return ExitCode.REFUSED if any(one.refuses for one in found) else ExitCode.DONE


def paint(text: str, role: str) -> str:
    """A text in the colour of its role."""
    return click.style(text, fg=_COLOURS.get(role), bold=role in _BOLD)


def _summary(found: Sequence[Diagnostic], *, notes_shown: bool) -> str:
    count = Counter("allowed" if one.allowed else one.code.kind.value for one in found)
    parts = [
        f"{count[name]} {name}{'s' if count[name] != 1 and name != 'allowed' else ''}"
        for name in ("error", "approximation", "allowed", "note")
        if count[name]
    ]
    hint = " (vpccni-nft check shows them)" if count["note"] and not notes_shown else ""
    to_allow = sorted(
        {one.code.name for one in found if one.refuses and one.code.kind is not Kind.ERROR}
    )
    allow = f"; to take the approximations: {' '.join(f'--allow {c}' for c in to_allow)}" * bool(
        to_allow
    )
    return f"{', '.join(parts)}{hint}{allow}"
