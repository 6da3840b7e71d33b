"""Move Amazon EKS nodes from iptables to nftables without changing what happens to a packet.

    import vpccni_nft

    translation = vpccni_nft.translate(text)
    print(translation.script())

The languages, parsing, lowering and the command line load when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .core.diagnostics import Diagnostic, Refused
from .core.values import Family
from .translation import Translation, parse, translate

if TYPE_CHECKING:
    from types import ModuleType

    from . import iptables, nft, optimizer

__version__ = "0.1.0"

__all__ = [
    "Diagnostic", "Family", "Refused", "Translation", "iptables", "nft", "optimizer", "parse",
    "translate",
]  # fmt: skip


def __getattr__(name: str) -> ModuleType:
    if name in {"iptables", "nft", "optimizer"}:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
