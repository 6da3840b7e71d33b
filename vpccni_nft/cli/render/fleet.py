"""A fleet: the nodes that are not as they should be, and a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.render import printable
from ...fleet.summary import COUNTED, Summary
from .diagnostics import paint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...fleet.report import Report

_COLOURS = {"equivalent": "equal", "different": "different", "refused": "different"}


def line_of(report: Report) -> str:
    """A node that is not as it should be, and why."""
    answer = report["answer"]
    why = [*report["reasons"]]
    for name, dump in report["dumps"].items():
        why += (f"{name}: {packet['packet']}" for packet in dump["packets"][:1])
    first: dict[str, str] = {}
    for one in report["diagnostics"]:
        if one["refuses"] or one["kind"] == "unknown":
            first.setdefault(one["code"], one["message"])
    why += (f"{code} ({report['codes'][code]}): {message}" for code, message in first.items())
    coloured = paint(f"{answer}:", _COLOURS.get(answer, "unknown"))
    return f"{printable(report['node'])}: {coloured} {printable('; '.join(why))}"


def lines_of(summary: Summary) -> Iterator[str]:
    """The numbers of nodes, by what is counted."""
    count, like = summary.nodes["all"], summary.nodes["like"]
    yield f"{count:,} node{'s' * (count != 1)}, {like:,} of them with the same rules as another one"
    wide = max(map(len, COUNTED.values()))
    before = ""
    for title, value, nodes in summary.rows():
        if title != before:
            yield ""
        yield f"{title if title != before else '':<{wide}}  {nodes:>7,}  {value}"
        before = title
