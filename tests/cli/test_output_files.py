"""The output file of a command is whole, or as it was; and streams that are closed or full."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
from pathlib import Path

import pytest

import vpccni_nft

from ..support.command import command, environment, run, run_process
from ..support.dumps import APPROXIMATE, DUMP, WRONG


def script_of(*dumps: str) -> str:
    return vpccni_nft.translate("".join(dumps)).script()


def limit_file_size() -> None:
    """As a full disk does: the file can be made, but not written to its end."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))


def test_an_output_file_holds_what_standard_output_would(tmp_path: Path) -> None:
    output = tmp_path / "node.nft"
    done = run("translate", "-o", str(output), stdin=DUMP)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert output.read_text() == script_of(DUMP)
    assert os.listdir(tmp_path) == ["node.nft"]


def test_a_new_output_file_has_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    output = tmp_path / "node.nft"
    mask = os.umask(0o027)
    try:
        run("translate", "-o", str(output), stdin=DUMP)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(output.stat().st_mode) == 0o640


def test_an_output_file_that_is_replaced_keeps_its_rights(tmp_path: Path) -> None:
    output = tmp_path / "node.nft"
    output.write_text("old")
    output.chmod(0o604)
    run("translate", "-o", str(output), stdin=DUMP)
    assert output.read_text() == script_of(DUMP)
    assert stat.S_IMODE(output.stat().st_mode) == 0o604


def test_an_output_file_that_is_a_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real.nft", tmp_path / "link.nft"
    real.write_text("old")
    link.symlink_to(real)
    done = run("translate", "-o", str(link), stdin=DUMP)
    assert done.code == 0
    assert link.is_symlink()
    assert real.read_text() == script_of(DUMP)


@pytest.mark.parametrize(
    ("text", "code"), [(WRONG, 1), (APPROXIMATE, 1), ("no dump at all\n", 2), ("", 2)]
)
def test_a_refused_input_leaves_the_output_file_as_it_was(
    text: str, code: int, tmp_path: Path
) -> None:
    output = tmp_path / "node.nft"
    assert run("translate", "-o", str(output), stdin=text).code == code
    assert not output.exists()
    output.write_text("the rules of yesterday")
    assert run("translate", "-o", str(output), stdin=text).code == code
    assert output.read_text() == "the rules of yesterday"
    assert os.listdir(tmp_path) == ["node.nft"]


def test_an_unreadable_second_file_leaves_the_output_file_as_it_was(tmp_path: Path) -> None:
    output = tmp_path / "node.nft"
    output.write_text("the rules of yesterday")
    missing = str(tmp_path / "missing.save")
    assert run("translate", "-", missing, "-o", str(output), stdin=DUMP).code == 2
    assert output.read_text() == "the rules of yesterday"


def test_a_full_disk_leaves_the_output_file_as_it_was(tmp_path: Path) -> None:
    output = tmp_path / "node.nft"
    output.write_text("the rules of yesterday")
    # Or else the limit would hold for the modules that Python compiles, too.
    env = environment(PYTHONDONTWRITEBYTECODE="1")
    arguments = ("translate", "-o", str(output))
    done = run_process(*arguments, stdin=DUMP, before=limit_file_size, env=env)
    assert done.code == 2
    assert f"cannot write {output}" in done.err
    assert output.read_text() == "the rules of yesterday"
    assert os.listdir(tmp_path) == ["node.nft"]


def test_an_output_in_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o555)
    # Root may write anywhere unless it gives this capability away.
    prefix = ("setpriv", "--bounding-set", "-dac_override") if os.geteuid() == 0 else ()
    output = folder / "node.nft"
    done = run_process("translate", "-o", str(output), stdin=DUMP, prefix=prefix)
    assert (done.code, done.out) == (2, "")
    assert f"cannot write {output}" in done.err
    assert os.listdir(folder) == []


@pytest.mark.parametrize("name", ["", "missing/node.nft", "file/node.nft"])
def test_an_output_that_cannot_be_is_an_error(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("")
    done = run("translate", "-o", str(folder / name), stdin=DUMP)
    assert (done.code, done.out) == (2, "")
    assert "cannot write" in done.err
    assert os.listdir(folder) == ["file"]
    assert os.listdir(tmp_path) == ["folder"]


def test_the_output_can_be_a_device() -> None:
    done = run_process("translate", "-o", "/dev/stdout", stdin=DUMP)
    assert (done.code, done.out) == (0, script_of(DUMP))


@pytest.mark.parametrize("settings", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["", "unbuffered"])
@pytest.mark.parametrize(
    "arguments",
    [("translate",), ("translate", "-o", "/dev/full"), ("check", "--json"), ("extensions",)],
    ids=" ".join,
)
def test_a_full_disk_behind_the_output_is_reported_and_is_no_refusal(
    arguments: tuple[str, ...], settings: dict[str, str]
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command(*arguments),
            input=DUMP.encode(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=120,
            env=environment(**settings),
        )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    assert done.stderr.count(b"No space left") == 1
    assert done.returncode == 2


@pytest.mark.parametrize("descriptor", [0, 1])
def test_a_closed_input_or_output_is_an_error_without_a_traceback(descriptor: int) -> None:
    done = run_process("translate", stdin=DUMP, before=lambda: os.close(descriptor))
    assert done.code == 2
    assert done.err


@pytest.mark.parametrize(
    "settings",
    [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "ascii"}],
    ids=["locale C", "ascii"],
)
def test_the_script_is_utf8_whatever_the_locale(settings: dict[str, str]) -> None:
    text = DUMP.replace("-j DROP", '-m comment --comment "naïve ✓" -j DROP')
    done = run_process("translate", stdin=text, env=environment(**settings))
    assert (done.code, done.out) == (0, script_of(text))
    assert 'comment "naïve ✓"' in done.out
