"""The parse memo: a line's tree depends on its shape alone, and a node has a few dozen of them.

A line's shape is its words, each value among them replaced by its class. The options and the names
of matches and targets are what the grammar distinguishes; a value is one terminal whatever it
holds. So the first line of a shape is parsed, and what was found serves for all others.

- A word that the grammar spells out, and any word that begins with ``-`` or ``!``, is in the shape
  as it is.
- A shape is kept only where the tokens of the tree are the words of the line, one by one: ``-Ax``
  is two tokens and one word.
- A line that cannot be read has no shape: it is parsed each time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ..core.caching import caching
from ..core.span import Line, Source, Span, split_words
from ..extensions.options import GivenOption
from .grammar import line_parser
from .trees import Branch, Token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .restore_words import Word

#: Shapes of one text that are kept.
MOST_SHAPES = 4096

#: The words of a line, each value replaced by its class.
Key = tuple[str, ...]

#: Words that no token of a tree stands for.
_SILENT = frozenset({"-A", "-P", "-N", "-m", "-j", "-g", "-c", "COMMIT"})

_COUNTERS = re.compile(r"\[[0-9]+:[0-9]+\]")

#: The class of values. The others begin with a blank, which no word does.
_VALUE = ""

#: Words of each class, as regular expressions; not all of them.
_FORMS = {
    _VALUE: (r'"[^"\\]*"', r'[^ \t"!\[:#*-][^ \t"]*', r'\[[^ \t"]*[^ \t"\]]'),
    " [": (r"\[[0-9]+:[0-9]+\]",),
    " :": (r':[^ \t"]+',),
}


@attrs.frozen
class Part:
    """What one ``-m``, ``-j`` or ``-g``, or one option of the base specification says."""

    kind: str  #: match, target, jump, goto, counters, stray, or a field of the rule
    first: int
    last: int
    words: tuple[int, ...] = ()  #: those that belong to no option
    options: tuple[GivenOption, ...] = ()


@attrs.frozen
class Shape:
    """What a line is, with the places of its words instead of their texts."""

    kind: str  #: the rule of the grammar
    words: tuple[int | None, ...]  #: those that belong to no part; None for one that may be missing
    parts: tuple[Part, ...] = ()


class Shapes:
    """The shapes of a text's lines so far."""

    def __init__(self) -> None:
        self._known: dict[Key, Shape] = {}
        self._most = MOST_SHAPES if caching() else 0
        #: Words that no value is.
        self.spelt_out = line_parser().words
        #: Words with the class that they are of.
        self._classes = {word: word for word in self.spelt_out}

    def __len__(self) -> int:
        return len(self._known)

    def key(self, words: Sequence[str]) -> Key:
        """The words, each value replaced by its class."""
        find = self._classes.get
        return tuple(
            [find(word) or (_class(word) if word[0] in "-![:#*" else _VALUE) for word in words]
        )

    def read(self, source: Source, number: int, text: str) -> tuple[Shape, Line, Key | None]:
        """A line's shape and words, and the key of the shape where it is kept.

        Raises UnparsableError where the line cannot be read.
        """
        words = split_words(text) if self._most and text.strip() == text else None
        if words is None:
            return (*_plain(whole_line(source, number), line_parser().parse(text)), None)
        key = self.key(words)
        whole = Span(source, number, 1, len(text) + 1)
        shape = self._known.get(key)
        if shape is None:
            tree = line_parser().parse(text)
            places = _places_of(tree, words)
            if places is None or len(self._known) >= self._most:
                return (*_plain(whole, tree), None)
            self._known[key] = shape = _shape(tree, places)
        return shape, Line(whole, words), key

    def read_words(self, whole: Span, words: Sequence[Word]) -> tuple[Shape, Line]:
        """The shape of a line of these words, which stand in other places than their own.

        Raises UnparsableError where they are no line.
        """
        tree = line_parser().parse(" ".join(word.text for word in words))
        places: dict[int, Word] = {}
        column = 1
        for word in words:
            places[column] = word
            column += len(word.text) + 1
        tokens = tree.words()
        shape = _shape(tree, {token.column: at for at, token in enumerate(tokens)})
        own = [places[token.column] for token in tokens]
        starts, ends = [word.start for word in own], [word.end for word in own]
        return shape, Line(whole, [str(token) for token in tokens], starts, ends)


