"""The command as its users run it.

``run`` calls it here, with streams and an environment of its own; ``run_process`` starts a process,
for what only a process has: limits, signals, a terminal, closed streams, a locale.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import attrs

import vpccni_nft
from vpccni_nft.cli import main

_ROOT = Path(vpccni_nft.__file__).parent.parent

#: Variables that ask for colours or forbid them, or change how Python itself reads and writes.
_LEFT_OUT = {
    *("NO_COLOR", "FORCE_COLOR", "PY_COLORS", "TTY_COMPATIBLE", "COLUMNS", "LINES"),
    *("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"),
}

#: What a process is started with that is to be interrupted: a shell's background jobs, and what
#: they start, ignore Ctrl-C.
INTERRUPTIBLE = ("env", "--default-signal=INT")


@attrs.frozen
class Run:
    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """Like the tests' own, but for what would make a difference to what the command prints."""
    kept = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    return kept | {"PYTHONPATH": str(_ROOT)} | more


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "vpccni_nft", *arguments]


class _Screen(io.BytesIO):
    """A terminal, of as many columns as ``COLUMNS`` says or 80."""

    def isatty(self) -> bool:
        return True


def run(
    *arguments: str, stdin: str = "", env: dict[str, str] | None = None, terminal: bool = False
) -> Run:
    """Call the command in this process; what it raises but ``SystemExit`` fails the test."""
    written = _Screen if terminal else io.BytesIO
    given = io.TextIOWrapper(io.BytesIO(stdin.encode("utf-8", "surrogateescape")), "utf-8")
    out = io.TextIOWrapper(written(), "utf-8")
    err = io.TextIOWrapper(written(), "utf-8", "backslashreplace")
    code: object = 0
    with (
        mock.patch.dict(os.environ, env or environment(), clear=True),
        mock.patch.object(sys, "argv", ["vpccni-nft", *arguments]),
        mock.patch.multiple(sys, stdin=given, stdout=out, stderr=err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    assert isinstance(code, int), code
    return Run(code, _text_of(out), _text_of(err))


def _text_of(stream: io.TextIOWrapper[io.BytesIO]) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode()


def help_examples(*command: str) -> list[str]:
    """The examples of a command's help, as a shell has them: one that goes on is one line."""
    _, found, text = run(*command, "--help").out.partition("Examples:\n")
    assert found, f"{command} --help has no examples"
    lines = text.partition("\n\n")[0].replace("\\\n", "").splitlines()
    return [line.strip() for line in lines if line.strip()]


def run_process(
    *arguments: str,
    stdin: str = "",
    prefix: tuple[str, ...] = (),
    before: Callable[[], object] | None = None,
    env: dict[str, str] | None = None,
) -> Run:
    """Run the command in a process of its own; ``before`` is called in it before it begins."""
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
