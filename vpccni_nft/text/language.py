"""Which language a text is in: the one place that decides it."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..core.span import Source


class Language(enum.Enum):
    """What a text is, by its first line that belongs to one language only."""

    IPTABLES_SAVE = "iptables-save"
    IPTABLES_LIST = "iptables -S"
    NFT = "nft"
    NFT_JSON = "nft -j"
    IPSET = "ipset save"
    BLANK = "blank"  #: no line but empty ones and remarks
    UNKNOWN = "unknown"  #: no line of it belongs to any of them

    @property
    def is_nft(self) -> bool:
        """Whether the program nft reads it."""
        return self in {Language.NFT, Language.NFT_JSON}


_COMMANDS = "add|create|destroy|delete|flush|insert|replace|reset|rename"
_OBJECTS = "table|chain|rule|set|map|element|flowtable|counter|quota|limit|ct|secmark|synproxy"

#: How a line begins that belongs to one language only; blanks before it are gone.
_BEGINNINGS: tuple[tuple[Language, re.Pattern[str]], ...] = (
    # A rule with counters in front, as iptables-save -c prints it, is one of a dump.
    (Language.IPTABLES_SAVE, re.compile(r"\*\w|:\S|\[\d+:\d+\]\s+-A\s|COMMIT\s*\Z")),
    # ``ipset save`` writes ``create NAME hash:ip``, where nft's create names a kind of object.
    (Language.IPSET, re.compile(r"(?:create|add)\s+\S+\s+(?:hash|bitmap|list):")),
    (
        Language.NFT,
        re.compile(
            rf"(?:{_COMMANDS})\s+(?:{_OBJECTS})\s+\S|table\s+\S|flush\s+ruleset\b"
            r"|(?:define|redefine|undefine|include)\s+\S"
        ),
    ),
    (Language.NFT_JSON, re.compile(r'\{\s*"nftables"')),
    (Language.IPTABLES_LIST, re.compile(r"-[PN]\s+\S")),
)

#: A rule stands in both forms of iptables; lines before or after it say in which one it is.
_RULE = re.compile(r"-A\s+\S")


def detect_language(source: Source) -> Language:
    r"""The language of the first line that belongs to one only.

    >>> from vpccni_nft.core.span import Source
    >>> detect_language(Source.of("# a remark\n-P INPUT ACCEPT\n")).value
    'iptables -S'
    """
    blank = True
    for line in source.lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        blank = False
        for language, beginning in _BEGINNINGS:
            if beginning.match(text):
                return language
        if _RULE.match(text):
            return Language.IPTABLES_LIST
    return Language.BLANK if blank else Language.UNKNOWN


def by_language(sources: Iterable[Source]) -> tuple[list[Source], list[Source]]:
    """The dumps of iptables and the scripts of nft among texts that stand on a node together.

    What is in neither language is among the dumps: their reader says what was expected.
    """
    dumps: list[Source] = []
    scripts: list[Source] = []
    for source in sources:
        (scripts if detect_language(source).is_nft else dumps).append(source)
    return dumps, scripts
