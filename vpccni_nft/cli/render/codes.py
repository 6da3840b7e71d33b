"""Codes and their pages, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .screen import columns, is_coloured, is_terminal, laid_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ...core.diagnostics import Code


def dict_of(code: Code, page: str) -> dict[str, str]:
    """A code with its page."""
    return {"code": code.name, "kind": code.kind.value, "title": code.title, "page": page}


def lines_of(codes: Iterable[Code]) -> Iterator[str]:
    """A line for each code."""
    return (f"{code.name}  {code.kind.value:13}  {code.title}" for code in codes)


def page_text(page: str) -> str:
    """A page as it is; on a terminal laid out for its width."""
    if not is_terminal():
        return page
    from rich.markdown import Markdown

    return laid_out(Markdown(page, hyperlinks=False), columns() or 80, coloured=is_coloured())
