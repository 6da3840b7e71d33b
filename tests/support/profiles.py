"""How much is drawn, by the hypothesis profile that ``tests/conftest.py`` has loaded."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

#: What is drawn is the same in each run, but for the nightly one, which is to find new things.
ALL = settings(
    derandomize=os.environ.get("HYPOTHESIS_PROFILE") != "nightly",
    database=None,
    suppress_health_check=list(HealthCheck),
)
#: For each of many rooms a part will do.
FEW = settings(ALL, max_examples=max(4, ALL.max_examples // 6))

#: Drawn nodes are large, so a few for each release will do.
NODES_FEW = settings(
    max_examples=12,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
