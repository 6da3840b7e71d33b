"""What is found of a node as plain values, for JSON: the keys are stable."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ..core.render import printable
from .owners import VPC_CNI
from .releases import ANY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..core.diagnostics import Diagnostic
    from .detection import Detection
    from .ownership import Answer, Inventory


def dict_of_detection(found: Detection) -> dict[str, Any]:
    """Who uses which back end, and on what evidence."""
    return {
        "kubelet": [end.value for end in found.kubelet],
        "kube_proxy": [end.value for end in found.kube_proxy],
        "cni": [end.value for end in found.cni],
        "next_start": found.next_start.value if found.next_start else None,
        "evidence": [
            {
                "agent": one.agent,
                "back_end": one.back_end.value,
                "what": printable(one.what),
                "file": printable(one.span.source.name) if one.span else None,
                "line": one.span.line if one.span else None,
            }
            for one in found.evidence
        ],
        "diagnostics": [one.to_dict() for one in found.diagnostics],
    }


def counts_of(found: Inventory) -> dict[str, dict[str, int]]:
    """How many tables of nftables, chains and rules each owner has."""
    counts = [
        Counter(one.answer.owner for one in parts)
        for parts in (found.tables, found.chains, found.rules)
    ]
    return {
        owner: dict(zip(("tables", "chains", "rules"), (one[owner] for one in counts), strict=True))
        for owner in found.owners
    }


def dict_of_inventory(found: Inventory, diagnostics: Iterable[Diagnostic]) -> dict[str, Any]:
    """Whose what is, with what is reported of it."""
    return {
        "owners": counts_of(found),
        "vpc_cni_releases": str(found.releases) if VPC_CNI in found.owners else None,
        "chains": [
            {
                "family": one.family.value,
                "table": one.table,
                "chain": printable(one.chain.name),
                **_answer(one.answer),
            }
            for one in found.chains
        ],
        "rules": [
            {
                "family": one.family.value,
                "table": one.table,
                "chain": printable(one.chain),
                "rule": printable(one.text),
                "file": printable(one.rule.span.source.name) if one.rule.span else None,
                "line": one.rule.span.line if one.rule.span else None,
                **_answer(one.answer),
            }
            for one in found.rules
        ],
        "tables": [
            {
                "family": one.family,
                "table": printable(one.name),
                "chains": one.chains,
                "rules": one.rules,
                **_answer(one.answer),
            }
            for one in found.tables
        ],
        "diagnostics": [one.to_dict() for one in diagnostics],
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "owner": answer.owner,
        "why": printable(answer.why),
        "releases": None if answer.releases == ANY else str(answer.releases),
    }
