"""The table of extensions, as the command line and the documentation show it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypedDict

from ...extensions import MATCHES, TARGETS
from .screen import columns, is_coloured, laid_out

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...extensions.extension import Extension


class Row(TypedDict):
    """An extension; the keys are stable."""

    kind: str  #: match or target
    name: str
    what: str
    nft: str  #: what nft does for it
    codes: list[str]  #: that a translation of it may answer with


#: Characters of a line that no terminal limits.
WIDTH = 160


def extension_rows() -> list[Row]:
    """One row for each extension."""
    return [*_rows("match", MATCHES), *_rows("target", TARGETS)]


def _rows(kind: str, registry: Mapping[str, Extension[Any]]) -> list[Row]:
    return [
        {
            "kind": kind,
            "name": extension.name,
            "what": _summary(extension),
            "nft": extension.nft,
            "codes": [code.name for code in extension.codes],
        }
        for extension in sorted(registry.values(), key=lambda known: known.name.lower())
    ]


def _summary(extension: Extension[Any]) -> str:
    """The first line of the module, without the name that it begins with."""
    if extension.what:
        return extension.what
    module = inspect.getmodule(extension.node)
    first_line = (inspect.getdoc(module) or "").splitlines()[0]
    return first_line.partition(": ")[2]


def table_text(rows: list[Row]) -> str:
    """Rows as a table, as wide as the terminal is or a pipe needs."""
    from rich.table import Table
    from rich.text import Text

    table = Table("", "name", "what", "nft", "codes", box=None, pad_edge=False)
    for row in rows:
        words = (row["name"], row["what"], row["nft"], " ".join(row["codes"]) or "exact")
        table.add_row(row["kind"], *map(Text, words))
    return laid_out(table, columns() or WIDTH, coloured=is_coloured())
