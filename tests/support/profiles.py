"""How much the tests try: ``ci``, which is the usual profile, or ``nightly``.

``HYPOTHESIS_PROFILE`` names the profile. It is about more than what hypothesis draws: how long the
long inputs are, and whether a mutant goes through every layer.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, settings

settings.register_profile("ci", max_examples=24, deadline=None)
settings.register_profile("nightly", max_examples=5000, deadline=None)

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "ci")
NIGHTLY = PROFILE == "nightly"
settings.load_profile(PROFILE)


T = TypeVar("T")


def share(items: Iterable[T], of: int) -> list[T]:
    """One of so many in the usual profile, chosen by name, so that a new one moves no other."""
    return [item for item in items if NIGHTLY or _number(item) % of == 0]


def in_turn(name: object, items: Sequence[T], count: int = 1) -> Sequence[T]:
    """All of them nightly; usually so many, by turns: from the one that the name says."""
    if NIGHTLY:
        return items
    first = _number(name)
    return [items[(first + number) % len(items)] for number in range(min(count, len(items)))]


def _number(item: object) -> int:
    name = item.name if isinstance(item, Path) else str(item)
    return zlib.crc32(name.encode(errors="surrogatepass"))


#: How many times as many packets go through the kernel as usually.
SCALE = int(os.environ.get("VPCCNI_NFT_PACKETS_TIMES", "2" if NIGHTLY else "1"))

#: What is drawn is the same in each run, but for the nightly one, which is to find new things.
ALL = settings(
    derandomize=not NIGHTLY,
    database=None,
    suppress_health_check=list(HealthCheck),
)
#: For each of many rooms a part will do.
FEW = settings(ALL, max_examples=max(4, ALL.max_examples // 10))

#: Drawn nodes are large, so a few for each release will do.
NODES_FEW = settings(ALL, derandomize=True, max_examples=12)
