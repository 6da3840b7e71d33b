"""What is known of the Amazon VPC CNI and of the agents beside it on a node.

``Snapshot`` has a node's texts; ``predict`` and ``prove`` are about a change of kube-proxy's mode.
All are functions of texts alone. They load when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .kube_proxy.questions import ProvedSwitch, predict, prove
    from .snapshot import Snapshot

__all__ = ["ProvedSwitch", "Snapshot", "predict", "prove"]


def __getattr__(name: str) -> object:
    if name == "Snapshot":
        from .snapshot import Snapshot

        return Snapshot
    if name in __all__:
        from .kube_proxy import questions

        return getattr(questions, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
