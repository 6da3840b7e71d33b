"""The tutorial says what its commands print."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from shutil import copytree

import pytest

from ..support.command import Run, run
from ..support.profiles import NIGHTLY

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps() -> list[tuple[str, list[str]]]:
    """The commands, with the lines that they are to print; three dots are any number of lines."""
    found: list[tuple[str, list[str]]] = []
    for block in _BLOCK.findall((DOCS / "tutorial.md").read_text()):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line.removeprefix("$ "), []))
            else:
                found[-1][1].append(line)
    return found


def test_the_tutorial_says_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proofs under a catalogue take seconds each: the nightly run has them."""
    copytree(DOCS / "tutorial", tmp_path / "tutorial")
    monkeypatch.chdir(tmp_path / "tutorial")
    done = None
    tried = 0
    for command, lines in steps():
        if command == "echo $?":
            assert done is None or [str(done.code)] == lines
        elif not command.startswith("vpccni-nft "):
            subprocess.run(["sh", "-c", command], check=True)
        elif "--accept" in command and "broken" not in command and not NIGHTLY:
            done = None
        else:
            done = run(*shlex.split(command)[1:])
            assert holds(done, lines), f"{command}\n{done.out}{done.err}"
            tried += 1
    assert tried >= (9 if NIGHTLY else 6)


def holds(done: Run, lines: list[str]) -> bool:
    """Whether these lines were printed, in this order; three dots end a line that goes on."""
    left = iter((done.out + done.err).splitlines())
    return all(
        any(line.startswith(wanted.removesuffix("...")) for line in left)
        for wanted in lines
        if wanted != "..."
    )
