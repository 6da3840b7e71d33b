"""The tables and chains of what nft list ruleset prints, without reading a rule.

A listing may have rules that nobody can read, such as those of iptables' extensions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ..core.span import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: The tables of the families ip and ip6 that belong to iptables-nft.
IPTABLES_TABLES = frozenset({"filter", "nat", "mangle", "raw", "security"})

#: What nft writes behind a brace: a handle, or the program that a table belongs to.
_REMARK = r'\s*(?:#[^"]*)?\Z'
_TABLE = re.compile(
    rf"(?:(?:add|create)\s+)?table\s+(?P<family>\S+)\s+(?P<name>[^\s{{]+)\s*(?P<open>\{{)?{_REMARK}"
)
_CHAIN = re.compile(rf"chain\s+(?P<name>[^\s{{]+)\s*\{{{_REMARK}")
_OPENS = re.compile(rf"\{{{_REMARK}")
_HOOK = re.compile(
    r"type\s+(\S+)\s+hook\s+(\S+)(?:\s+devices?\s.*?)?\s+priority\s+([^;]+);"
    r"(?P<whole>\s*(?:policy\s+\w+;)?\Z)?"
)
#: Lines that are no rules. A rule of iptables-nft may begin with its comment.
_COMMENT = re.compile(r'comment "[^"]*"\Z|#|\Z')
_HEAD = re.compile(r"(?:type|policy)\s")
#: Several rules in one line, which nft does not print.
_SEVERAL = re.compile(r'(?:[^";]|"[^"]*")*;')


@attrs.define
class OutlinedChain:
    """A chain of a listing."""

    name: str
    line: int
    hook: str = ""  #: of a base chain: its type, hook and priority
    rules: list[int] = attrs.Factory(list)  #: the lines that they stand in


@attrs.define
class OutlinedTable:
    """A table of a listing."""

    family: str
    name: str
    first: int
    last: int = 0  #: 0 where it does not end
    chains: list[OutlinedChain] = attrs.Factory(list)
    #: Whether there is nothing but chains, written as nft prints them, so that all are seen.
    plain: bool = True

    @property
    def of_iptables(self) -> bool:
        """Whether iptables-nft calls a table of its own so."""
        return self.family in {"ip", "ip6"} and self.name in IPTABLES_TABLES


def outline(source: Source) -> list[OutlinedTable]:
    """The tables of a listing in their order."""
    return list(_tables(source))


def _tables(source: Source) -> Iterator[OutlinedTable]:
    table: OutlinedTable | None = None
    chain: OutlinedChain | None = None
    inner = 0  # braces that are open in a chain, a set, a map or another object
    for number, raw in enumerate(source.lines, start=1):
        line = raw.strip()
        opens = not line.startswith("#") and bool(_OPENS.search(line))
        if table is None:
            if found := _TABLE.match(line):
                table = OutlinedTable(found["family"], found["name"], number)
                yield table
                if not found["open"]:
                    table = None
        elif line.startswith("}"):
            if inner:
                inner -= 1
            elif chain:
                chain = None
            else:
                table.last = number
                table = None
        elif inner:
            inner += opens
        elif chain:
            _fill(table, chain, number, line)
            inner += opens
        elif found := _CHAIN.match(line):
            chain = OutlinedChain(found["name"], number)
            table.chains.append(chain)
        elif not _COMMENT.match(line):
            table.plain = False
            inner += opens


def _fill(table: OutlinedTable, chain: OutlinedChain, number: int, line: str) -> None:
    """One line of a chain."""
    if found := _HOOK.match(line):
        chain.hook = f"{found[1]} {found[2]}, priority {found[3].strip()}"
        table.plain = table.plain and found["whole"] is not None
    elif _HEAD.match(line):
        table.plain = False
    elif not _COMMENT.match(line):
        chain.rules.append(number)
        table.plain = table.plain and not _SEVERAL.match(line)


def without(source: Source, tables: Iterable[OutlinedTable]) -> Source:
    """A listing with the lines of some tables left empty, so that all others keep their places."""
    lines = list(source.lines)
    for table in tables:
        lines[table.first - 1 : table.last] = [""] * (table.last - table.first + 1)
    return attrs.evolve(source, lines=tuple(lines))
