"""The command as its users run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs

import vpccni_nft

_ROOT = Path(vpccni_nft.__file__).parent.parent


@attrs.frozen
class Run:
    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """Like the tests' own, but nothing in it asks for colours or forbids them."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {"NO_COLOR", "FORCE_COLOR", "PY_COLORS", "TTY_COMPATIBLE"}
    }
    return kept | {"PYTHONPATH": str(_ROOT)} | more


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "vpccni_nft", *arguments]


def run(
    *arguments: str,
    stdin: str = "",
    prefix: tuple[str, ...] = (),
    before: Callable[[], object] | None = None,
    env: dict[str, str] | None = None,
) -> Run:
    done = subprocess.run(
        [*prefix, *command(*arguments)],
        input=stdin.encode("utf-8", "surrogateescape"),
        capture_output=True,
        check=False,
        timeout=120,
        env=env or environment(),
        preexec_fn=before,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return Run(done.returncode, done.stdout.decode(), done.stderr.decode())
