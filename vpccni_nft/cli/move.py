"""Translate one owner's rules, proved to do the same beside those of the others."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from .. import nft
from ..core.diagnostics import NOT_A_DUMP, Refused
from ..node.extraction import OwnerExtraction
from ..node.partition import OWNER_NAMES
from .files import read_sources
from .report import show
from .verify import UNREADABLE, exit_code, lines_of_answer, progress_of_proof

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.span import Source
    from ..lowering import TranslateOptions
    from ..node.extraction import Layout, Move

REFUSED = 1


def move_files(
    sources: Sequence[Source],
    owner: str,
    *,
    layout: Layout,
    beside: Sequence[str],
    options: TranslateOptions,
    seconds: float,
) -> Move:
    """Move the owner's rules, and say what is proved; exits where the move is refused."""
    if owner not in OWNER_NAMES:
        raise click.BadParameter(f"one of {', '.join(OWNER_NAMES)}", param_hint="--owner")
    tables = _tables(beside)
    with progress_of_proof() as progress:
        try:
            moving = OwnerExtraction(owner, layout, tables, options, seconds, progress)
        except ValueError as wrong:
            raise click.UsageError(str(wrong)) from None
        moved = moving.of(sources)
    show(moved.diagnostics, notes=True)
    if moved.answer:
        parts = f"the part of {owner} with the rest"
        for line in lines_of_answer(moved.answer, "the input", parts):
            click.echo(line, err=True)
    if moved.refused:
        sys.exit(_exit_code(moved))
    return moved


def _tables(beside: Sequence[str]) -> tuple[nft.Ruleset, ...]:
    """What stands in the files; exit 2 where one cannot be read."""
    try:
        return tuple(
            nft.parse(one.content, one.name) for one in (read_sources(beside) if beside else ())
        )
    except Refused as refused:
        show(refused.diagnostics, notes=False)
        sys.exit(UNREADABLE)


def _exit_code(moved: Move) -> int:
    if moved.answer:
        return exit_code(moved.answer)
    if any(found.code is NOT_A_DUMP for found in moved.diagnostics):
        return UNREADABLE
    return REFUSED
