"""Exit codes, and input that cannot be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ..support.command import run
from ..support.dumps import APPROXIMATE, DUMP, WRONG


@pytest.mark.parametrize("name", ["translate", "check"])
@pytest.mark.parametrize(
    ("text", "code"),
    [
        (DUMP, 0),
        (WRONG, 1),
        (APPROXIMATE, 1),
        ("", 2),
        ("hello\n", 2),
        ("\x7fELF\x02\x01\x01\0", 2),
        ("table ip filter {\n}\n", 2),
    ],
    ids=["exact", "wrong", "approximate", "empty", "text", "binary", "nft"],
)
def test_the_exit_code_distinguishes_done_refused_and_unreadable(
    name: str, text: str, code: int
) -> None:
    done = run(name, stdin=text)
    assert done.code == code
    assert bool(done.out) is (name == "translate" and code == 0)
    assert (done.err == "") is (name == "translate" and code == 0)


@pytest.mark.parametrize("name", ["translate", "check"])
@pytest.mark.parametrize(
    ("file", "reason"),
    [("missing.save", "No such file"), ("file/x", "Not a directory")],
)
def test_a_file_that_cannot_be_read_is_reported_by_its_name(
    name: str, file: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text(DUMP)
    path = str(tmp_path / file)
    done = run(name, path)
    assert (done.code, done.out) == (2, "")
    assert f"cannot read {path}: {reason}" in done.err


@pytest.mark.parametrize("name", ["translate", "check"])
def test_the_name_of_a_file_cannot_steer_the_terminal(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m\x07\udcff.save"
    for content in (None, WRONG, "nothing"):
        if content is not None:
            path.write_text(content)
        done = run(name, str(path))
        assert done.code in {1, 2}
        assert ".save" in done.err
        assert not set(done.err).difference("\n").intersection(map(chr, range(32)))


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("--nonsense",),
        ("translate", "--nonsense"),
        ("translate", "--family", "ip5"),
        ("translate", "--family", "inet"),
        ("translate", "--format", "yaml"),
        ("translate", "--counters", "some"),
        ("translate", "-o"),
        ("check", "--allow"),
        ("extensions", "more"),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2_and_says_so(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, stdin=DUMP)
    assert (done.code, done.out) == (2, "")
    assert re.search("^Error: ", done.err, re.MULTILINE)
