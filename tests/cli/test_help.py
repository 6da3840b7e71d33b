"""The help, its examples, and the list of extensions."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

import vpccni_nft
from vpccni_nft.core.exit_codes import ExitCode
from vpccni_nft.extensions import MATCHES, TARGETS

from ..support.command import command, environment, help_examples, run
from ..support.dumps import DUMP, DUMP6, NODE

COMMANDS = ("translate", "check", "extensions")


def test_extensions_json_lists_every_room_with_stable_keys() -> None:
    done = run("extensions", "--json")
    assert (done.code, done.err) == (0, "")
    rows = json.loads(done.out)
    assert all(row.keys() == {"kind", "name", "what", "nft", "codes"} for row in rows)
    assert {row["name"] for row in rows if row["kind"] == "match"} == MATCHES.keys()
    assert {row["name"] for row in rows if row["kind"] == "target"} == TARGETS.keys()
    assert len(rows) == len(MATCHES) + len(TARGETS)
    assert [row["name"] for row in rows if not row["what"] or not row["nft"]] == []


def test_the_table_of_extensions_has_a_line_for_each() -> None:
    done = run("extensions")
    assert (done.code, done.err) == (0, "")
    starts = {tuple(line.split()[:2]) for line in done.out.splitlines()}
    assert {("match", name) for name in MATCHES} <= starts
    assert {("target", name) for name in TARGETS} <= starts


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_says_what_a_command_does(name: str, flag: str) -> None:
    done = run(*name.split(), flag)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Usage: ")
    assert "--help" in done.out


def test_help_lists_the_commands_and_the_exit_codes() -> None:
    out = run("--help").out
    listed = re.findall(r"^  (\w+)  ", out.partition("Commands:\n")[2], re.MULTILINE)
    assert set(COMMANDS) <= set(listed)
    codes = re.findall(r"^ +(\d+) +\w", out.partition("Exit codes:\n")[2], re.MULTILINE)
    assert list(map(int, codes)) == list(ExitCode)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_in_the_help_work_as_they_stand(name: str, tmp_path: Path) -> None:
    """With other programs' names standing for programs that only copy."""
    programs = tmp_path / "programs"
    programs.mkdir()
    stubs = {
        "iptables-save": f"cat {tmp_path}/node.save",
        "nft": "cat",
        "jq": "cat",
        "vpccni-nft": f'exec {shlex.join(command())} "$@"',
    }
    for program, line in stubs.items():
        stub = programs / program
        stub.write_text(f"#!/bin/sh\n{line}\n")
        stub.chmod(0o755)
    for file, text in {
        "node.ipset": "",
        "node.save": NODE,
        "node.v4.save": DUMP,
        "node.v6.save": DUMP6,
    }.items():
        (tmp_path / file).write_text(text)
    found = help_examples(name)
    assert len(found) >= 2
    for line in found:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=tmp_path,
            capture_output=True,
            check=False,
            timeout=120,
            env=environment(PATH=f"{programs}:{os.environ['PATH']}"),
        )
        assert done.returncode == 0, (line, done.stderr.decode())
        assert f"vpccni-nft {name}" in line


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version").out == f"vpccni-nft, version {vpccni_nft.__version__}\n"
