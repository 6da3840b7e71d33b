"""Records: everything that decides packets on a node at one moment, as a folder or an archive.

``record.sh`` makes them, on hosts without Python too; this module runs it, and makes a record of
what a support tool collected. Its files have the names that a folder of any node may have.
"""

from __future__ import annotations

import datetime
import io
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import CannotRead
from ..core.isolated import environment
from .snapshot import FACTS, MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .snapshot import Snapshot

#: The first line of every record's list; the number changes with the meaning of its files.
FORMAT = "vpccni-nft record 1"

#: What the name of an archive ends with.
ARCHIVE = ".tar.gz"

_SCRIPT = Path(__file__).with_name("record.sh")

#: What the script ends with where a program failed that others stood in for.
_IN_PART = 3


def script() -> str:
    """A POSIX shell script that makes a record, for hosts without Python."""
    return _SCRIPT.read_text()


def default_name(host: str) -> str:
    """What a record is called where nothing else is said: the host and the time in UTC."""
    now = datetime.datetime.now(datetime.UTC)
    return f"{host}-{now:%Y%m%dT%H%M%SZ}{ARCHIVE}"


def record(target: Path) -> bool:
    """Record this node into a folder, or an archive where the name ends with ``.tar.gz``.

    False where some program failed: the record has the rest, and its list says what failed. Nothing
    is written where no rules could be read. Raises CannotRead.
    """
    done = subprocess.run(
        ["/bin/sh", str(_SCRIPT), str(target)],
        capture_output=True,
        check=False,
        env=environment(),
        text=True,
        errors="replace",
    )
    if done.returncode not in {0, _IN_PART}:
        said = [line.removeprefix("record: ") for line in done.stderr.splitlines()]
        first = f" ({said[0]})" if len(said) > 1 else ""
        raise CannotRead(f"{said[-1]}{first}" if said else f"it ends with {done.returncode}")
    return done.returncode == 0


def record_of(node: Snapshot, origin: str, target: Path) -> None:
    """Make a record of a node's texts that were collected in another way, from ``origin``.

    Counters and times are not in it. Raises OSError; FileExistsError where the target is there.
    """
    listed = [FORMAT, f"host: {node.name or 'unknown'}", f"from: {origin}", ""]
    texts = {**node.texts, **{name: text for name, text in node.facts.items() if name != MANIFEST}}
    listed += (f"{name}: ok: {node.files[name]}" for name in sorted(texts))
    absent = (name for name in FACTS if name not in {*texts, MANIFEST})
    listed += (f"{name}: missing: not in {origin}" for name in absent)
    texts[MANIFEST] = "".join(f"{line}\n" for line in listed)
    if target.exists() or target.is_symlink():
        raise FileExistsError(target)
    if target.name.endswith(ARCHIVE):
        _write_archive(texts, target)
    else:
        _write_folder(texts, target)


def _write_folder(texts: Mapping[str, str], target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".record.") as draft:
        folder = Path(draft, target.name)
        folder.mkdir(mode=0o700)
        for name, text in texts.items():
            path = folder / name
            path.write_bytes(text.encode("utf-8", "surrogateescape"))
            path.chmod(0o600)
        folder.rename(target)


def _write_archive(texts: Mapping[str, str], target: Path) -> None:
    handle, draft = tempfile.mkstemp(dir=target.parent, prefix=".record.")
    try:
        with (
            os.fdopen(handle, "wb") as file,
            tarfile.open(fileobj=file, mode="w:gz") as archive,
        ):
            for name, text in texts.items():
                content = text.encode("utf-8", "surrogateescape")
                member = tarfile.TarInfo(f"{target.name.removesuffix(ARCHIVE)}/{name}")
                member.size, member.mode = len(content), 0o600
                archive.addfile(member, io.BytesIO(content))
        Path(draft).rename(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
