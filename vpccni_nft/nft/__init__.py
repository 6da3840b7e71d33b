"""The nftables language: objects, and their texts.

Both languages have a Rule, so write ``nft.Rule`` and ``iptables.Rule``.
"""

from .ast import Chain, Counter, Hook, Rule, Ruleset, Set, Table
from .json import as_json
from .serializer import serialize

__all__ = [
    "Chain", "Counter", "Hook", "Rule", "Ruleset", "Set", "Table", "as_json", "serialize",
]  # fmt: skip
