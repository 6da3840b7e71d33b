"""Tables that a migration has loaded, and what of them is in iptables, too.

A copy of rules does not follow their owner. Where a chain of the copy has rules in iptables again,
or a rule of both has one comment, the owner has written its rules since.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import COPY_IS_STALE, Diagnostic
from ..text.nft_outline import IPTABLES_TABLES, outline
from .scan import whole_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.span import Source, Span
    from .scan import Scan

#: How a table is called that takes the rules of one of iptables.
PREFIX = "vpccni-"

_COMMENT = re.compile(r'\bcomment "([^"]*)"')
_SAVED_COMMENT = re.compile(r'--comment (?:"((?:[^"\\]|\\.)*)"|(\S+))')


@attrs.define
class MovedCopy:
    """A table that a migration has loaded."""

    family: str
    table: str  #: of iptables, whose rules it has
    span: Span
    rules: int = 0
    chains: set[str] = attrs.Factory(set)  #: that are not base chains
    comments: set[str] = attrs.Factory(set)

    @property
    def name(self) -> str:
        """The table as nft calls it."""
        return f"{self.family} {PREFIX}{self.table}"


def moved_copies(listing: Source) -> list[MovedCopy]:
    """The tables that a migration has loaded, in what ``nft list ruleset`` prints."""
    found: dict[tuple[str, str], MovedCopy] = {}
    for listed in outline(listing):
        table = listed.name.removeprefix(PREFIX)
        if listed.name == table or table not in IPTABLES_TABLES:
            continue
        for chain in listed.chains:
            key = (listed.family, table)
            copy = found.setdefault(key, MovedCopy(*key, whole_line(listing, chain.line)))
            copy.rules += len(chain.rules)
            # A leading dot marks a helper chain, and an underscore a name that was respelt.
            if not chain.hook and chain.name[0] not in "._":
                copy.chains.add(chain.name)
            for line in chain.rules:
                copy.comments.update(_COMMENT.findall(listing.lines[line - 1]))
    return list(found.values())


def stale_copies(listing: Source, program: str, family: str, dump: Scan) -> Iterator[Diagnostic]:
    """Where a dump of ``program`` has rules again that a migration has moved."""
    for copy in moved_copies(listing):
        if copy.family == family and (again := _again(copy, dump)):
            what, span = again
            yield Diagnostic(
                COPY_IS_STALE,
                f"{what} is in the table {copy.name}, and in {copy.table} of {program}: its owner"
                " has written it again, and the copy does not follow",
                span,
                "compare both; then roll the migration back, or delete the stale table",
            )


def _again(copy: MovedCopy, dump: Scan) -> tuple[str, Span] | None:
    """What a table of a dump has of a copy, and where."""
    for place, seen in dump.chains.items():
        if place.table == copy.table and seen.rules and place.chain in copy.chains:
            return f"the chain {place.chain}", seen.span
    table = ""
    for number, line in enumerate(dump.source.lines, 1):
        if line.startswith("*"):
            table = line[1:].rstrip()
        elif table == copy.table and (found := _SAVED_COMMENT.search(line)):
            comment = found[1] or found[2]
            if comment in copy.comments:
                return f"a rule with the comment “{comment}”", whole_line(dump.source, number)
    return None
