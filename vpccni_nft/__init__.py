"""Move Amazon EKS nodes from iptables to nftables without changing what happens to a packet.

    import vpccni_nft

    translation = vpccni_nft.translate(text)
    print(translation.script())

All of it loads when it is first used: every pytest imports the package for its plugin's options.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .core.late import provide
from .core.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from . import iptables, nft, optimizer
    from .api import explain, inventory, parse, translate, verify
    from .core.diagnostics import Diagnostic, Refused
    from .core.values import Family
    from .node.detection import Detection, detect
    from .proof.answers import Different, Equivalent, Unknown
    from .translation import Translation

__all__ = [
    "Detection", "Diagnostic", "Different", "Equivalent", "Family", "Refused", "Translation",
    "Unknown", "__version__", "detect", "explain", "inventory", "iptables", "nft", "optimizer",
    "parse", "translate", "verify",
]  # fmt: skip

#: What loads when it is first asked for, by the module that has it.
_LAZY = {
    "api": ("explain", "inventory", "parse", "translate", "verify"),
    "core.diagnostics": ("Diagnostic", "Refused"),
    "core.values": ("Family",),
    "translation": ("Translation",),
    "proof.answers": ("Different", "Equivalent", "Unknown"),
    "node.detection": ("Detection", "detect"),
}

#: The functions of the languages that stand in ``text``, by the module that has them.
_TEXTS = {
    "iptables.node_classes": ("extensions.public", "node_classes"),
    "iptables.save": ("text.iptables_save", "save"),
    "nft.as_json": ("text.nft_json", "commands"),
    "nft.parse": ("text.nft_reader", "parse"),
    "nft.serialize": ("text.nft_script", "serialize"),
}


def __getattr__(name: str) -> object:
    if name in {"iptables", "nft", "optimizer"}:
        return import_module(f".{name}", __name__)
    for module, names in _LAZY.items():
        if name in names:
            found = globals()[name] = getattr(import_module(f".{module}", __name__), name)
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _provider(module: str, function: str) -> Callable[[], Callable[..., Any]]:
    return lambda: getattr(import_module(f".{module}", __name__), function)


for _name, _place in _TEXTS.items():
    provide(_name, _provider(*_place))
