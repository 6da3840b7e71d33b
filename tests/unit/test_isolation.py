"""What runs as root takes nothing from where it is started, and from nobody else."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from vpccni_nft.core import isolated
from vpccni_nft.core.errors import CannotRead
from vpccni_nft.core.version import __version__
from vpccni_nft.migration import custody
from vpccni_nft.node.live import read_node
from vpccni_nft.replay.machine import lacking
from vpccni_nft.replay.testbed import ReplaySettings

PACKAGE = Path(isolated.__file__).parents[1]


def test_a_process_of_ours_imports_nothing_from_where_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("vpccni_nft", "click", "attr", "json"):
        (tmp_path / name).mkdir()
        planted = f"import pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).touch()\n"
        (tmp_path / name / "__init__.py").write_text(planted)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "json/__init__.py"))
    done = subprocess.run(
        isolated.command("vpccni_nft.cli", "--version"), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert __version__ in done.stdout
    assert not (tmp_path / "ran").exists()


def test_no_other_module_starts_python() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "sys.executable" in path.read_text()
    }
    # A fleet's workers read texts and nothing else; -P keeps the current folder from them.
    assert found == {"core/isolated.py", "fleet/process.py"}


def test_folders_of_programs_are_absolute() -> None:
    assert all(map(os.path.isabs, isolated.PROGRAMS.split(":")))
    assert isolated.environment()["PATH"] == isolated.PROGRAMS


@pytest.mark.parametrize("ask", [read_node, lambda: lacking((), ReplaySettings())])
def test_programs_of_the_node_are_not_taken_from_the_callers_path(
    ask: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``detect``, ``verify --plan`` and ``replay`` run as root."""
    for program in ("nft", "ip", "iptables", "iptables-nft-save", "iptables-legacy-save"):
        planted = tmp_path / program
        planted.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        planted.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(isolated, "PROGRAMS", "/usr/missing")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    try:
        said = str(ask())
    except CannotRead as refused:
        said = str(refused)
    assert "nft" in said
    assert "/usr/" in said
    assert not (tmp_path / "ran").exists()


# --- files of a plan ------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    with custody.new_directory(tmp_path / "above/plan") as draft:
        custody.create(draft / "tables/one/saved", b"text")
    return tmp_path / "above/plan"


def test_what_is_made_is_for_its_owner_only(tree: Path) -> None:
    custody.check_tree(tree)
    found = {path.name: path.stat().st_mode & 0o777 for path in (tree, *tree.rglob("*"))}
    assert found == {"plan": 0o700, "tables": 0o700, "one": 0o700, "saved": 0o600}


def test_a_umask_that_lets_others_write_changes_nothing(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with custody.new_directory(tmp_path / "plan") as draft:
            custody.create(draft / "folder/file", b"")
            custody.replace(draft / "folder/file", b"")
    finally:
        os.umask(before)
    modes = {
        path.stat().st_mode & 0o077 for path in (tmp_path / "plan", *tmp_path.glob("plan/**/*"))
    }
    assert modes == {0}


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree.chmod(0o770),
        lambda tree: tree.chmod(0o1777),  # sticky: others can add files
        lambda tree: tree.parent.chmod(0o777),
        lambda tree: (tree / "tables").chmod(0o702),
        lambda tree: (tree / "tables/one/saved").chmod(0o620),
        lambda tree: (tree / "link").symlink_to("/etc/passwd"),
        lambda tree: (tree / "tables/link").symlink_to(tree),
        lambda tree: os.mkfifo(tree / "pipe"),
        lambda tree: tree.rename(tree.parent / "else").parent.joinpath("plan").symlink_to("else"),
    ],
    ids=["group", "sticky", "above", "folder", "file", "link", "folder link", "pipe", "itself"],
)
def test_what_others_could_change_is_not_used(tree: Path, change: object) -> None:
    assert callable(change)
    change(tree)
    with pytest.raises(custody.Unsafe):
        custody.check_tree(tree)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("what", ["", "tables/one/saved", ".."])
def test_what_belongs_to_another_user_is_not_used(tree: Path, what: str) -> None:
    os.chown(tree / what, 1234, 0)
    with pytest.raises(custody.Unsafe, match="belongs to the user 1234"):
        custody.check_tree(tree)


def test_a_folder_above_may_be_shared_where_it_is_sticky(tree: Path) -> None:
    tree.parent.chmod(0o1777)
    custody.check_tree(tree)


def test_sums_find_what_is_changed_and_what_is_gone(tree: Path) -> None:
    digest = "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"
    custody.check_sums(tree, {"tables/one/saved": digest})
    for sums in ({"tables/one/saved": "0"}, {"gone": digest}, {"../plan/tables/one/saved": digest}):
        with pytest.raises(custody.Unsafe):
            custody.check_sums(tree, sums)


def test_nothing_is_written_or_read_through_a_link(tree: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tree / "file").symlink_to(victim)
    with pytest.raises(OSError, match="exists"):
        custody.create(tree / "file", b"theirs")
    with pytest.raises(custody.Unsafe):
        custody.read_file(tree / "file")
    custody.replace(tree / "file", b"theirs")
    assert victim.read_text() == "mine"
    assert not (tree / "file").is_symlink()


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="exists"), custody.new_directory(tmp_path / "plan") as draft:
        list(map(custody.create, [draft / "file"] * 2, [b"text"] * 2))
    with pytest.raises(OSError, match="directory"):
        custody.replace(tmp_path, b"text")
    assert not list(tmp_path.iterdir())


def test_scripts_of_the_repository_name_no_program_that_is_run_by_a_shell() -> None:
    """No command goes through a shell with a name from a dump in it."""
    for path in PACKAGE.rglob("*.py"):
        assert not re.search(r"\bshell=True|os\.system\(|os\.popen\(", path.read_text()), path
