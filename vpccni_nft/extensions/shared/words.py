"""Words as iptables-save writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ...core.values import Negatable

#: Strings of these alone stand without quotes (libxtables, xtables_save_string).
_PLAIN = frozenset("_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def negation(test: Negatable[Any]) -> Iterator[str]:
    """The ``!`` before an option, where there is one."""
    if test.negated:
        yield "!"


def negatable_option(name: str, test: Negatable[Any] | None) -> Iterator[str]:
    """An option that may be absent or negated, with the text of its value."""
    if test:
        yield from negation(test)
        yield name
        yield str(test.value)


def flags(*names_and_values: tuple[str, bool]) -> Iterator[str]:
    """Those of the options that are set."""
    for name, is_set in names_and_values:
        if is_set:
            yield name


def quote(text: str) -> str:
    r"""Quote a string where iptables-save does.

    >>> print(quote("plain_comment-1"), quote("two words"), quote('say "hi"'))
    plain_comment-1 "two words" "say \"hi\""
    """
    if text and _PLAIN.issuperset(text):
        return text
    escaped = "".join(f"\\{char}" if char in "\"\\'" else char for char in text)
    return f'"{escaped}"'


def unquote(word: str) -> str:
    r"""Read a word as iptables-restore does: quotes may stand anywhere in it.

    >>> unquote('"say \\"hi\\""'), unquote('a"b c"d'), unquote('""')
    ('say "hi"', 'ab cd', '')
    """
    if '"' not in word:
        return word
    inner = word[1:-1]
    if word == f'"{inner}"' and '"' not in inner and "\\" not in inner:
        return inner
    return "".join(_unquoted(word))


def _unquoted(word: str) -> Iterable[str]:
    quoted = escaped = False
    for char in word:
        if escaped:
            escaped = False
            yield char
        elif char == '"':
            quoted = not quoted
        elif quoted and char == "\\":
            escaped = True
        else:
            yield char
