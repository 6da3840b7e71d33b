"""Prove that what is loaded now means what the plan's dumps mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from .. import nft
from ..core.diagnostics import Refused
from ..core.errors import CannotRead
from ..core.render import render
from ..core.span import Source
from ..lowering.options import codes_named
from ..node.live import output_of
from ..proof.answers import Different, Equivalent
from ..proof.order import GIVEN_ORDER
from ..proof.side import Side
from ..proof.verify import ProofSettings, verify
from ..text.sources import parse_sources
from . import directory as plans
from .tables import change_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from .. import iptables


def problem_of(
    directory: Path,
    about: Mapping[str, Any],
    listing: Callable[[str, str], str],
    saved: Callable[[str, str], str],
    seconds: float,
) -> str:
    """What is wrong with the rules as they are now; empty where nothing is.

    ``listing(family, table)`` is what nft lists, ``saved(program, table)`` what iptables-save
    prints.
    """
    settings = ProofSettings(
        seconds=seconds, most=1, order=GIVEN_ORDER, allow=codes_named(about["allowed"])
    )
    sets = _file(directory, about["ipset_save"]) if about["ipset_save"] else None
    try:
        for entry in about["tables"]:
            program = entry["name"].partition(".")[0]
            before = _dump(_file(directory, about["dumps"][entry["slot"]]), entry, sets)
            now = Source.of(saved(program, entry["table"]), f"<{program}-save>")
            after = _file(directory, f"tables/{entry['name']}/after")
            if changed := change_of(entry["name"], after.lines, now.lines):
                return render(changed)
            rest = _dump(now, entry, sets)
            new = nft.parse(listing(entry["family"], entry["nft_table"]), "<nft list table>")
            answer = verify(Side((before,)), Side((new, rest)), settings)
            if not isinstance(answer, Equivalent):
                return f"{entry['name']}: {_why(answer)}"
    except Refused as refused:
        return str(refused)
    return ""


def problem_on_node(directory: Path, seconds: float) -> str:
    """The same for the rules that this node has now. Raises NoPlan."""

    def listing(family: str, table: str) -> str:
        return _printed("nft", "list", "table", family, table)

    def saved(program: str, table: str) -> str:
        return _printed(f"{program}-save", "-t", table)

    try:
        return problem_of(directory, plans.read(directory), listing, saved, seconds)
    except CannotRead as reason:
        return str(reason)


def _printed(program: str, *arguments: str) -> str:
    found = output_of(program, *arguments)
    if found is None:
        raise CannotRead(f"{program} is missing")
    return found.decode("utf-8", "surrogateescape")


def _file(directory: Path, name: str) -> Source:
    return Source.of((directory / name).read_bytes(), name)


def _dump(source: Source, entry: Mapping[str, Any], sets: Source | None) -> iptables.Ruleset:
    """One table of a dump."""
    ruleset, problems = parse_sources((source,), None, sets)
    if any(one.refuses for one in problems):
        raise Refused(problems)
    return attrs.evolve(
        ruleset,
        tables=tuple(
            table
            for table in ruleset.tables
            if (table.family.value, table.name) == (entry["family"], entry["table"])
        ),
    )


def _why(answer: object) -> str:
    if isinstance(answer, Different):
        return f"another thing happens to {answer.counterexamples[0].plain.text}"
    return "; ".join(one.message for one in getattr(answer, "reasons", ()))
