"""The nftables language: objects, and their texts.

Both languages have a Rule, so write ``nft.Rule`` and ``iptables.Rule``.
"""

from typing import Any

from ..core.late import late
from .ast import Chain, Counter, Hook, Map, OtherTable, Rule, Ruleset, Set, Table


def as_json(ruleset: Ruleset) -> dict[str, Any]:
    """The commands that ``nft -j -f`` reads, for ``json.dumps``: libnftables-json(5)."""
    commands: dict[str, Any] = late("nft.as_json")(ruleset)
    return commands


def parse(text: str | bytes, name: str = "<string>") -> Ruleset:
    r"""Read a script for ``nft -f``, or what ``nft list ruleset`` prints; else Refused.

    >>> parse("table ip t {\n chain c {\n  accept # handle 4\n }\n}").tables[0].name
    't'
    """
    ruleset: Ruleset = late("nft.parse")(text, name)
    return ruleset


def serialize(ruleset: Ruleset, header: str = "") -> str:
    """The script for ``nft -f``; each line of ``header`` becomes a comment at its top."""
    script: str = late("nft.serialize")(ruleset, header)
    return script


__all__ = [
    "Chain", "Counter", "Hook", "Map", "OtherTable", "Rule", "Ruleset", "Set", "Table", "as_json",
    "parse", "serialize",
]  # fmt: skip
