"""Findings of one kind as one line: how many there are, and where the first is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..render.screen import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .findings import Findings, Remark


def _groups(found: Findings) -> list[list[Remark]]:
    """The largest first."""
    groups: dict[tuple[str, str], list[Remark]] = {}
    for one in found.all:
        groups.setdefault((one.rule, one.what), []).append(one)
    return sorted(groups.values(), key=lambda group: (-len(group), group[0].rule))


def lines_of(found: Findings, *, err: bool = False) -> Iterator[str]:
    """A table for the screen that it is written to; no line where nothing was found."""
    rows = [
        (str(len(group)), group[0].level.value, group[0].rule, group[0].what, _place(group[0]))
        for group in _groups(found)
    ]
    if rows:
        heads = ("", "", "code", "what", "first at")
        yield from table(heads, rows, ratios=(0, 0, 0, 3, 2), err=err)


def _place(one: Remark) -> str:
    return ":".join(str(part) for part in (one.file, one.line, one.column) if part is not None)


def dicts_of(found: Findings) -> list[dict[str, Any]]:
    """The same for JSON."""
    return [
        {
            "code": group[0].rule,
            "level": group[0].level.value,
            "what": group[0].what,
            "count": len(group),
            "file": group[0].file,
            "line": group[0].line,
        }
        for group in _groups(found)
    ]
