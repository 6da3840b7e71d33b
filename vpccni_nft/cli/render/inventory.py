"""Whose the chains and rules of a dump are, as text or as JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ...core.render import as_dict, printable
from ...node.owners import OWNERS, VPC_CNI
from ...node.releases import ANY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ...core.diagnostics import Diagnostic
    from ...node.ownership import Answer, Inventory


def lines_of_owners(found: Inventory) -> Iterator[str]:
    """A row for each owner that is there."""
    chains, rules = _counts(found)
    what = {owner.name: owner.what for owner in OWNERS}
    yield f"{'owner':<16}{'tables':>8}{'chains':>8}{'rules':>8}  what"
    for owner in found.owners:
        releases = f", {found.releases}" if owner == VPC_CNI and found.releases != ANY else ""
        counts = f"{_tables(found, owner):>8}{chains[owner]:>8}{rules[owner]:>8}"
        yield f"{owner:<16}{counts}  {what[owner]}{releases}"


def lines_of_rules(found: Inventory) -> Iterator[str]:
    """A line for each chain and each rule, as iptables-save prints it, behind its owner."""
    for chain in found.chains:
        place = f"{chain.family.value} {chain.table}"
        yield _line(chain.answer, place, f":{chain.chain.name}")
    for rule in found.rules:
        yield _line(rule.answer, f"{rule.family.value} {rule.table}", rule.text)
    for table in found.tables:
        yield _line(table.answer, table.family, f"table {table.name}, {table.rules:,} rules")


def _line(answer: Answer, place: str, text: str) -> str:
    return f"{answer.owner:<16}{place:<12}{text}  # {answer.why}"


def _tables(found: Inventory, owner: str) -> int:
    return sum(table.answer.owner == owner for table in found.tables)


def _counts(found: Inventory) -> tuple[Mapping[str, int], Mapping[str, int]]:
    chains = Counter(one.answer.owner for one in found.chains)
    return chains, Counter(one.answer.owner for one in found.rules)


def dict_of(found: Inventory, diagnostics: Iterable[Diagnostic]) -> dict[str, Any]:
    """The keys are stable."""
    chains, rules = _counts(found)
    return {
        "owners": {
            owner: {"tables": _tables(found, owner), "chains": chains[owner], "rules": rules[owner]}
            for owner in found.owners
        },
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
        "diagnostics": [as_dict(one) for one in diagnostics],
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "owner": answer.owner,
        "why": printable(answer.why),
        "releases": None if answer.releases == ANY else str(answer.releases),
    }
