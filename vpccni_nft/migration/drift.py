"""Prove that a node's present rules still mean what a stored plan meant, or show packets.

A plan is what ``vpccni-nft migrate plan`` writes. What is expected of the node is what it says is
there after the move: the tables that stay as they were, what is left of the others, and the tables
of ``apply.nft``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from .. import nft
from ..core.diagnostics import Refused
from ..core.errors import CannotRead
from ..core.span import Source
from ..core.values import Family
from ..iptables.ast import Ruleset, Table
from ..lowering.options import codes_named
from ..node.detection import SLOTS, BackEnd
from ..node.files import node_of
from ..node.live import read_node
from ..node.ownership import inventory
from ..node.partition import take
from ..node.scan import scan_ruleset
from ..node.snapshot import DUMPS, NFT
from ..proof.side import Side
from ..text.sources import parse_sources
from . import directory as plans
from .moves import moves_of
from .plan import ALL
from .rehearsal import native_source
from .saved import SavedTable
from .stale import stale

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..core.diagnostics import Code
    from .moves import TableMove


@attrs.frozen(kw_only=True)
class _Left:
    """What a plan says is on the node after the move."""

    owner: str
    allow: frozenset[Code]
    owners: frozenset[str]  #: whose rules were moved
    moves: tuple[tuple[str, TableMove], ...]  #: by slot
    tables: frozenset[tuple[str, str]]  #: the slots and the names of tables with rules that move
    rulesets: dict[str, Ruleset]  #: what is left in iptables, by slot
    script: nft.Ruleset
    others: nft.Ruleset  #: the native tables that were there before


@attrs.frozen
class Drift:
    """What is to be compared: the node as the plan left it, and as it is now."""

    expected: Side
    present: Side
    allow: frozenset[Code]  #: approximations that the plan takes for exact
    #: What owners of moved rules have written since: the packets are not what they want any more.
    stale: tuple[str, ...]


def drift_of(directory: Path, now: Sequence[Path] = (), *, moved: bool = False) -> Drift:
    """Read a plan and what the node has now.

    ``now`` are files or folders with what the node has; without one this node is read. With
    ``moved`` only what the plan moved is compared. Raises CannotRead where a file, the plan or the
    node does not give what is needed, and Refused where a text is no dump or ruleset.
    """
    plan = _read_plan(directory)
    dumps, rulesets, present = _read_now(plan, now)
    copies = {(table.family, table.name) for table in present.tables}
    found = [
        sentence
        for slot, move in plan.moves
        if slot in dumps and (move.family, move.nft_table) in copies
        for sentence in stale(move, plan.owners, SavedTable.of(move.table, dumps[slot].lines))
    ]
    native = [plan.others, plan.script]
    expected = plan.rulesets
    if moved:
        native = [plan.script]
        present = _only(present, plan.script)
        expected, rulesets = (_moved_of(plan, side) for side in (expected, rulesets))
    return Drift(
        Side((*expected.values(), *native)),
        Side((*rulesets.values(), present)),
        plan.allow,
        tuple(found),
    )


# --- the plan -------------------------------------------------------------------------------------


def _read_plan(directory: Path) -> _Left:
    try:
        about = plans.as_written(directory)
        moved = {(one["slot"], one["table"]): one["name"] for one in about["tables"]}
        dumps = {slot: _source(directory / file) for slot, file in about["dumps"].items()}
        others = _source(directory / about["nft"]) if about["nft"] else None
        left = {key: _source(directory / "tables" / name / "after") for key, name in moved.items()}
        return _Left(
            owner=about["owner"],
            owners=frozenset(about["rules"]["moved"]),
            moves=tuple(
                zip(
                    (one["slot"] for one in about["tables"]),
                    moves_of(directory, about),
                    strict=True,
                )
            ),
            allow=codes_named(about["allowed"]),
            tables=frozenset(moved),
            rulesets={slot: _after(slot, source, left) for slot, source in dumps.items()},
            script=nft.parse(_source(directory / "apply.nft").content, "apply.nft"),
            others=_native(others) if others else nft.Ruleset(),
        )
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CannotRead(
            f"{directory / 'plan.json'} is not what migrate plan writes: {error!r}"
        ) from None


def _source(path: Path) -> Source:
    try:
        return Source.of(path.read_bytes(), str(path))
    except OSError as error:
        raise CannotRead(f"cannot read {path}: {error.strerror}") from None


def _after(slot: str, dump: Source, left: dict[tuple[str, str], Source]) -> Ruleset:
    """A dump with what the move leaves of its tables."""
    ruleset = _parse(slot, dump)
    tables: list[Table] = []
    for table in ruleset.tables:
        rest = left.get((slot, table.name))
        tables += _parse(slot, rest).tables if rest else [table]
    return attrs.evolve(ruleset, tables=tuple(tables))


def _parse(slot: str, source: Source) -> Ruleset:
    """A dump, which may have no table: iptables-nft-save prints nothing where there is none."""
    if not any(line and not line.startswith("#") for line in source.lines):
        return Ruleset()
    ruleset, problems = parse_sources((source,), Family(SLOTS[slot].family), None)
    if any(one.refuses for one in problems):
        raise Refused(problems)
    return ruleset


def _native(listing: Source) -> nft.Ruleset:
    """The tables of a listing but for those of iptables-nft."""
    return nft.parse(native_source(listing).content, listing.name)


# --- the node -------------------------------------------------------------------------------------


def _read_now(
    plan: _Left, now: Sequence[Path]
) -> tuple[dict[str, Source], dict[str, Ruleset], nft.Ruleset]:
    """The dumps and the rules of iptables by slot, and the native tables."""
    dumps, listing = _given(now) if now else _live()
    if listing is None:
        raise CannotRead("what nft list ruleset prints is missing")
    needed = {slot for slot in plan.rulesets if slot not in dumps}
    needed |= {slot for slot in _listed(listing) if slot not in dumps}
    if needed:
        programs = ", ".join(sorted(SLOTS[slot].program for slot in needed))
        raise CannotRead(f"what {programs} prints is missing")
    rulesets = {slot: _parse(slot, dumps[slot]) for slot in SLOTS if slot in dumps}
    return dumps, rulesets, _native(listing)


def _live() -> tuple[dict[str, Source], Source | None]:
    dumps, listing, _ = read_node()
    return dumps, listing


def _given(now: Sequence[Path]) -> tuple[dict[str, Source], Source | None]:
    try:
        node = node_of(now)
    except OSError as error:
        raise CannotRead(f"cannot read {error.filename}: {error.strerror}") from None
    if node.problem:
        raise CannotRead(node.problem)
    sources = {name: Source.of(text, node.files[name]) for name, text in node.texts.items()}
    dumps = {}
    for name, source in sources.items():
        if name in DUMPS:
            slot = DUMPS[name].slot
            if slot is None or slot not in SLOTS:
                raise CannotRead(f"it is unclear which program wrote {source.name}")
            dumps[slot] = source
    return dumps, sources.get(NFT)


def _listed(listing: Source) -> Iterator[str]:
    """The slots of iptables-nft whose rules are in a listing."""
    families = {
        place.family
        for place, seen in scan_ruleset(listing).chains.items()
        if place.of_iptables and seen.rules
    }
    for name, slot in SLOTS.items():
        if slot.back_end is BackEnd.NFT and slot.family in families:
            yield name


# --- what the plan moved --------------------------------------------------------------------------


def _only(present: nft.Ruleset, script: nft.Ruleset) -> nft.Ruleset:
    """The tables that the plan wrote."""
    names = {(table.family, table.name) for table in script.tables}
    tables = (table for table in present.tables if (table.family, table.name) in names)
    return nft.Ruleset(tuple(tables))


def _moved_of(plan: _Left, rulesets: dict[str, Ruleset]) -> dict[str, Ruleset]:
    """What is in iptables of that which the plan moved: nothing, or what was put back."""
    found = {}
    for slot, ruleset in rulesets.items():
        tables = (table for table in ruleset.tables if (slot, table.name) in plan.tables)
        part = attrs.evolve(ruleset, tables=tuple(tables))
        if plan.owner == ALL:
            found[slot] = part
        elif plan.owner in inventory(part).owners:
            found[slot] = take(part, plan.owner)[0]
    return found
