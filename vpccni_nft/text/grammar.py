"""Find the grammars, and parse by their tables.

Lark takes half a second to make the tables. A wheel has them: ``hatch_build.py`` makes them with
it. In a checkout they are made when they are first wanted, and kept in the user's cache directory.
Either way they are JSON, so that reading them runs nothing, and are used only where they are whole
and of this grammar. Whoever else may write in the cache has no say in what a rule means: what is
there has to be the user's own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .lalr import Parser

if TYPE_CHECKING:
    from .lalr import Tables

_PACKAGE = Path(__file__).parent.parent


class Grammar(NamedTuple):
    """A grammar, and how Lark is to read it."""

    name: str  #: of its file
    placeholders: bool = False  #: whether a ``[part]`` that is missing leaves None in its place
    everywhere: tuple[str, ...] = ()  #: terminals that the lexer looks for in each state


#: One line of iptables-save.
LINE = Grammar("iptables_save", placeholders=True)

#: An nft ruleset. Words are looked for everywhere: else ``accept`` is found in ``accepted``.
RULESET = Grammar("nft_ruleset", everywhere=("WORD",))


def grammar_folder() -> Path:
    """Inside the package where it is installed, beside it in a checkout."""
    for folder in (_PACKAGE / "grammars", _PACKAGE.parent / "grammars"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError("vpccni_nft is installed without its grammars")


@cache
def line_parser() -> Parser:
    """The parser of one line of iptables-save."""
    return Parser(tables(LINE))


@cache
def ruleset_parser() -> Parser:
    """The parser of an nft ruleset."""
    return Parser(tables(RULESET))


def made_tables(grammar: Grammar) -> str:
    """The tables of a grammar as they are kept: their digest, and behind it themselves as JSON."""
    from .tables import make_tables

    made = make_tables(
        grammar_folder() / f"{grammar.name}.lark",
        placeholders=grammar.placeholders,
        everywhere=grammar.everywhere,
    )
    body = json.dumps(made, separators=(",", ":"))
    return f"{_digest(_sources(grammar), body)}\n{body}"


def tables(grammar: Grammar) -> Tables:
    """The tables that came with the package, or are in the cache; else they are made."""
    sources = _sources(grammar)
    tables = _read(grammar_folder() / f"{grammar.name}.json", sources)
    if tables:
        return tables
    kept = _cache_file(grammar, sources)
    tables = _read(kept, sources, own=True) if kept else None
    if tables:
        return tables
    made = made_tables(grammar)
    if kept:
        with contextlib.suppress(OSError):
            _save(made, kept)
    return _of_body(made.partition("\n")[2])


def _sources(grammar: Grammar) -> bytes:
    """All that the tables are made from."""
    files = (Path(__file__).with_name("tables.py"), *sorted(grammar_folder().glob("*.lark")))
    return b"\0".join((repr(grammar).encode(), *(file.read_bytes() for file in files)))


def _digest(sources: bytes, body: str) -> str:
    return hashlib.sha256(sources + b"\0" + body.encode()).hexdigest()


def _read(file: Path, sources: bytes, *, own: bool = False) -> Tables | None:
    """Tables that are kept, where they are whole and made from these sources.

    Where they have to be the user's own, nobody else may write to their file.
    """
    try:
        with file.open(encoding="ascii") as opened:
            found = os.fstat(opened.fileno())
            if own and (found.st_uid != os.geteuid() or found.st_mode & 0o022):
                return None
            digest, _, body = opened.read().partition("\n")
    except (OSError, ValueError):
        return None
    return _of_body(body) if digest == _digest(sources, body) else None


def _of_body(body: str) -> Tables:
    tables: Tables = json.loads(body)
    return tables


def _cache_file(grammar: Grammar, sources: bytes) -> Path | None:
    """Where the tables of a checkout are kept; None for a user without a home."""
    folder = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(folder):
        folder = os.path.expanduser("~/.cache")
    if not os.path.isabs(folder):
        return None
    return Path(folder, "vpccni-nft", f"{grammar.name}-{_digest(sources, '')[:16]}.json")


def _save(made: str, file: Path) -> None:
    """Write tables, whole or not at all, for the user alone."""
    from tempfile import mkstemp

    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = mkstemp(dir=file.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as opened:
            opened.write(made)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
