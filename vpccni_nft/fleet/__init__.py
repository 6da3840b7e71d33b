"""Many nodes: what is on each, and whether its translation is proved.

    import joblib
    from vpccni_nft.fleet import read_fleet, survey

    with joblib.parallel_config(backend="threading", n_jobs=8):
        for report in survey(read_fleet("dumps")):
            print(report["node"], report["answer"])

``survey`` loads joblib, which the extra ``fleet`` installs, when it is called.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from ..node.files import Fleet, read_fleet
from .examine import FleetSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .report import Report

__all__ = ["Fleet", "FleetSettings", "read_fleet", "survey"]


def __getattr__(name: str) -> object:
    if name == "Settings":
        warnings.warn("fleet.Settings is FleetSettings now", DeprecationWarning, stacklevel=2)
        return FleetSettings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def survey(fleet: Fleet, settings: FleetSettings | None = None) -> Iterator[Report]:
    """Examine every node, and give what was found as they finish, one object for each node.

    It runs under the ``joblib.parallel_config`` that is in force, and one node after the other
    where there is none. Each node is examined in a process of its own kind: one that dies, or takes
    longer than its time, is reported as such, and the others go on. Nodes with the same rules are
    examined once. Raises ImportError without joblib or z3-solver
    (``pip install 'vpccni-nft[fleet]'``).
    """
    from .survey import survey as begin

    return begin(fleet, settings or FleetSettings())
