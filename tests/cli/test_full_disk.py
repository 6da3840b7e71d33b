"""Output that cannot be written is exit 2, whichever command writes it, and never a refusal."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from unittest import mock

import attrs
import click
import pytest

from vpccni_nft.cli import main
from vpccni_nft.cli.commands import cli

from ..support.command import environment
from ..support.dumps import NODE


@attrs.frozen
class Ended:
    code: object
    err: str


def run_on_full_disk(*arguments: str, unbuffered: bool = False) -> Ended:
    err = io.TextIOWrapper(io.BytesIO(), "utf-8")
    code: object = 0
    with (
        Path("/dev/full").open("wb", buffering=0 if unbuffered else -1) as full,
        mock.patch.dict(os.environ, environment(), clear=True),
        mock.patch.object(sys, "argv", ["vpccni-nft", *arguments]),
    ):
        # As Python itself opens it with PYTHONUNBUFFERED, and without.
        out = io.TextIOWrapper(full, "utf-8", write_through=unbuffered)
        with mock.patch.multiple(sys, stdout=out, stderr=err):
            try:
                main()
            except SystemExit as ended:
                code = ended.code
        out.detach()
    err.flush()
    return Ended(code, err.buffer.getvalue().decode())


def commands(group: click.Group, *names: str) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [names]
    for name, command in group.commands.items():
        nested = isinstance(command, click.Group)
        found += commands(command, *names, name) if nested else [(*names, name)]  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("names", commands(cli), ids=" ".join)
def test_the_help_of_every_command(names: tuple[str, ...]) -> None:
    ended = run_on_full_disk(*names, "--help")
    assert (ended.code, ended.err) == (
        2, "Error: cannot write the output: No space left on device\n",
    )  # fmt: skip


@pytest.mark.parametrize("unbuffered", [False, True], ids=["", "unbuffered"])
@pytest.mark.parametrize(
    "line",
    [
        "translate FILE",
        "translate FILE --format json",
        "translate FILE -o script --map -",
        "check FILE --json",
        "code",
        "code T101",
        "detect FILE",
        "detect FILE --json",
        "explain FILE --packet hook=input",
        "explain FILE --packet hook=input --json",
        "extensions",
        "extensions --json",
        "fleet FOLDER",
        "inventory FILE",
        "inventory FILE --json",
        "record --print-script",
        "verify --before FILE --after FILE",
        "verify --before FILE --after FILE --json",
    ],
)
def test_what_commands_print(line: str, unbuffered: bool, tmp_path: Path) -> None:
    path = tmp_path / "node" / "iptables-nft.save"
    path.parent.mkdir()
    path.write_text(NODE)
    words = {"FILE": str(path), "FOLDER": str(tmp_path), "script": str(tmp_path / "script")}
    ended = run_on_full_disk(
        *(words.get(word, word) for word in line.split()), unbuffered=unbuffered
    )
    assert ended.code == 2
    assert ended.err.count("No space left on device") == 1
