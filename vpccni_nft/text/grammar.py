"""Find the grammars and make parsers of them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    return _parser("iptables_save", maybe_placeholders=True)


@cache
def ruleset_parser() -> Lark:
    """The parser of an nft ruleset."""
    return _parser("nft_ruleset", postlex=_WholeWords(), maybe_placeholders=False)


class _WholeWords:
    """Lets the lexer see words everywhere: else it would find ``accept`` in ``accepted``."""

    always_accept = ("WORD",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        return stream


def _parser(name: str, **options: Any) -> Lark:
    """The parser of a grammar, from its tables where these are kept."""
    from lark import Lark

    tables = _tables_file(name)
    # As with bytecode, what cannot be read is made anew.
    with contextlib.suppress(Exception), tables.open("rb") as file:
        return Lark.load(file)
    grammar = grammar_folder() / f"{name}.lark"
    parser = Lark.open(str(grammar), parser="lalr", lexer="contextual", **options)
    if not sys.dont_write_bytecode:
        with contextlib.suppress(OSError):  # only the owner of the package may write there
            _save(parser, tables)
    return parser


def _tables_file(name: str) -> Path:
    """Where the tables of a parser are kept: beside the bytecode of this module.

    Making them takes most of the time of a small translation or proof. They are to the grammar what
    bytecode is to a module: made when it is first used, by whoever may write there, and trusted as
    much. The name holds all that they depend on, so that they are never those of another grammar.
    """
    import lark

    digest = hashlib.sha256(f"{lark.__version__} {sys.version}".encode())
    for path in (Path(__file__), *sorted(grammar_folder().glob("*.lark"))):
        digest.update(path.read_bytes())
    return Path(__file__).parent / "__pycache__" / f"{name}.{digest.hexdigest()[:32]}.tables"


def _save(parser: Lark, tables: Path) -> None:
    """Write the tables, whole or not at all; those of older grammars go."""
    tables.parent.mkdir(exist_ok=True)
    handle, name = tempfile.mkstemp(dir=tables.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            parser.save(file)
        temporary.chmod(0o644)
        for old in tables.parent.glob(f"{tables.name.partition('.')[0]}.*.tables"):
            old.unlink(missing_ok=True)
        temporary.replace(tables)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
