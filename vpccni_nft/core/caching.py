"""One switch for what is kept while a text is read and lowered.

The caches change no result; a test holds that, with the switch on and off.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CACHING = ContextVar("caching", default=True)


def caching() -> bool:
    """Whether parts of rules that come again are taken from a cache."""
    return _CACHING.get()


@contextmanager
def without_caches() -> Iterator[None]:
    """Read and lower each line by itself, as often as it comes."""
    token = _CACHING.set(False)
    try:
        yield
    finally:
        _CACHING.reset(token)
