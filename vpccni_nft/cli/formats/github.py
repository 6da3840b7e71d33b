"""Commands to GitHub's runner, which shows them beside the lines of a change.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .findings import CODES, TITLES, Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .findings import Findings, Remark

_COMMANDS = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "notice"}


def lines_of(found: Findings) -> Iterator[str]:
    """A command for each remark."""
    return (_command(one) for one in found.all)


def _command(one: Remark) -> str:
    title = CODES[one.rule].title if one.rule in CODES else TITLES[one.rule]
    values = {
        "file": one.file,
        "line": one.line,
        "endLine": one.line,
        "col": one.column,
        # GitHub's last column is the last one that is meant; a SARIF region ends behind it.
        "endColumn": one.end_column and max(one.end_column - 1, one.column or 1),
        "title": f"{one.rule}: {title}",
    }
    shown = ",".join(f"{key}={_value(value)}" for key, value in values.items() if value)
    text = f"{one.message}\n{one.hint}" if one.hint else one.message
    return f"::{_COMMANDS[one.level]} {shown}::{_text(text)}"


def _text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _value(value: object) -> str:
    return _text(str(value)).replace(":", "%3A").replace(",", "%2C")
