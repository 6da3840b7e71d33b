"""The whole node of a plan before the move and after it, as texts that a kernel takes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import attrs

from ..core.span import Source
from ..node.detection import SLOTS, BackEnd
from . import custody
from . import directory as plans

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The tables of iptables-nft as ``nft list ruleset`` prints them: their dump has them, too.
_OF_IPTABLES = re.compile(r"table ip6? (?:filter|nat|mangle|raw|security) \{")


@attrs.frozen
class Rehearsal:
    """Two nodes."""

    before: tuple[Source, ...]
    after: tuple[Source, ...]
    ipset_save: Source | None
    back_end: BackEnd  #: whose programs load the dumps


def rehearsal_of(directory: Path) -> Rehearsal:
    """Both nodes of a plan. Raises NoPlan and Unsafe."""
    about = plans.read(directory)
    before, after = [], []
    for slot, name in about["dumps"].items():
        dump = _source(directory, name)
        if any(line.startswith("*") for line in dump.lines):
            before.append(dump)
            after.append(_left(directory, about, slot, dump))
    if about["nft"] and (native := native_source(_source(directory, about["nft"]))).content.strip():
        before.append(native)
        after.append(native)
    after.append(_source(directory, "apply.nft"))
    ends = {SLOTS[slot].back_end for slot, name in about["dumps"].items()
            if any(line.startswith("-A") or "] -A" in line
                   for line in _source(directory, name).lines)}  # fmt: skip
    return Rehearsal(
        tuple(before),
        tuple(after),
        _source(directory, about["ipset_save"]) if about["ipset_save"] else None,
        BackEnd.NFT if ends == {BackEnd.NFT} else BackEnd.LEGACY,
    )


def _source(directory: Path, name: str) -> Source:
    return Source.of(custody.read_file(directory / name), str(directory / name))


def _left(directory: Path, about: dict[str, Any], slot: str, dump: Source) -> Source:
    """A dump with what the move leaves of its tables."""
    files = {one["table"]: one["name"] for one in about["tables"] if one["slot"] == slot}

    def lines() -> Iterator[str]:
        inside = False
        for line in dump.lines:
            if line.startswith("*") and line[1:] in files:
                inside = True
                yield from _source(directory, f"tables/{files[line[1:]]}/after").lines
            elif not inside:
                yield line
            inside = inside and line != "COMMIT"

    text = "".join(f"{line}\n" for line in lines())
    return Source.of(text, f"what is left of {dump.name}")


def native_source(listing: Source) -> Source:
    """A listing without the tables of iptables-nft: its own dump shows them better."""
    lines = []
    inside = False
    for line in listing.lines:
        inside = inside or bool(_OF_IPTABLES.match(line))
        # A line each, so that messages name the lines of the listing.
        lines.append("" if inside else line)
        inside = inside and line != "}"
    return Source.of("".join(f"{line}\n" for line in lines), listing.name)
