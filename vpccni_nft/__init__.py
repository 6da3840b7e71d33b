"""Move Amazon EKS nodes from iptables to nftables without changing what happens to a packet.

    import vpccni_nft

    translation = vpccni_nft.translate(text)
    print(translation.script())

Parsing, lowering and the command line load when they are first used.
"""

from __future__ import annotations

from . import iptables, nft
from .core.diagnostics import Diagnostic, Refused
from .core.values import Family
from .translation import Translation, parse, translate

__version__ = "0.1.0"

__all__ = [
    "Diagnostic", "Family", "Refused", "Translation", "iptables", "nft", "parse", "translate",
]  # fmt: skip
