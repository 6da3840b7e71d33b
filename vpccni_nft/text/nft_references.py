"""What nft finds wrong in a table that reads well: what is missing, and what leads in a circle.

It loads neither (nf_tables_api.c: ENOENT, and nf_tables_check_loops: ELOOP), nor NAT to a port of
any protocol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import NFT_LOOP, NFT_SYNTAX, Diagnostic
from ..core.values import WideFamily
from ..nft.transport import ports_without_protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..core.span import Span
    from .nft_drafts import NftTableDraft

#: An object of a table: ``chain``, ``set`` (maps are among these) or ``counter``, and its name.
Key = tuple[str, str]


class Missing(ValueError):  # noqa: N818 - as Problem
    """Something that is named is not there."""


@attrs.frozen
class Reference:
    """An object that is named, and where."""

    key: Key
    place: Span


#: What chains and maps name, by what they are.
References = dict[Key, list[Reference]]


def check_loops(table: NftTableDraft) -> Iterator[Diagnostic]:
    """The jumps that close a circle."""
    starts = [("chain", name) for name, chain in table.chains.items() if chain.hook]
    yield from _loops(starts, table.references)


def check_ports(table: NftTableDraft) -> Iterator[Diagnostic]:
    """The rules that map ports of they do not say which protocol."""
    sets = {name: one.declared for name, one in table.sets.items()}
    both = isinstance(table.family, WideFamily)
    for chain in table.chains.values():
        for one in chain.rules:
            if ports_without_protocol(one.rule, sets, both=both):
                message = "NAT to a port needs the transport protocol in the rule"
                hint = "write meta l4proto tcp, or another protocol, ahead of it"
                yield Diagnostic(NFT_SYNTAX, message, one.rule.origin, hint=hint)


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
