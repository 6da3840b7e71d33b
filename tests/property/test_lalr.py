"""Texts are parsed as Lark does it: the same trees, and the same places of what does not fit."""

from __future__ import annotations

from functools import cache
from typing import Any

import lark
from hypothesis import given
from hypothesis import strategies as st

from vpccni_nft.text.grammar import LINE, RULESET, Grammar, grammar_folder, tables
from vpccni_nft.text.lalr import Parser
from vpccni_nft.text.trees import Branch, Token, UnparsableError

from ..support import corpus, vectors
from ..support.profiles import ALL, NIGHTLY


class _Everywhere:
    """How Lark is told of terminals that the lexer looks for in each state."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.always_accept = names

    def process(self, stream: Any) -> Any:
        return stream


@cache
def parsers(which: Grammar) -> tuple[lark.Lark, Parser]:
    reference = lark.Lark.open(
        str(grammar_folder() / f"{which.name}.lark"),
        parser="lalr",
        lexer="contextual",
        maybe_placeholders=which.placeholders,
        postlex=_Everywhere(which.everywhere) if which.everywhere else None,
    )
    return reference, Parser(tables(which))


def plain(tree: Any) -> Any:
    """A tree of either kind."""
    if isinstance(tree, Branch | lark.Tree):
        return str(tree.data), [plain(child) for child in tree.children]
    if isinstance(tree, Token | lark.Token):
        return tree.type, str(tree), tree.line, tree.column
    return tree


def check(which: Grammar, text: str) -> bool:
    """Both parsers say the same of a text; the answer is whether they take it."""
    expected, found = (parse(parser, text) for parser in parsers(which))
    assert found == expected
    return bool(expected[0] != "fails")


def parse(parser: lark.Lark | Parser, text: str) -> Any:
    """The tree of a text, or where it fails; at its end it does not matter where that is."""
    try:
        return plain(parser.parse(text))
    except lark.UnexpectedToken as error:
        if error.token.type == "$END":
            return "fails", "end"
        return "fails", error.line, error.column
    except lark.UnexpectedInput as error:
        return "fails", error.line, error.column
    except UnparsableError as error:
        return ("fails", "end") if error.at_end else ("fails", error.line, error.column)


@cache
def lines() -> list[str]:
    """Lines of all shapes: the rules of the vectors, and a few dumps of each kind."""
    dumps = [path.read_text(errors="replace") for path in sorted(corpus.FOLDER.glob("*/*.save"))]
    found = {line for dump in dumps[:: 1 if NIGHTLY else 12] for line in dump.splitlines()}
    return sorted({*filter(str.strip, found), *(vector.rule for vector in vectors.VECTORS)})


@cache
def rulesets() -> list[str]:
    return [path.read_text() for path in sorted(corpus.FOLDER.glob("*/*.nft"))]


def test_the_lines_that_there_are() -> None:
    assert sum(check(LINE, line) for line in lines()) > len(lines()) * 0.9 > 500


def test_the_rulesets_that_there_are() -> None:
    found = rulesets() if NIGHTLY else [text for text in rulesets() if len(text) < 2000]
    assert sum(check(RULESET, text) for text in found) > 20


@ALL
@given(data=st.data())
def test_lines_that_were_changed(data: st.DataObject) -> None:
    words = data.draw(st.sampled_from(lines())).split(" ")
    check(LINE, data.draw(changed(words, " ".join(lines()).split())))


@ALL
@given(data=st.data())
def test_rulesets_that_were_changed(data: st.DataObject) -> None:
    words = data.draw(st.sampled_from(rulesets()))[:2000].split(" ")
    check(RULESET, data.draw(changed(words, " ".join(rulesets()[:20]).split())))


@st.composite
def changed(draw: st.DrawFn, words: list[str], others: list[str]) -> str:
    """Words of which one is another, or stands without a blank, or behind which the text ends."""
    place = draw(st.integers(0, len(words) - 1))
    before, behind = words[:place], words[place + 1 :]
    word = draw(st.sampled_from(others) | st.just(words[place]) | st.text('ab-!"\\ \n', max_size=3))
    behind = draw(st.sampled_from([behind, [], behind[1:]]))
    glue = draw(st.sampled_from([" ", "", "  ", "\t"]))
    return " ".join(before) + glue + " ".join([word, *behind])
