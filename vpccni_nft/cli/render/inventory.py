"""Whose the chains and rules of a dump are, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...node.as_dict import counts_of
from ...node.owners import OWNERS, VPC_CNI
from ...node.releases import ANY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...node.ownership import Answer, Inventory


def lines_of_owners(found: Inventory) -> Iterator[str]:
    """A row for each owner that is there."""
    counts = counts_of(found)
    what = {owner.name: owner.what for owner in OWNERS}
    yield f"{'owner':<16}{'tables':>8}{'chains':>8}{'rules':>8}  what"
    for owner in found.owners:
        releases = f", {found.releases}" if owner == VPC_CNI and found.releases != ANY else ""
        numbers = "".join(f"{number:>8}" for number in counts[owner].values())
        yield f"{owner:<16}{numbers}  {what[owner]}{releases}"


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
