"""Move Amazon EKS nodes from iptables to nftables without changing what happens to a packet.

    import vpccni_nft

    translation = vpccni_nft.translate(text)
    print(translation.script())

The languages, parsing, lowering, detection and the command line load when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .core.diagnostics import Diagnostic, Refused
from .core.values import Family
from .translation import Translation, parse, translate
from .verification import verify

if TYPE_CHECKING:
    from . import iptables, nft, optimizer
    from .proof.answers import Different, Equivalent, Unknown
    from .vpccni.detection import Detection, detect

__version__ = "0.1.0"

__all__ = [
    "Detection", "Diagnostic", "Different", "Equivalent", "Family", "Refused", "Translation",
    "Unknown", "detect", "iptables", "nft", "optimizer", "parse", "translate", "verify",
]  # fmt: skip

#: What loads when it is first asked for, by the module that has it.
_LAZY = {
    "proof.answers": ("Different", "Equivalent", "Unknown"),
    "vpccni.detection": ("Detection", "detect"),
}


def __getattr__(name: str) -> object:
    if name in {"iptables", "nft", "optimizer"}:
        return import_module(f".{name}", __name__)
    for module, names in _LAZY.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
