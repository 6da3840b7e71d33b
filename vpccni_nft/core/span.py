"""Places in a text that was read."""

from __future__ import annotations

import re

import attrs

#: Surrogates that stand for no byte: no text of a file has them.
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


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
        else:
            text = _NO_BYTE.sub("\N{REPLACEMENT CHARACTER}", text)
        lines = text.split("\n")
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
