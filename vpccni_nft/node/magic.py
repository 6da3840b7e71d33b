"""How files begin that are compressed, or an archive of several."""

from __future__ import annotations

GZIP, BZIP2, XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"

#: Where an archive of tar says that it is one.
_TAR = (257, b"ustar")

#: How much of a file shows what it is.
BEGINNING = _TAR[0] + 8


def is_compressed(start: bytes) -> bool:
    """Whether a file that begins so is compressed in a way that is read."""
    return start.startswith((GZIP, BZIP2, XZ))


def is_tar(start: bytes) -> bool:
    """Whether a file that begins so is an archive of tar."""
    place, sign = _TAR
    return start[place : place + len(sign)] == sign


def is_packed(start: bytes) -> bool:
    """Whether a file that begins so is one of these."""
    return is_compressed(start) or is_tar(start)
