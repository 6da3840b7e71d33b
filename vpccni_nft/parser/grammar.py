"""Find the grammars and make a parser of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lark import Lark, Token

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


class _WholeWords:
    """Lets the lexer see words everywhere: else it would find ``accept`` in ``accepted``."""

    always_accept = ("WORD",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        return stream


@cache
def ruleset_parser() -> Lark:
    """The parser of an nft ruleset."""
    from lark import Lark

    return Lark.open(
        str(grammar_folder() / "nft_ruleset.lark"),
        parser="lalr",
        lexer="contextual",
        postlex=_WholeWords(),
        maybe_placeholders=False,
    )
