"""How problems are shown: places, numbers, colours, and ``check``, also as JSON."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ..support.command import command, environment, run
from ..support.dumps import APPROXIMATE, DUMP, UNMARKED, WRONG

COMMANDS = ("translate", "check", "extensions")


_ESCAPE = re.compile(rb"\x1b\[[0-9;]*m")


def pointed_at(err: str) -> list[tuple[int, int, str]]:
    """The line, the column and the text over the carets, of every diagnostic."""
    found = []
    pattern = re.compile(
        r"^<stdin>:(?P<line>\d+):(?P<column>\d+): \w+\[[PT]\d{3}\].*\n"
        r" (?P<number>\d+) \| (?P<code>.*)\n"
        r" +\| (?P<blank> *)(?P<carets>\^+)$",
        re.MULTILINE,
    )
    for one in pattern.finditer(err):
        assert one["line"] == one["number"]
        start = len(one["blank"])
        text = one["code"][start : start + len(one["carets"])]
        found.append((int(one["line"]), int(one["column"]), text))
    return found


@pytest.mark.parametrize("name", ["translate", "check"])
def test_all_problems_are_reported_in_one_run_with_their_places(name: str) -> None:
    done = run(name, stdin=WRONG)
    assert done.code == 1
    assert pointed_at(done.err) == [
        (4, 13, "node.example.com"),
        (6, 13, "NO-SUCH-CHAIN"),
        (7, 13, "nonsense"),
    ]
    assert done.err.splitlines()[-1] == "3 errors"


def test_a_place_in_a_very_long_line_is_still_pointed_at() -> None:
    rule = "-A INPUT " + "-m mark --mark 0x1 " * 200 + "-s nowhere -j DROP"
    done = run("check", stdin=UNMARKED.replace("-A INPUT -j DROP", rule), env=environment())
    assert (3, rule.index("nowhere") + 1, "nowhere") in pointed_at(done.err)


def test_not_more_than_fifty_problems_are_written_out() -> None:
    rules = "".join(f"-A INPUT -s host{number} -j DROP\n" for number in range(80))
    done = run("translate", stdin=DUMP.replace("COMMIT\n", f"{rules}COMMIT\n"))
    assert done.code == 1
    assert len(pointed_at(done.err)) == 50
    assert done.err.splitlines()[-2:] == ["... and 30 more", "80 errors"]


def test_check_writes_nothing_to_standard_output_without_json() -> None:
    done = run("check", stdin=DUMP)
    assert (done.code, done.out) == (0, "")
    assert done.err == "exact: nothing is refused, approximated or changed\n"


def test_check_agrees_with_translate_about_what_is_allowed() -> None:
    assert run("check", stdin=APPROXIMATE).code == 1
    assert run("check", "--allow", "T105", stdin=APPROXIMATE).code == 0
    assert run("check", stdin=UNMARKED).code == 1
    assert run("check", "--family", "ip6", stdin=UNMARKED).code == 0


def test_check_lists_changes_that_translate_only_counts() -> None:
    text = DUMP.replace("KUBE-FIREWALL", "1st+chain")
    checked, translated = run("check", stdin=text), run("translate", stdin=text)
    assert (checked.code, translated.code) == (0, 0)
    assert "note[T202]" in checked.err
    assert "note[T202]" not in translated.err
    assert translated.err == "1 note (vpccni-nft check shows them)\n"


def test_check_json_has_stable_keys() -> None:
    done = run("check", "--json", stdin=WRONG)
    assert (done.code, done.err) == (1, "")
    report = json.loads(done.out)
    assert report.keys() == {"refused", "diagnostics"}
    assert report["refused"] is True
    first: dict[str, Any] = report["diagnostics"][0]
    assert first == {
        "code": "P004",
        "kind": "error",
        "refuses": True,
        "allowed": False,
        "message": "“node.example.com” is not an address",
        "hint": "names are never looked up: write the address that the kernel holds",
        "file": "<stdin>",
        "line": 4,
        "column": 13,
        "end_column": 29,
    }
    assert all(one.keys() == first.keys() for one in report["diagnostics"])
    assert [one["code"] for one in report["diagnostics"]] == ["P004", "T003", "P005"]


@pytest.mark.parametrize(("text", "code"), [(DUMP, 0), ("", 2), ("what\n", 2)])
def test_check_json_is_json_for_every_input(text: str, code: int) -> None:
    done = run("check", "--json", stdin=text)
    assert (done.code, done.err) == (code, "")
    report = json.loads(done.out)
    assert report["refused"] is (code != 0)
    assert bool(report["diagnostics"]) is (code != 0)


def test_check_json_has_every_problem_however_many() -> None:
    rules = "".join(f"-A INPUT -s host{number} -j DROP\n" for number in range(80))
    done = run("check", "--json", stdin=DUMP.replace("COMMIT\n", f"{rules}COMMIT\n"))
    assert len(json.loads(done.out)["diagnostics"]) == 80


def on_a_terminal(*arguments: str, stdin: str) -> bytes:
    """What a command writes to its standard error where that is a terminal."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        command(*arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=slave,
        env=environment(TERM="xterm"),
    ) as process:
        os.close(slave)
        assert process.stdin
        process.stdin.write(stdin.encode())
        process.stdin.close()
        seen = b""
        while chunk := _read_terminal(master):
            seen += chunk
    os.close(master)
    return seen.replace(b"\r\n", b"\n")


def _read_terminal(master: int) -> bytes:
    try:
        return os.read(master, 4096)
    except OSError:  # the other end is closed
        return b""


@pytest.mark.parametrize("name", ["translate", "check"])
def test_diagnostics_have_colour_on_a_terminal_and_nowhere_else(name: str) -> None:
    plain = run(name, stdin=WRONG).err.encode()
    coloured = on_a_terminal(name, stdin=WRONG)
    assert b"\x1b" not in plain
    assert b"\x1b[31m" in coloured
    # On a terminal, what a line has no room for is in the next one.
    assert _ESCAPE.sub(b"", coloured).split() == plain.split()


def test_a_long_input_shows_a_sign_of_life_on_a_terminal_only() -> None:
    rules = "-A INPUT -s 10.0.0.0/8 -j DROP\n" * 6000
    text = DUMP.replace("COMMIT\n", f"{rules}COMMIT\n")
    assert b"translating 6,0" in on_a_terminal("translate", stdin=text)
    assert run("translate", stdin=text).err == ""


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("translate", DUMP.replace("COMMIT\n", "-A INPUT -j ACCEPT\n" * 20000 + "COMMIT\n")),
        ("check --json", DUMP.replace("COMMIT\n", "-A INPUT -s x\n" * 2000 + "COMMIT\n")),
        ("check 2>&1", DUMP.replace("COMMIT\n", "-A INPUT -s x\n" * 2000 + "COMMIT\n")),
        ("extensions", ""),
        ("extensions --json", ""),
    ],
    ids=lambda value: value if len(value) < 30 else "",
)
def test_a_reader_that_stops_early_is_no_error(line: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "node.save"
    file.write_text(text)
    errors = tmp_path / "errors"
    done = subprocess.run(
        ["bash", "-c", f"{{ {shlex.join(command())} {line} < {file}; }} 2> {errors} | head -1"],
        capture_output=True,
        check=False,
        timeout=120,
        env=environment(),
    )
    assert len(done.stdout.splitlines()) == 1
    assert errors.read_text() == ""
