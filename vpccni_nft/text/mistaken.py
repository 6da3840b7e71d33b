"""What a text is that is given for a dump and is none: one sentence, and what to give instead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ..core.span import Span
from .language import Language, detect_language

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.span import Source


@attrs.frozen
class Mistaken:
    """What a text is."""

    message: str  #: a sentence without a full stop
    hint: str  #: what to give instead
    span: Span | None = None  #: the line that shows it; None where no line is worth showing


_GIVE = "give the output of iptables-save, ip6tables-save or iptables -S"
_GIVE_NFT = "give the output of nft list ruleset"

#: How much of a text is looked at.
_LINES = 50

#: How files begin that are no text, once their bytes are decoded.
_COMPRESSED = {"\x1f\udc8b": "gzip", "BZh": "bzip2", "\udcfd7zXZ": "xz", "(\udcb5/\udcfd": "zstd"}
_BYTE_ORDER_MARKS = ("\udcff\udcfe", "\udcfe\udcff")

#: Characters that no text has: control characters but tabs, form feeds and escapes.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_NO_UTF8 = re.compile("[\udc80-\udcff]")

_ROOT = "read the rules as root: sudo iptables-save > node.save"

_LANGUAGES = {
    Language.NFT: (
        "it is an nft ruleset, not a dump of iptables",
        f"{_GIVE}; verify and explain read nft rulesets too",
    ),
    Language.NFT_JSON: (
        "it is nft's JSON, which is not read",
        _GIVE,
    ),
    Language.IPSET: (
        "it is the output of ipset save, without any rule",
        "give it with --ipset-save, and the output of iptables-save as the FILE",
    ),
}

#: Other texts, by a line of theirs; the first that any of the first lines fits.
_FORMS: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"Chain \S+ \((?:policy \w+|\d+ references)"),
        "it is a listing of iptables -L, which leaves parts of rules out",
        _GIVE,
    ),
    (re.compile(r"<iptables-rules"), "it is the XML of iptables-xml", _GIVE),
    (re.compile(r"<(?:!doctype|html|\?xml)", re.IGNORECASE), "it is a web page or XML", _GIVE),
    (
        re.compile(r"(?:diff --git|@@ -\d|Index: |--- \S+\s|\+\+\+ \S+\s)"),
        "it is the difference of two files",
        "give one of the two files whole",
    ),
    (
        re.compile(r"(?:apiVersion|kind): *\S|\{\s*\"(?:apiVersion|kind)\""),
        "it is an object of Kubernetes, not the rules of a node",
        "give what iptables-save prints on the node: vpccni-nft record keeps all of it",
    ),
    (re.compile(r"[\[{]\s*(?:[\"{\[]|\Z)"), "it is JSON, not a dump of iptables", _GIVE),
    (
        re.compile(r"ip6?tables v\d\S*(?: \(\w+\))?\Z"),
        "it is what iptables --version prints",
        _GIVE,
    ),
    (
        re.compile(r"(?:\S*[/\\])?[\w.-]+\.(?:save|txt|rules|nft|ipset|gz|v[46])\Z"),
        "it is the name of a file, not what is in it",
        "give its text; on the command line, its name as FILE",
    ),
    (
        re.compile(
            r"(?:sudo|(?:-|/bin/)?(?:ba|da)?sh|ip6?tables(?:-\w+)*(?: v\S+)?(?: \(\w+\))?): \S"
            r"|.*(?:command not found|permission denied|operation not permitted|must be root)",
            re.IGNORECASE,
        ),
        "it is an error message",
        _ROOT,
    ),
    (
        re.compile(r"(?:(?:sudo|exec)\s+)?(?:\S*/)?ip6?tables(?:-legacy|-nft)?\s+-"),
        "it is a script with commands of iptables",
        (
            "run it where it may change rules, such as a namespace of unshare -n, and give what"
            " iptables-save prints there"
        ),
    ),
)


def what_it_is(source: Source) -> Mistaken:
    r"""Say what a text is in which no table was found.

    >>> from vpccni_nft.core.span import Source
    >>> what_it_is(Source.of("Chain INPUT (policy ACCEPT)\n")).message
    'it is a listing of iptables -L, which leaves parts of rules out'
    """
    if found := _no_text(source) or _blank(source):
        return found
    lines = list(_first_lines(source))
    language = detect_language(source)
    if language in _LANGUAGES:
        return Mistaken(*_LANGUAGES[language], lines[0])
    return _form_of(lines) or Mistaken("it contains no table", _GIVE, lines[0])


def not_nft(source: Source) -> Mistaken | None:
    r"""Say what a text is that is no nft ruleset; None where it may be one with a mistake in it.

    >>> from vpccni_nft.core.span import Source
    >>> not_nft(Source.of('{"nftables": []}')).message
    "it is nft's JSON, which is not read"
    """
    if found := _no_text(source):
        return found
    lines = list(_first_lines(source))
    language = detect_language(source)
    if language in {Language.NFT, Language.BLANK}:
        return None
    if language is Language.NFT_JSON:
        message, _ = _LANGUAGES[language]
        return Mistaken(message, f"{_GIVE_NFT} without -j", lines[0])
    if language is Language.UNKNOWN:
        found = _form_of(lines)
        return found and attrs.evolve(found, hint=_GIVE_NFT)
    return Mistaken(
        f"it is the output of {language.value}, not an nft ruleset", _GIVE_NFT, lines[0]
    )


def _no_text(source: Source) -> Mistaken | None:
    """What a text is whose bytes are no text in UTF-8."""
    start = "\n".join(source.lines[:_LINES])
    for beginning, name in _COMPRESSED.items():
        if start.startswith(beginning):
            return Mistaken(f"{source.name} is compressed with {name}", "decompress it first")
    if start.startswith("PK\x03\x04"):
        return Mistaken(f"{source.name} is a zip archive", "unpack it, and give the folder")
    if start[257:262] == "ustar":
        return Mistaken(f"{source.name} is a tar archive", "unpack it, and give one of its files")
    if start.startswith(_BYTE_ORDER_MARKS) or _is_wide(start):
        return Mistaken(
            f"{source.name} is text in UTF-16, as PowerShell writes it",
            "convert it to UTF-8: iconv -f UTF-16 -t UTF-8 FILE > node.save",
        )
    strange = len(_CONTROL.findall(start)) + len(_NO_UTF8.findall(start))
    if "\0" in start or strange > len(start) // 10:
        return Mistaken(f"{source.name} is no text", _GIVE)
    return None


def _is_wide(start: str) -> bool:
    """Whether every other character is a zero, as in UTF-16 without its mark."""
    beginning = start[:200]
    return len(beginning) > 8 and any(
        set(beginning[place::2]) == {"\0"} and "\0" not in beginning[1 - place :: 2]
        for place in (0, 1)
    )


def _blank(source: Source) -> Mistaken | None:
    if detect_language(source) is not Language.BLANK:
        return None
    what = "has nothing but remarks and empty lines" if source.lines else "is empty"
    return Mistaken(f"{source.name} {what}", f"{_GIVE}, which needs root")


def _form_of(lines: list[Span]) -> Mistaken | None:
    for line in lines:
        for form, message, hint in _FORMS:
            if form.match(line.text):
                return Mistaken(message, hint, line)
    return None


def _first_lines(source: Source) -> Iterator[Span]:
    """The first lines that are neither blank nor a remark, without the blanks around them."""
    for number, line in enumerate(source.lines[:_LINES], start=1):
        text = line.strip()
        if text and not text.startswith("#"):
            start = len(line) - len(line.lstrip()) + 1
            yield Span(source, number, start, start + len(text))
