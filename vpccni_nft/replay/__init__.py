"""The same conversations through two rulesets, in the kernel of this machine.

    from vpccni_nft.replay import compare

    result = compare([dump], [script], packets=5000)
    print(result.equal, result.tally.packets)

It needs root. What ``compare`` needs loads when it is first used: the process inside a namespace
imports this package, too, and shall begin quickly.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .comparison import Result, compare
    from .side import Backend, ReplayError
    from .testbed import ReplaySettings

__all__ = ["Backend", "ReplayError", "ReplaySettings", "Result", "compare"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from . import comparison, side
        from . import testbed as arena

        places = (comparison, arena, side)
        return next(getattr(place, name) for place in places if hasattr(place, name))
    if name == "Settings":
        warnings.warn("replay.Settings is ReplaySettings now", DeprecationWarning, stacklevel=2)
        return __getattr__("ReplaySettings")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
