"""Releases of the CNI, and ranges of them."""

from __future__ import annotations

import attrs

Release = tuple[int, int, int]


@attrs.frozen
class Releases:
    """Releases from one to another, both included.

    >>> str(Releases.of("1.3.0", "1.5.7") & Releases.of("1.4.0"))
    'v1.4.0 to v1.5.7'
    >>> str(Releases.of("1.23.0") & Releases.of("1.8.0", "1.12.0"))
    'no single release'
    """

    since: Release | None = None  #: None: the first one
    until: Release | None = None  #: None: the last one so far

    @classmethod
    def of(cls, since: str = "", until: str = "") -> Releases:
        """The range between two releases; an empty text is an open end."""
        return cls(_parse(since), _parse(until))

    def __and__(self, other: Releases) -> Releases:
        """The releases that are in both."""
        since = max(self.since or (0, 0, 0), other.since or (0, 0, 0))
        ends = [end for end in (self.until, other.until) if end is not None]
        return Releases(since if any(since) else None, min(ends, default=None))

    def __contains__(self, release: Release) -> bool:
        return (self.since or release) <= release <= (self.until or release)

    @property
    def empty(self) -> bool:
        """Whether there is no such release."""
        return bool(self.since and self.until and self.since > self.until)

    def __str__(self) -> str:
        if self.empty:
            return "no single release"
        if self.until:
            return f"{_text(self.since or (1, 0, 0))} to {_text(self.until)}"
        return f"{_text(self.since)} on" if self.since else "any release"


ANY = Releases()


def _parse(text: str) -> Release | None:
    if not text:
        return None
    major, minor, patch = map(int, text.split("."))
    return major, minor, patch


def _text(release: Release) -> str:
    return "v" + ".".join(map(str, release))
