"""The words of a line as iptables-restore splits it, and its options as getopt_long finds them.

Sources: add_param_to_argv (xshared.c) and do_parse of iptables 1.8.9, and getopt_long(3): an
option may be cut short as long as one option alone begins so, and the one that was loaded last
goes before the others of its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_BLANKS = " \t"

#: Long options of the program itself, by their short ones.
_LONG = {
    "--append": "-A", "--delete": "-D", "--check": "-C", "--insert": "-I", "--replace": "-R",
    "--list": "-L", "--list-rules": "-S", "--flush": "-F", "--zero": "-Z", "--new-chain": "-N",
    "--delete-chain": "-X", "--rename-chain": "-E", "--policy": "-P", "--source": "-s",
    "--destination": "-d", "--src": "-s", "--dst": "-d", "--protocol": "-p",
    "--in-interface": "-i", "--jump": "-j", "--table": "-t", "--match": "-m", "--numeric": "-n",
    "--out-interface": "-o", "--verbose": "-v", "--wait": "-w", "--wait-interval": "-W",
    "--exact": "-x", "--fragments": "-f", "--version": "-V", "--help": "-h",
    "--line-numbers": "--line-numbers", "--modprobe": "-M", "--set-counters": "-c",
    "--goto": "-g", "--ipv4": "-4", "--ipv6": "-6",
}  # fmt: skip

#: Short options with a value, with one that must stand in the same word, and without any.
_ONE, _ATTACHED, _NONE = (
    frozenset("ACDRINEPosdjipmcgtM"),
    frozenset("LSFZXwW"),
    frozenset("fbvnxh46V"),
)


@attrs.frozen
class Word:
    """A word without its quotes, and its columns."""

    text: str
    start: int
    end: int


def split(line: str) -> list[Word] | None:
    r"""The words of a line; None where a quote is left open.

    A quote that closes ends the word.

    >>> [word.text for word in split('-m comment --comment "a \\"b" x"y z"w')]
    ['-m', 'comment', '--comment', 'a "b', 'xy z', 'w']
    """
    words: list[Word] = []
    text, start, in_word, quoted, escaped = "", 0, False, False, False
    for column, char in enumerate(line, start=1):
        ends = False
        if quoted:
            if escaped or char not in '\\"':
                text, escaped = text + char, False
            elif char == "\\":
                escaped = True
            else:
                quoted, ends = False, True
        elif char in _BLANKS:
            if in_word:
                words.append(Word(text, start, column))
                text, in_word = "", False
        else:
            start = start if in_word else column
            in_word = True
            quoted = char == '"'
            text += "" if quoted else char
        if ends:
            words.append(Word(text, start, column + 1))
            text, in_word = "", False
    if in_word:
        words.append(Word(text, start, len(line) + 1))
    return None if quoted else words


@attrs.frozen
class Argument:
    """An option without its value: its full name, and where it and its value begin."""

    name: str  #: ``-s``, or the full name of a long option; empty for a word that is no option
    word: Word
    attached: str | None = None  #: the value in the same word
    more: str = ""  #: short options behind it in the same word


class Unresolved(Exception):  # noqa: N818 - the caller may load a match and ask again
    """An option that nobody has, or that several have."""


def argument(
    word: Word, names: Sequence[Iterable[str]], same: Iterable[tuple[str, str]]
) -> Argument:
    """What a word is; ``names`` are those of the extensions, in the order that they are asked in.

    ``same`` are pairs of names of one option. Raises Unresolved.
    """
    text = word.text
    if text.startswith("--") and text != "--":
        name, found, value = text.partition("=")
        return Argument(_resolve(name, names, dict(same)), word, value if found else None)
    if text.startswith("-") and len(text) > 1:
        return _short(word, text[1:])
    return Argument("", word)


def _short(word: Word, letters: str) -> Argument:
    letter, rest = letters[0], letters[1:]
    if letter in _ONE or letter in _ATTACHED:
        return Argument(f"-{letter}", word, rest or None)
    if letter in _NONE:
        return Argument(f"-{letter}", word, None, rest)
    raise Unresolved(word.text)


def rest_of(found: Argument) -> Argument | None:
    """The next short option in the same word."""
    return _short(found.word, found.more) if found.more else None


def has_value(name: str) -> bool:
    """Whether a short option takes the next word where none is attached to it."""
    return name[1:] in _ONE


def _resolve(name: str, names: Sequence[Iterable[str]], same: dict[str, str]) -> str:
    ordered = [*_LONG, *(one for some in names for one in some)]
    if name in ordered:
        return _LONG.get(name, name)
    begin = {_LONG.get(one, same.get(one, one)) for one in ordered if one.startswith(name)}
    if len(begin) != 1:
        raise Unresolved(name)
    return begin.pop()
