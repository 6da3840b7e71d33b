"""What is found of a node, as an object for JSON: its keys are stable."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ..core.render import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ..core.diagnostics import Diagnostic

Report = dict[str, Any]

#: The answers, the worst one last.
ANSWERS = (EQUIVALENT, UNKNOWN, FAILED, UNREADABLE, REFUSED, DIFFERENT) = (
    "equivalent", "unknown", "failed", "unreadable", "refused", "different"
)  # fmt: skip

#: The most diagnostics that are kept of a node. Their number is in ``codes``.
SHOWN = 50


def new_report(answer: str = EQUIVALENT, *reasons: str) -> Report:
    """The report of a node of which no more is known."""
    return {
        "answer": answer,
        "reasons": [printable(reason) for reason in reasons],
        "detection": {"kubelet": [], "kube_proxy": [], "cni": [], "next_start": None},
        "cni_releases": [],
        "owners": {},
        "dumps": {},
        "codes": {},
        "if_allowed": {},
        "diagnostics": [],
    }


def of_node(
    name: str, files: Mapping[str, str], rules: str | None, like: str | None, report: Report
) -> Report:
    """A report as that of a node.

    ``rules`` is the key of its rules; ``like`` is the node with the same ones that was examined.
    """
    return {
        "node": printable(name),
        "like": like and printable(like),
        "rules": rules,
        "files": {what: printable(file) for what, file in files.items()},
        **report,
    }


def worst(answers: Collection[str]) -> str:
    """The answer for all."""
    return max(answers, key=ANSWERS.index, default=EQUIVALENT)


def codes_of(reported: Iterable[Diagnostic]) -> dict[str, int]:
    """How often each code was reported."""
    return dict(sorted(Counter(one.code.name for one in reported).items()))


def diagnostics_of(reported: Iterable[Diagnostic]) -> list[dict[str, Any]]:
    """The first ones; those that refuse something go first."""
    chosen = sorted(reported, key=lambda one: not one.refuses)[:SHOWN]
    return [one.to_dict() for one in chosen]
