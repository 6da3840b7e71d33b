"""Which language a text is in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..core.span import Source

#: How an nft ruleset begins to speak of a table; a dump writes ``*table``.
_NFT = re.compile(r"\s*(?:(?:add|create|destroy|delete|flush)\s+)?(?:table\s+\S|ruleset\b)")
_DUMP = re.compile(r"\s*(?:\*\w|-[APNt]\s|:\S)")


def is_nft(source: Source) -> bool:
    """Whether the first line that tells is one of nft's."""
    for line in source.lines:
        if _NFT.match(line):
            return True
        if _DUMP.match(line):
            return False
    return False
