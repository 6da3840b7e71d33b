"""A group of nodes: whether it may go on, the nodes that stop it, and numbers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from ...core.exit_codes import ExitCode
from ...core.render import printable
from ...fleet.report import ANSWERS
from ...fleet.summary import code_of_answers
from .diagnostics import paint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...fleet.report import Report

_COLOURS = {"equivalent": "equal", "different": "different", "refused": "different"}


@attrs.frozen
class GateTally:
    """Numbers of nodes."""

    answers: Counter[str] = attrs.Factory(Counter)
    modes: Counter[str] = attrs.Factory(Counter)
    accepted: Counter[str] = attrs.Factory(Counter)
    codes: Counter[str] = attrs.Factory(Counter)
    shapes: set[str] = attrs.Factory(set)

    def add(self, report: Report) -> None:
        """Count a node."""
        self.answers[report["answer"]] += 1
        self.accepted.update(report["accepted"])
        self.codes.update(report["codes"].keys())
        if report["before"] and report["after"]:
            modes = " to ".join(report[side]["mode"] for side in ("before", "after"))
            self.modes[f"{modes}, {report['change']}"] += 1
        if report["shape"]:
            self.shapes.add(report["shape"])

    @property
    def exit_code(self) -> ExitCode:
        """What the command ends with."""
        return code_of_answers(self.answers)


def line_of(report: Report) -> str:
    """A node that stops the others, and why."""
    answer = report["answer"]
    why = [*report["reasons"], *report["classes"][:1]]
    first: dict[str, str] = {}
    for one in report["diagnostics"]:
        first.setdefault(one["code"], one["message"])
    why += (f"{code}: {message}" for code, message in first.items())
    coloured = paint(f"{answer}:", _COLOURS.get(answer, "unknown"))
    return f"{printable(report['node'])}: {coloured} {printable('; '.join(why))}"


def lines_of(tally: GateTally) -> Iterator[str]:
    """The answer for the group, and the numbers of nodes."""
    count, shapes = tally.answers.total(), len(tally.shapes)
    if tally.exit_code is ExitCode.DONE:
        yield paint("go on: every node is equivalent, but for what is accepted", "equal")
    else:
        yield paint("stop: not every node is equivalent", "different")
    yield f"{count:,} node{'s' * (count != 1)} of {shapes:,} shape{'s' * (shapes != 1)}"
    rows = {
        "answer": [(answer, tally.answers[answer]) for answer in ANSWERS if tally.answers[answer]],
        "kube-proxy": sorted(tally.modes.items()),
        "accepted": sorted(tally.accepted.items()),
        "code": sorted(tally.codes.items()),
    }
    for title, values in rows.items():
        if values:
            yield ""
        for index, (value, nodes) in enumerate(values):
            yield f"{'' if index else title:<10}  {nodes:>7,}  {printable(value)}"
