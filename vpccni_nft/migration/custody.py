"""Files of a plan: made so that no other user can change them, and used only if none could.

What is in the directory of a plan is given to programs that run as root. So it, all that is in it
and every folder above it belong to root or to the user who runs this, and no other user may write
there; of a folder with the sticky bit, such as /tmp, the next one down counts. A symbolic link in
it is refused, and no file is opened through one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import CannotRead

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Unsafe(CannotRead):
    """Another user could have changed what would be run."""


def check_place(directory: Path) -> None:
    """Whether a directory can be used: it, and all above it. Raises Unsafe."""
    for path in (directory.absolute(), _resolved(directory)):
        for above in reversed(path.parents):
            _check(above, shared=True)
        _check(path, shared=False)
    if not stat.S_ISDIR(_lstat(directory).st_mode):
        raise Unsafe(f"{directory} is no directory, or a symbolic link to one")


def check_tree(directory: Path) -> None:
    """The same for everything in it. Raises Unsafe."""
    check_place(directory)
    for folder, folders, files in os.walk(directory, onerror=_fail):
        for name in (*folders, *files):
            path = Path(folder) / name
            mode = _lstat(path).st_mode
            if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
                raise Unsafe(f"{path} is neither a file nor a directory: plan again")
            _check(path, shared=False)


def check_sums(directory: Path, sums: Mapping[str, str]) -> None:
    """Whether files are as they were written: their names and SHA-256. Raises Unsafe."""
    for name, expected in sums.items():
        path = directory / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise Unsafe(f"{directory} names a file outside of it: plan again")
        if hashlib.sha256(read_file(path)).hexdigest() != expected:
            raise Unsafe(f"{path} was changed after the plan was made: plan again")


def read_file(path: Path) -> bytes:
    """What is in a file that is no symbolic link. Raises Unsafe."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            return file.read()
    except OSError as error:
        raise Unsafe(f"cannot read {path}: {error.strerror}") from None


def make_folder(path: Path) -> None:
    """Make a folder for its owner only, and those above it that are missing. Raises OSError."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def create(path: Path, content: bytes) -> None:
    """Write a new file, which is there for its owner only. Raises OSError where there is one."""
    make_folder(path.parent)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        _fill(file.fileno(), content)


def replace(path: Path, content: bytes) -> None:
    """Put a file in place of another one: either is there, whatever happens. Raises OSError."""
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        try:
            _fill(handle, content)
        finally:
            os.close(handle)
        Path(draft).rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(draft).unlink()
        raise
    sync(path.parent)


def sync(directory: Path) -> None:
    """Have the disk hold what was made, renamed and deleted in a directory."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def new_directory(directory: Path) -> Iterator[Path]:
    """A draft that becomes the directory at the end, or is gone. Raises Unsafe, and OSError."""
    make_folder(directory.parent)
    check_place(directory.parent)
    draft = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        yield draft
        draft.rename(directory)
        sync(directory.parent)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _fill(handle: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]
    os.fsync(handle)


def _check(path: Path, *, shared: bool) -> None:
    found = _lstat(path)
    if found.st_uid not in {0, os.geteuid()}:
        raise Unsafe(f"{path} belongs to the user {found.st_uid}, who could change the plan")
    if stat.S_ISLNK(found.st_mode):
        return  # its own mode says nothing; who may replace it, the folder that it is in says
    if found.st_mode & _OTHERS_WRITE and not (shared and found.st_mode & stat.S_ISVTX):
        raise Unsafe(f"{path} can be written by others than its owner: chmod go-w it, or move it")


def _lstat(path: Path) -> os.stat_result:
    try:
        return path.lstat()
    except OSError as error:
        raise Unsafe(f"cannot read {path}: {error.strerror}") from None


def _resolved(directory: Path) -> Path:
    try:
        return directory.parent.resolve(strict=True) / directory.name
    except (OSError, RuntimeError) as error:
        raise Unsafe(f"cannot read {directory.parent}: {error}") from None


def _fail(error: OSError) -> None:
    raise Unsafe(f"cannot read {error.filename}: {error.strerror}")
