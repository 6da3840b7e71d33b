"""Places in a text that was read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Surrogates that stand for no byte: no text of a file has them.
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


#: What messages call the output of ipset save where it is no file.
IPSET_NAME = "<ipset save>"


@attrs.frozen(eq=False, repr=False)
class Source:
    """A text, with the name that messages give it."""

    name: str  #: a file's path, or ``<stdin>``, or ``<string>``
    lines: tuple[str, ...]  #: without their line ends

    @classmethod
    def of(cls, text: str | bytes, name: str = "<string>") -> Source:
        r"""Split a text into lines; bytes that are not UTF-8 survive as lone surrogates.

        >>> Source.of("*nat\r\nCOMMIT").lines
        ('*nat', 'COMMIT')
        """
        if isinstance(text, bytes):
            text = text.decode("utf-8", "surrogateescape")
        elif not isinstance(text, str):
            raise TypeError(f"a text is wanted, as str or bytes, not {text!r:.100}")
        else:
            text = _NO_BYTE.sub("\N{REPLACEMENT CHARACTER}", text)
        lines = text.removeprefix("\N{BYTE ORDER MARK}").split("\n")
        if lines[-1] == "":
            lines.pop()
        return cls(name, tuple(line.removesuffix("\r") for line in lines))

    @property
    def content(self) -> str:
        """The lines as one text again, each with a line end."""
        return "".join(f"{line}\n" for line in self.lines)

    def __repr__(self) -> str:
        return f"<Source {self.name}, {len(self.lines)} lines>"


@attrs.frozen
class Span:
    """A stretch of one line."""

    source: Source = attrs.field(repr=False)
    line: int  #: from 1
    start: int  #: column of the first character, from 1
    end: int  #: column after the last character

    @property
    def text(self) -> str:
        """What stands there."""
        return self.source.lines[self.line - 1][self.start - 1 : self.end - 1]

    def to(self, other: Span) -> Span:
        """From the start of this stretch to the end of another one on the same line."""
        return Span(self.source, self.line, self.start, other.end)

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.start}"


@attrs.frozen
class Places:
    """Where the parts of one line stand: from the first column of each to the one after it."""

    matches: tuple[tuple[int, int], ...] = ()
    target: tuple[int, int] | None = None

    def span(self, whole: Span, place: tuple[int, int]) -> Span:
        """One of the places, in a line."""
        return Span(whole.source, whole.line, *place)


@attrs.frozen
class WordPlaces(Places):
    """The same, given the first and the last word of each part.

    All lines of one shape share it. It is for lines whose words single blanks part.
    """

    def span(self, whole: Span, place: tuple[int, int]) -> Span:
        """Count the words."""
        words = split_words(whole.text)
        assert words is not None
        return Line(whole, words).span(*place)


@attrs.define
class Line:
    """One line and its words."""

    whole: Span  #: without the blanks around it
    words: Sequence[str]
    starts: Sequence[int] = ()  #: the column of each word; empty where single blanks part them
    ends: Sequence[int] = ()  #: the columns behind the words, where these are respelt

    def span(self, first: int, last: int) -> Span:
        """From one word to another one."""
        if self.starts:
            start = self.starts[first]
            end = self.ends[last] if self.ends else self.starts[last] + len(self.words[last])
        else:
            start = self.whole.start + sum(len(word) + 1 for word in self.words[:first])
            end = start + len(" ".join(self.words[first : last + 1]))
        return Span(self.whole.source, self.whole.line, start, end)


#: A word as iptables-restore splits it; the same as in ``grammars/common.lark``.
_WORD = re.compile(r'(?:[^ \t"]++(?:"(?:[^"\\]++|\\.)*+")?|"(?:[^"\\]++|\\.)*+")')

#: Looked for first: to look for words behind each of many quotes takes the square of the time.
_WORDS = re.compile(f"{_WORD.pattern}(?: {_WORD.pattern})*+")


def split_words(line: str) -> list[str] | None:
    r"""The words of a line, with their quotes; None where other than single blanks part them.

    >>> split_words('-A X -m comment --comment "two words"')
    ['-A', 'X', '-m', 'comment', '--comment', '"two words"']
    >>> split_words("-A  X")
    """
    before, quote, rest = line.partition('"')
    if not quote:
        words = line.split(" ")
        return None if "" in words or "\t" in line else words
    # The usual line has one quoted word, and is quicker to split around it.
    quoted, _, after = rest.partition('" ')
    if '"' not in quoted and '"' not in after and "\\" not in quoted and before[-1:] == " ":
        words = before.split(" ")
        words[-1] = f'"{quoted}"'
        words += after.split(" ")
        if "" not in words and "\t" not in before and "\t" not in after:
            return words
    return _WORD.findall(line) if _WORDS.fullmatch(line) else None
