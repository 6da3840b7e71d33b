"""Do without the collector of garbage, where there is none."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def uncollected() -> Iterator[None]:
    """Do not look for garbage: a translation keeps what it makes to its end, and ends the process.

    To look nevertheless takes a quarter of the time of a large one, and a tenth if only once, at
    the end.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.freeze()
            gc.enable()
