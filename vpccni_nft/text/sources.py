"""Read the output of iptables-save, ip6tables-save and iptables -S."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.diagnostics import BAD_STRUCTURE, Diagnostic
from ..core.typed import trusted
from ..iptables.ast import Ruleset
from .dump import parse_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..core.span import Source
    from ..core.values import Family
    from ..iptables.ast import Table


@trusted()
def parse_sources(
    sources: Sequence[Source],
    family: Family | None = None,
    ipset_save: Source | None = None,
    *,
    repeats: bool = False,
) -> tuple[Ruleset, list[Diagnostic]]:
    """Read several texts as one ruleset, with every problem in them.

    ``family`` is the family of tables for which the texts do not show it. ``ipset_save`` has
    the sets that the rules name. With ``repeats`` some rules may be a ``Repeat``: for lowering.
    """
    tables: list[Table] = []
    diagnostics: list[Diagnostic] = []
    for source in sources:
        found, problems = parse_document(source, family, repeats=repeats)
        tables += found
        diagnostics += problems
    diagnostics += _repeated(tables)
    ipsets = None
    if ipset_save is not None:
        from .ipset_save import parse_ipsets

        ipsets, problems = parse_ipsets(ipset_save)
        diagnostics += problems
    return Ruleset(tuple(tables), ipsets), diagnostics


def _repeated(tables: Iterable[Table]) -> Iterator[Diagnostic]:
    """iptables-restore would let the later one of two tables replace the earlier one."""
    seen: dict[tuple[Family, str], Table] = {}
    for table in tables:
        first = seen.setdefault((table.family, table.name), table)
        if first is not table:
            yield Diagnostic(
                BAD_STRUCTURE,
                f"the {table.family.title} table {table.name} stands at {first.span} already",
                table.span,
                "translate the dumps of different nodes or back ends one by one",
            )
