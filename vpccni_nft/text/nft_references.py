"""What the objects of a table name: it has to be there, and no chain may lead back to itself.

nft loads neither (nf_tables_api.c: ENOENT, and nf_tables_check_loops: ELOOP).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import NFT_LOOP, NFT_MISSING, Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..core.span import Span
    from ..nft.ast import Table

#: An object of a table: ``chain``, ``set`` (maps are among these) or ``counter``, and its name.
Key = tuple[str, str]


@attrs.frozen
class Reference:
    """An object that is named, and where."""

    key: Key
    place: Span


#: What chains and maps name, by what they are.
References = dict[Key, list[Reference]]


def check_references(table: Table, references: References) -> Iterator[Diagnostic]:
    """The names of a table that nothing stands for, and the jumps that close a circle."""
    there = {("chain", chain.name) for chain in table.chains}
    there |= {("set", set_.name) for set_ in table.sets}
    there |= {("counter", counter.name) for counter in table.counters}
    for named in references.values():
        for reference in named:
            if reference.key not in there:
                kind, name = reference.key
                message = f"the table {table.name} has no {kind} {name}"
                yield Diagnostic(NFT_MISSING, message, reference.place)
    starts = [("chain", chain.name) for chain in table.chains if chain.hook]
    yield from _loops(starts, references)


def _loops(
    starts: Sequence[Key], references: Mapping[Key, Sequence[Reference]]
) -> Iterator[Diagnostic]:
    """Walk from the base chains along what is named; a circle leads to what is still walked."""
    done: set[Key] = set()
    for start in starts:
        path = {start: iter(references.get(start, ()))}
        while path:
            here = next(reversed(path))
            reference = next(path[here], None)
            if reference is None:
                done.add(here)
                del path[here]
            elif reference.key in path:
                message = f"this leads back to {reference.key[1]}, which leads here"
                yield Diagnostic(NFT_LOOP, message, reference.place)
            elif reference.key not in done:
                path[reference.key] = iter(references.get(reference.key, ()))
