"""What users read is plain English in the words of the field."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import vpccni_nft
from vpccni_nft.cli.commands import cli
from vpccni_nft.core.diagnostics import CATALOGUE

ROOT = Path(__file__).parents[2]
PACKAGE = Path(vpccni_nft.__file__).parent

#: Words that a network engineer would not write, and what to write instead.
INSTEAD = {
    r"tells?|told": "shows, says, reports",
    r"alike": "the same, equal",
    r"nobody|somebody": "no program, another program, unknown",
    r"what stands for": "meaning, what replaces",
    r"(is|are) asked": "is looked up, is checked, decides",
    r"held against": "compared with",
    r"(is|are) taken to": "is assumed to",
    r"did not do": "failed to, ran out of time",
    r"as long as": "while",
    r"hang together": "depend on each other",
    r"the incumbent": "iptables-restore-translate",
}

#: Keys of JSON that programs read: they stay as they are.
KEYS = {"alike"}

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MODULES = sorted(PACKAGE.rglob("*.py"))

_WORDS = {re.compile(rf"\b(?:{words})\b", re.IGNORECASE): use for words, use in INSTEAD.items()}


def complaints(text: str) -> list[str]:
    """The words in a text that are not to be there, each with what to write."""
    return [
        f"{found.group()!r}: write {use}"
        for pattern, use in _WORDS.items()
        for found in pattern.finditer(" ".join(text.split()))
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_message_has_a_word_of_the_list(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = set(_docstrings(tree))
    found = {
        f"line {node.lineno}: {one}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in docstrings
        if _text(node) not in KEYS
        for one in complaints(_text(node))
    }
    assert not found


def _docstrings(tree: ast.Module) -> Iterator[int]:
    """Strings that stand alone: no user reads them but in help texts, which have a test."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield id(node.value)


def _text(node: ast.Constant | ast.JoinedStr) -> str:
    """A string; places that are filled in are three dots."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(_text(one) if isinstance(one, ast.Constant) else "..." for one in node.values)


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for part, below in command.commands.items():
            yield from _commands(below, f"{name} {part}")


COMMANDS = dict(_commands(cli, "vpccni-nft"))


@pytest.mark.parametrize("name", COMMANDS)
def test_no_help_has_a_word_of_the_list(name: str) -> None:
    command = COMMANDS[name]
    # click keeps the option of the first context, so this one has the names of all commands.
    context = click.Context(command, info_name=name, **cli.context_settings)
    assert not complaints(command.get_help(context))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_has_a_word_of_the_list(page: Path) -> None:
    assert not complaints(page.read_text(encoding="utf-8"))


def test_the_list_finds_its_words() -> None:
    assert complaints("Nobody\nis told") == [
        "'told': write shows, says, reports",
        "'Nobody': write no program, another program, unknown",
    ]


def test_no_title_has_a_word_of_the_list() -> None:
    assert not {code.name: found for code in CATALOGUE if (found := complaints(code.title))}


def test_no_name_of_a_test_has_a_word_of_the_list() -> None:
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    names = [name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)]
    assert names
    assert not [name for name in names if complaints(name.replace("_", " "))]
