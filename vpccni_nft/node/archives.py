"""Archives of a node's files, read and never unpacked.

An archive may come from anywhere: nothing of it is written, its names are labels and no paths, and
neither it nor a file in it may grow beyond a bound while it is decompressed. It may be compressed
with gzip, bzip2 or xz, and so may a single file.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import tarfile
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

import attrs

from .magic import BEGINNING, BZIP2, GZIP, XZ, is_tar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Bytes of a whole archive, decompressed, of one file, and of a header that says more of a file.
MOST_BYTES = 1 << 31
MOST_OF_A_FILE = 1 << 28
MOST_OF_A_HEADER = 1 << 20

#: Files of an archive.
MOST_FILES = 200_000

Parts = tuple[str, ...]


class BadArchive(OSError):  # noqa: N818 - what it is
    """An archive that cannot be read to its end."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EINVAL, reason)


def holds_files(file: BinaryIO) -> bool:
    """Whether a file, compressed or not, is an archive of several. Raises BadArchive."""
    with _damages_named():
        return is_tar(_decompressed(file).peek(BEGINNING))


def decompressed(file: BinaryIO) -> bytes:
    """What is in a file that is compressed, and the file itself otherwise. Raises BadArchive."""
    with _damages_named():
        return _read(_decompressed(file), None)


def stem_of(name: str) -> str:
    """The name of an archive without what says that it is one."""
    for suffix in (".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar", ".gz", ".xz", ".bz2"):
        if name.endswith(suffix) and name != suffix:
            return name.removesuffix(suffix)
    return name


@attrs.frozen
class Member:
    """A regular file of an archive, while the archive is read."""

    parts: Parts  #: of its name; of an archive that is one compressed file, the file's name
    read: Callable[[], bytes]  #: raises BadArchive where it is too large


def members(name: str, file: BinaryIO) -> Iterator[Member]:
    """The regular files of an archive of this name, in their order. Raises BadArchive."""
    with _damages_named():
        stream = _decompressed(file)
        if is_tar(stream.peek(BEGINNING)):
            yield from _members_of_tar(stream)
        else:
            yield Member((stem_of(name),), lambda: _read(stream, None))


@contextlib.contextmanager
def _damages_named() -> Iterator[None]:
    """Raise BadArchive for whatever a damaged archive raises."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, ValueError) as error:
        raise BadArchive(f"the archive is damaged: {error}") from None


def _decompressed(file: BinaryIO) -> io.BufferedReader:
    """The content of a file, which is decompressed while it is read, up to the bound."""
    start = file.read(len(XZ))
    file.seek(0)
    stream: Any = file
    if start.startswith(GZIP):
        import gzip

        stream = gzip.GzipFile(fileobj=file)
    elif start.startswith(BZIP2):
        import bz2

        stream = bz2.BZ2File(file)
    elif start == XZ:
        stream = _Xz(file)
    return io.BufferedReader(_Bounded(stream), 1 << 16)


class _Xz:
    """The content of a file of xz, whose dictionary is bounded, as ``lzma.LZMAFile`` does not."""

    def __init__(self, file: BinaryIO) -> None:
        import lzma

        self._file = file
        self._decoder = lzma.LZMADecompressor(memlimit=MOST_OF_A_FILE)

    def read(self, size: int) -> bytes:
        import lzma

        piece = b""
        try:
            while not piece and not self._decoder.eof:
                more = self._file.read(1 << 16) if self._decoder.needs_input else b""
                if self._decoder.needs_input and not more:
                    raise EOFError("it ends early")
                piece = self._decoder.decompress(more, size)
        except lzma.LZMAError as error:
            raise EOFError(str(error)) from None
        if not piece and (self._decoder.unused_data.strip(b"\0") or self._file.read(1)):
            raise EOFError("it has several streams of xz: decompress it first")
        return piece


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
