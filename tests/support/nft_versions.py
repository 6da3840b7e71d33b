"""Other versions of nft than the machine's: unpacked beside it with the libraries they want.

They come from newer suites of Debian, through the mirror that apt is configured for, into the
folder that NFT_VERSIONS names. They are downloaded only where NFT_VERSIONS_DOWNLOAD is set, as in
CI; else the tests that want them are skipped, with the reason.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

#: Suites of Debian with an nft newer than the floor.
SUITES = ("trixie", "sid")

#: nft, and what it is linked with in one of the suites or another.
PACKAGES = (
    "nftables", "libnftables1", "libnftnl11", "libmnl0", "libxtables12", "libjansson4", "libgmp10",
    "libedit2", "libtinfo6", "libbsd0", "libmd0", "libc6",
)  # fmt: skip

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SOURCES = (Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*"))
_MIRROR = re.compile(r"https?://\S+/debian/?(?=\s|$)", re.MULTILINE)


def nft_of(suite: str) -> tuple[str, ...]:
    """The command of a suite's nft, with its loader and libraries; a skip where there is none."""
    command = _find(suite)
    if isinstance(command, str):
        pytest.skip(command)
    return command


@cache
def _find(suite: str) -> tuple[str, ...] | str:
    """The command, or why there is none."""
    folder = Path(os.environ.get("NFT_VERSIONS") or Path(tempfile.gettempdir()) / "nft-versions")
    root = folder / suite / "root"
    if not (root / "usr/sbin/nft").exists():
        if not os.environ.get("NFT_VERSIONS_DOWNLOAD"):
            return f"nft of {suite} is not there, and NFT_VERSIONS_DOWNLOAD is not set"
        if reason := _download_once(suite, folder / suite):
            return reason
    loaders = sorted(root.rglob("ld-linux-x86-64.so.2"))
    if not loaders:
        return f"the libraries of {suite} are for another machine"
    libraries = sorted({str(path.parent) for path in root.rglob("*.so.*")})
    return str(loaders[0]), "--library-path", ":".join(libraries), str(root / "usr/sbin/nft")


def _download_once(suite: str, folder: Path) -> str:
    """Of several workers one downloads, and the others wait for it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return "" if (folder / "root/usr/sbin/nft").exists() else _download(suite, folder)


def _download(suite: str, folder: Path) -> str:
    """Unpack a suite's packages; the answer is empty, or why that was not possible."""
    mirrors = [found[0] for path in _SOURCES if path.is_file()
               for found in _MIRROR.finditer(path.read_text())]  # fmt: skip
    if not mirrors or not _KEYRING.exists():
        return "apt has no mirror of Debian"
    for part in ("lists/partial", "cache/archives/partial", "root"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    sources = folder / "sources.list"
    sources.write_text(f"deb [signed-by={_KEYRING}] {mirrors[0]} {suite} main\n")
    options = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
    }
    apt = ("apt-get", "-q", *(f"-o{name}={value}" for name, value in options.items()))
    for command in (("update",), *(("download", name) for name in PACKAGES)):
        done = subprocess.run(
            (*apt, *command), cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode:
            return f"apt-get {' '.join(command)} of {suite}: {done.stderr.strip()[-200:]}"
    for package in folder.glob("*.deb"):
        subprocess.run(("dpkg-deb", "-x", package, folder / "root"), check=True)
    return ""
