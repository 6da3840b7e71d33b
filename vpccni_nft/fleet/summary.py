"""A fleet in numbers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs

from ..core.diagnostics import CATALOGUE
from ..core.exit_codes import ExitCode
from .report import ANSWERS, DIFFERENT, EQUIVALENT, REFUSED, UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .report import Report

#: What nodes are counted by, and how it is called.
COUNTED = {
    "answer": "answer",
    "kubelet": "kubelet",
    "kube_proxy": "kube-proxy",
    "cni": "vpc-cni",
    "releases": "vpc-cni release",
    "codes": "code",
}


@attrs.frozen
class Summary:
    """Numbers of nodes."""

    nodes: Counter[str] = attrs.Factory(Counter)  #: ``all``, and ``like`` others
    counts: dict[str, Counter[str]] = attrs.Factory(lambda: {name: Counter() for name in COUNTED})
    #: Answers of nodes that are refused, by the codes that would have to be allowed for them.
    if_allowed: dict[str, Counter[str]] = attrs.Factory(dict)

    def add(self, report: Report) -> None:
        """Count a node."""
        self.nodes["all"] += 1
        self.nodes["like"] += report["like"] is not None
        self.counts["answer"][report["answer"]] += 1
        for agent in ("kubelet", "kube_proxy", "cni"):
            back_ends = ", ".join(report["detection"][agent])
            self.counts[agent][back_ends or "unknown"] += 1
        releases = ", ".join(dict.fromkeys(report["cni_releases"]))
        self.counts["releases"][releases or "unknown"] += 1
        self.counts["codes"].update(report["codes"].keys())
        for codes, answer in report["if_allowed"].items():
            self.if_allowed.setdefault(codes, Counter())[answer] += 1

    def rows(self) -> Iterator[tuple[str, str, int]]:
        """What is counted, a value of it, and the number of nodes; answers and codes in order."""
        for name, title in COUNTED.items():
            counts = self.counts[name]
            match name:
                case "answer":
                    values = [answer for answer in ANSWERS if counts[answer]]
                case "codes":
                    values = sorted(counts)
                case _:
                    # Those of one number by their names.
                    values = sorted(sorted(counts), key=counts.__getitem__, reverse=True)
            for value in values:
                yield title, value, counts[value]

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON; the keys are stable (``docs/schemas``)."""
        titles = {code.name: code for code in CATALOGUE}
        return {
            "nodes": self.nodes["all"],
            "like": self.nodes["like"],
            **{
                name: dict(sorted(counts.items()))
                for name, counts in self.counts.items()
                if name != "codes"
            },
            "codes": [
                {
                    "code": name,
                    "kind": titles[name].kind.value,
                    "title": titles[name].title,
                    "nodes": nodes,
                }
                for name, nodes in sorted(self.counts["codes"].items())
            ],
            "if_allowed": {
                codes: dict(sorted(counts.items()))
                for codes, counts in sorted(self.if_allowed.items())
            },
        }

    @property
    def exit_code(self) -> ExitCode:
        """What a command that looks at a fleet ends with."""
        return code_of_answers(self.counts["answer"])


def code_of_answers(answers: Counter[str]) -> ExitCode:
    """What a command ends with, by how many nodes have which answer."""
    if answers[UNREADABLE] == answers.total():
        return ExitCode.USAGE
    if answers[REFUSED] or answers[DIFFERENT]:
        return ExitCode.REFUSED
    return ExitCode.DONE if answers[EQUIVALENT] == answers.total() else ExitCode.UNKNOWN
