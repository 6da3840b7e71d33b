"""Archives of a node's files, read and never unpacked.

An archive may come from anywhere: nothing of it is written, its names are labels and no paths, and
neither it nor a file in it may grow beyond a bound while it is decompressed.
"""

from __future__ import annotations

import errno
import gzip
import io
import os
import tarfile
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Bytes of a whole archive, decompressed, of one file, and of a header that says more of a file.
MOST_BYTES = 1 << 31
MOST_OF_A_FILE = 1 << 28
MOST_OF_A_HEADER = 1 << 20

#: Files of an archive.
MOST_FILES = 200_000

_GZIP = b"\x1f\x8b"
_TAR = (257, b"ustar")

Parts = tuple[str, ...]


class BadArchive(OSError):  # noqa: N818 - what it is
    """An archive that cannot be read to its end."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EINVAL, reason)


def is_archive(path: Path) -> bool:
    """Whether a file is compressed with gzip, or an archive of tar. Raises OSError."""
    with path.open("rb") as file:
        start = file.read(sum(map(len, _TAR[1:])) + _TAR[0])
    return start.startswith(_GZIP) or _is_tar(start)


def stem_of(path: Path) -> str:
    """The name of an archive without what says that it is one."""
    name = path.name
    for suffix in (".tar.gz", ".tgz", ".tar", ".gz"):
        if name.endswith(suffix) and name != suffix:
            return name.removesuffix(suffix)
    return name


@attrs.frozen
class Member:
    """A regular file of an archive, while the archive is read."""

    parts: Parts  #: of its name; of an archive that is one compressed file, the file's name
    read: Callable[[], bytes]  #: raises BadArchive where it is too large


def members(path: Path) -> Iterator[Member]:
    """The regular files of an archive, in their order. Raises BadArchive."""
    try:
        with path.open("rb") as file:
            compressed = file.read(len(_GZIP)) == _GZIP
            file.seek(0)
            stream: Any = gzip.GzipFile(fileobj=file) if compressed else file
            bounded = io.BufferedReader(_Bounded(stream), 1 << 16)
            if _is_tar(bounded.peek(_TAR[0] + 8)):
                yield from _members_of_tar(bounded)
            else:
                yield Member((stem_of(path),), lambda: _read(bounded, None))
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise BadArchive(f"the archive is damaged: {error}") from None


def _is_tar(start: bytes) -> bool:
    place, sign = _TAR
    return start[place : place + len(sign)] == sign


def _members_of_tar(stream: BinaryIO) -> Iterator[Member]:
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Info) as archive:
        for number, info in enumerate(archive):
            if number == MOST_FILES:
                raise BadArchive(f"the archive has more than {MOST_FILES:,} files")
            parts = PurePosixPath(info.name).parts
            file = archive.extractfile(info) if info.isreg() and not info.issparse() else None
            if file is not None and ".." not in parts:
                yield Member(parts, lambda file=file, size=info.size: _read(file, size))  # type: ignore[misc]


def _read(file: Any, size: int | None) -> bytes:
    if size is not None and size > MOST_OF_A_FILE:
        raise BadArchive(f"a file of the archive has more than {MOST_OF_A_FILE:,} bytes")
    content: bytes = file.read(MOST_OF_A_FILE + 1)
    if len(content) > MOST_OF_A_FILE:
        raise BadArchive(f"it has more than {MOST_OF_A_FILE:,} bytes")
    return content


class _Info(tarfile.TarInfo):
    """A header of an archive; one that says more of the next file is read whole."""

    def _proc_member(self, tarfile_: tarfile.TarFile) -> Any:
        if not self.isreg() and self.size > MOST_OF_A_HEADER:
            raise tarfile.ReadError("a header is too large")
        return super()._proc_member(tarfile_)  # type: ignore[misc]


class _Bounded(io.RawIOBase):
    """What a stream has, up to the bound."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._left = MOST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._stream.read(len(buffer))
        self._left -= len(piece)
        if self._left < 0:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        buffer[: len(piece)] = piece
        return len(piece)
