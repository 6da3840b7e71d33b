"""The pages of codes: inside the package where it is installed, in ``docs`` in a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .diagnostics import Code

_PACKAGE = Path(__file__).parent.parent


def page_of(code: Code) -> str:
    """A code's page, in Markdown.

    >>> from vpccni_nft.core.diagnostics import RECENT_LIST
    >>> page_of(RECENT_LIST).splitlines()[0]
    '# T101: a recent list becomes a dynamic set'
    """
    folders = (_PACKAGE / "codes", _PACKAGE.parent / "docs" / "codes")
    folder = next(one for one in folders if one.is_dir())
    return (folder / f"{code.name}.md").read_text(encoding="utf-8")
