"""Run the programs of the node that a move needs."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING

from ..core.errors import CannotRead
from ..core.isolated import PROGRAMS
from ..core.isolated import environment as isolated_environment
from ..core.isolated import path_of as isolated_path_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Seconds that a program may take.
PATIENCE = 120


#: Open files that programs inherit: what is locked stays locked until they have ended.
_inherited: set[int] = set()


class ProgramFailed(Exception):  # noqa: N818 - it says what happened
    """A program did not do its work; ``code`` is its exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@contextlib.contextmanager
def inheriting(handle: int) -> Iterator[None]:
    """Let the programs that are started meanwhile inherit an open file."""
    _inherited.add(handle)
    try:
        yield
    finally:
        _inherited.discard(handle)


def path_of(name: str) -> str:
    """Where a program is, whatever ``PATH`` says. Raises CannotRead where it is missing."""
    found = isolated_path_of(name)
    if found is None:
        raise CannotRead(f"{name} is missing from {PROGRAMS}")
    return found


def run(*command: str, given: str = "", environment: Mapping[str, str] | None = None) -> str:
    """What a program prints. Raises ProgramFailed, and CannotRead where it is missing.

    A signal of the terminal does not reach it: the caller knows what to do with one.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the program is looked up, and no shell reads a word
            [path_of(command[0]), *command[1:]],
            input=given.encode("utf-8", "surrogateescape"),
            capture_output=True,
            check=False,
            timeout=PATIENCE,
            env={**isolated_environment(), "LC_ALL": "C", **(environment or {})},
            start_new_session=True,
            pass_fds=tuple(_inherited),
        )
    except subprocess.TimeoutExpired:
        raise ProgramFailed(f"{command[0]}: no answer for {PATIENCE} s", -1) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
        raise ProgramFailed(f"{command[0]}: {said}", done.returncode)
    return done.stdout.decode("utf-8", "surrogateescape")
