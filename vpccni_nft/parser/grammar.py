"""Find the grammars and make a parser of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lark import Lark

_PACKAGE = Path(__file__).parent.parent


def grammar_folder() -> Path:
    """Inside the package where it is installed, beside it in a checkout."""
    for folder in (_PACKAGE / "grammars", _PACKAGE.parent / "grammars"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError("vpccni_nft is installed without its grammars")


@cache
def line_parser() -> Lark:
    """The parser of one line of iptables-save."""
    from lark import Lark

    return Lark.open(
        str(grammar_folder() / "iptables_save.lark"),
        parser="lalr",
        lexer="contextual",
        maybe_placeholders=True,
    )
