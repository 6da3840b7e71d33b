"""A fleet: the nodes that are not as they should be, and a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.render import printable
from ...fleet.report import ANSWERS
from ...fleet.summary import COUNTED, Summary
from .diagnostics import paint
from .screen import table

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


def lines_of_codes(summary: Summary) -> Iterator[str]:
    """How many nodes have each code, and what they would be if it were allowed."""
    found = summary.to_dict()
    rows = [
        (f"{one['nodes']:,}", one["code"], one["title"], _answers(found, one["code"]))
        for one in found["codes"]
    ]
    for codes in found["if_allowed"]:
        if " " in codes:
            nodes = sum(found["if_allowed"][codes].values())
            rows.append((f"{nodes:,}", codes, "all of these", _answers(found, codes)))
    if rows:
        heads = ("nodes", "code", "what", "if it were allowed")
        yield from table(heads, rows, ratios=(0, 0, 3, 2))


def _answers(found: dict[str, Any], codes: str) -> str:
    answers = found["if_allowed"].get(codes, {})
    return ", ".join(f"{answers[one]:,} {one}" for one in ANSWERS if one in answers)


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