def pattern(key: Key, words: Sequence[str]) -> re.Pattern[str] | None:
    """What lines with such words fit, the values as groups; None where a value looks odd.

    A value that the grammar spells out fits as well, although its line has another shape.
    """
    parts = [
        _value_pattern(own, word) if is_value(own) else re.escape(word)
        for own, word in zip(key, words, strict=True)
    ]
    return None if "" in parts else re.compile(" ".join(parts))


def _value_pattern(own: str, word: str) -> str:
    """What values of the same class fit."""
    forms = _FORMS.get(own, ())
    return next((f"({form})" for form in forms if re.fullmatch(form, word)), "")


def is_value(word: str) -> bool:
    """Whether a word of a key is a class of words."""
    return not word or word[0] == " "


def _class(word: str) -> str:
    """The class of a word that looks like something other than a value."""
    first = word[0]
    if first == "[":
        return " [" if _COUNTERS.fullmatch(word) else _VALUE
    if first in ":#*" and len(word) > 1 and '"' not in word:
        return f" {first}"
    return word


def whole_line(source: Source, number: int) -> Span:
    """A line without the blanks around it."""
    text = source.lines[number - 1]
    stripped = text.strip()
    start = text.find(stripped) + 1
    return Span(source, number, start, start + len(stripped))


def _plain(whole: Span, tree: Branch) -> tuple[Shape, Line]:
    """A line's shape where its words are the tokens of its tree, wherever they stand."""
    tokens = tree.words()
    starts = [token.column for token in tokens]
    shape = _shape(tree, {start: place for place, start in enumerate(starts)})
    return shape, Line(whole, [str(token) for token in tokens], starts)


def _places_of(tree: Branch, words: Sequence[str]) -> dict[int, int] | None:
    """The place among the words of each token, by its column; None where they do not align."""
    places: dict[int, int] = {}
    tokens = {token.column: str(token) for token in tree.words()}
    column = 1
    for place, word in enumerate(words):
        if column in tokens:
            if tokens[column] != word:
                return None
            places[column] = place
        elif word not in _SILENT:
            return None
        column += len(word) + 1
    return places if len(places) == len(tokens) else None


def _shape(tree: Branch, places: Mapping[int, int]) -> Shape:
    """The shape of a tree, whose tokens have these places by their columns."""
    return Shape(
        tree.data,
        tuple(
            None if child is None else places[child.column]
            for child in tree.children
            if not isinstance(child, Branch)
        ),
        tuple(_part(child, places) for child in tree.children if isinstance(child, Branch)),
    )


def _part(tree: Branch, places: Mapping[int, int]) -> Part:
    tokens = [places[token.column] for token in tree.words()]
    own = tuple(places[child.column] for child in tree.children if isinstance(child, Token))
    options = tuple(_option(child, places) for child in tree.children if isinstance(child, Branch))
    kind = _kind(tree)
    if kind not in {"match", "target", "jump", "goto", "counters", "stray"}:
        options, own = (_option(tree, places),), ()
    return Part(kind, tokens[0], tokens[-1], own, options)


def _kind(tree: Branch) -> str:
    if tree.data.startswith("matches__"):
        return "match"
    if tree.data.startswith("targets__"):
        alone = tree.data.endswith("__jump") and len(tree.children) == 1
        return "jump" if alone else "target"
    return tree.data


def _option(tree: Branch, places: Mapping[int, int]) -> GivenOption:
    """An option; the tree's tokens are ``[!] NAME VALUE...``."""
    tokens = [child for child in tree.children if isinstance(child, Token)]
    negated = tokens[0].type.endswith(("NOT", "NOT_BASE"))
    numbers = [places[token.column] for token in tokens]
    name, *values = numbers[negated:]
    return GivenOption(
        name, tuple(values), numbers[0], numbers[-1], negated, tree.data.endswith("foreign_option")
    )
