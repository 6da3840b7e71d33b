"""Prefixes of log lines, which the targets ``LOG`` and ``NFLOG`` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.diagnostics import LOG_PREFIX

if TYPE_CHECKING:
    from ..context import Context


def lower_prefix(prefix: str, context: Context) -> str:
    """The prefix as far as nft can write it; the caller has to allow what is not exact."""
    written = "".join(char if _is_writable(char) else "?" for char in prefix)
    if written != prefix:
        context.approximate(LOG_PREFIX, f"nft cannot write the prefix; it becomes “{written}”")
    return written


def _is_writable(char: str) -> bool:
    """A quote would end the string, a dollar begins a variable; nft escapes neither.

    Bytes that are not UTF-8 are in the text as lone surrogates, which are not printable.
    """
    return char.isprintable() and char not in '"$'
