"""Translate files."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from ..core.diagnostics import NOT_A_DUMP
from ..translation import translate_sources
from .files import one_standard_input, read_sources
from .options import DONE, REFUSED, UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from ..core.span import Source
    from ..lowering import TranslateOptions
    from ..translation import Translation


def translate_all(sources: tuple[Source, ...], options: TranslateOptions) -> Translation:
    """Translate dumps as one."""
    with _progress(sum(len(source.lines) for source in sources)):
        return translate_sources(sources, options)


def read_dumps(
    files: tuple[str, ...], ipset_save: str | None, *others: str
) -> tuple[tuple[Source, ...], Source | None]:
    """The dumps and the sets; ``others`` are files that are read elsewhere."""
    one_standard_input(*(files or ("-",)), *others, ipset_save)
    return read_sources(files), read_sources((ipset_save,))[0] if ipset_save is not None else None


def exit_code(translation: Translation) -> int:
    """Whether it is done, refused, or was no dump."""
    if any(found.code is NOT_A_DUMP for found in translation.diagnostics):
        return UNREADABLE
    return REFUSED if translation.refused else DONE


@contextmanager
def uncollected() -> Iterator[None]:
    """Do not look for garbage: a translation keeps what it makes to its end, and ends the process.

    To look nevertheless takes a quarter of the time of a large one, and a tenth if only once, at
    the end.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.freeze()
            gc.enable()


def _progress(lines: int) -> AbstractContextManager[Any]:
    """A sign of life on a terminal, where the work takes longer than a blink."""
    if lines < 5000 or not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(f"translating {lines:,} lines")
