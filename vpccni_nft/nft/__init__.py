"""The nftables language: objects, and their texts.

Both languages have a Rule, so write ``nft.Rule`` and ``iptables.Rule``.
"""

from typing import Any

from .ast import Chain, Counter, Hook, Map, Rule, Ruleset, Set, Table
from .serializer import serialize


def as_json(ruleset: Ruleset) -> dict[str, Any]:
    """The commands that ``nft -j -f`` reads, for ``json.dumps``: libnftables-json(5)."""
    from .json import commands

    return commands(ruleset)


def parse(text: str | bytes, name: str = "<string>") -> Ruleset:
    r"""Read a script for ``nft -f``, or what ``nft list ruleset`` prints; else Refused.

    >>> parse("table ip t {\n chain c {\n  accept # handle 4\n }\n}").tables[0].name
    't'
    """
    # Reading needs lark, which takes long to load.
    from ..parser.nft import parse as read

    return read(text, name)


__all__ = [
    "Chain", "Counter", "Hook", "Map", "Rule", "Ruleset", "Set", "Table", "as_json", "parse",
    "serialize",
]  # fmt: skip
