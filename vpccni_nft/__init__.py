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
from .verification import verify

if TYPE_CHECKING:
    from . import iptables, nft
    from .proof.verify import Different, Equivalent, Unknown

__version__ = "0.1.0"

__all__ = [
    "Diagnostic", "Different", "Equivalent", "Family", "Refused", "Translation", "Unknown",
    "iptables", "nft", "parse", "translate", "verify",
]  # fmt: skip

#: What loads when it is first asked for, and the module that has it.
_LAZY = {"Different": "proof.verify", "Equivalent": "proof.verify", "Unknown": "proof.verify"}


def __getattr__(name: str) -> object:
    if name in {"iptables", "nft"}:
        return import_module(f".{name}", __name__)
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
