"""Pairs that the kernel tells apart: ``lies/NAME`` has the files, and in ``cmd`` the command.

A pair may come out as different or as unknown, never as equivalent.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click.testing
import pytest

from vpccni_nft.cli.commands import cli
from vpccni_nft.core.exit_codes import ExitCode

LIES = sorted(path.parent for path in Path(__file__).parent.glob("lies/*/cmd"))


def test_there_are_lies() -> None:
    assert LIES


@pytest.mark.parametrize("lie", LIES, ids=lambda path: path.name)
def test_a_pair_that_differs_is_never_proved(lie: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lie)
    program, *arguments = shlex.split((lie / "cmd").read_text())
    assert program == "vpccni-nft"
    done = click.testing.CliRunner().invoke(cli, [*arguments, "--json"])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert done.exit_code in {ExitCode.REFUSED, ExitCode.UNKNOWN}, done.output
    answer = json.loads(done.stdout)["answer"]
    expected = {ExitCode.REFUSED: "different", ExitCode.UNKNOWN: "unknown"}
    assert answer == expected[ExitCode(done.exit_code)]
