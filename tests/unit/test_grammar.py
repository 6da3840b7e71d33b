"""The tables of the grammars: made once, kept as data, and used only where they can be trusted."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from vpccni_nft.text import grammar
from vpccni_nft.text.grammar import RULESET, Grammar, made_tables, tables
from vpccni_nft.text.lalr import Parser
from vpccni_nft.text.trees import UnparsableError

SMALL = Grammar("small", placeholders=True)
TEXT = 'start: "say" WORD\nWORD: /[a-z]+/\n%ignore / /\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the grammars are, as beside a checkout; the cache is in ``cache``."""
    folder = tmp_path / "grammars"
    folder.mkdir()
    (folder / "small.lark").write_text(TEXT)
    monkeypatch.setattr(grammar, "grammar_folder", lambda: folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Grammar]:
    """The grammars whose tables were made."""
    made: list[Grammar] = []

    def note(what: Grammar) -> str:
        made.append(what)
        return made_tables(what)

    monkeypatch.setattr(grammar, "made_tables", note)
    return made


def kept(folder: Path) -> list[Path]:
    return sorted((folder.parent / "cache").rglob("*.json"))


def test_tables_are_made_once_and_kept_for_the_user_alone(
    folder: Path, made: list[Grammar]
) -> None:
    first = tables(SMALL)
    (file,) = kept(folder)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert tables(SMALL) == first
    assert made == [SMALL]


def test_tables_that_came_with_the_package_are_used_and_nothing_is_kept(
    folder: Path, made: list[Grammar]
) -> None:
    (folder / "small.json").write_text(made_tables(SMALL))
    assert Parser(tables(SMALL)).parse("say it").words() == ["it"]
    assert (made, kept(folder)) == ([], [])


def test_tables_of_another_grammar_are_not_used(folder: Path, made: list[Grammar]) -> None:
    (folder / "small.json").write_text(made_tables(SMALL))
    tables(SMALL)
    (folder / "small.lark").write_text(TEXT.replace('"say"', '"tell"'))
    assert Parser(tables(SMALL)).words == {"tell"}
    assert len(made) == 1
    assert Parser(tables(SMALL)).words == {"tell"}
    assert len(made) == 1


@pytest.mark.parametrize("keep", [0, 30, 200, -1])
def test_tables_that_are_not_whole_are_made_anew(
    folder: Path, made: list[Grammar], keep: int
) -> None:
    expected = tables(SMALL)
    (file,) = kept(folder)
    whole = file.read_bytes()
    file.write_bytes(whole[:keep])
    assert tables(SMALL) == expected
    assert len(made) == 2
    assert file.read_bytes() == whole


def test_what_was_changed_by_hand_is_not_used(folder: Path, made: list[Grammar]) -> None:
    expected = tables(SMALL)
    (file,) = kept(folder)
    file.write_text(file.read_text().replace("say", "tell"))
    assert tables(SMALL) == expected
    assert len(made) == 2


class _Mark:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("ran").absolute(),)


def test_nothing_runs_that_was_put_into_the_cache(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    expected = tables(SMALL)
    (file,) = kept(folder)
    file.write_bytes(pickle.dumps(_Mark()))
    assert tables(SMALL) == expected
    assert not Path("ran").exists()
    pickle.loads(pickle.dumps(_Mark()))  # noqa: S301 - what it would have done
    assert Path("ran").exists()


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_tables_that_others_may_write_are_not_used(
    folder: Path, made: list[Grammar], mode: int
) -> None:
    tables(SMALL)
    (file,) = kept(folder)
    file.chmod(mode)
    tables(SMALL)
    assert len(made) == 2
    assert file.stat().st_mode & 0o777 == 0o600


def test_tables_of_another_user_are_not_used(
    folder: Path, made: list[Grammar], monkeypatch: pytest.MonkeyPatch
) -> None:
    tables(SMALL)
    (file,) = kept(folder)
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
    tables(SMALL)
    assert len(made) == 2


@pytest.mark.parametrize("place", ["", "relative", "/proc/nowhere", "/dev/null"])
def test_where_nothing_can_be_kept_the_tables_are_made(
    folder: Path,
    made: list[Grammar],
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    monkeypatch.setenv("HOME", "/proc/nowhere")
    assert Parser(tables(SMALL)).words == {"say"}
    assert made == [SMALL]
    assert kept(folder) == []


def test_a_place_where_nothing_fits_is_reported(folder: Path) -> None:
    parser = Parser(tables(SMALL))
    for text, column, at_end in (("say  IT", 6, False), ("say", 4, True), ("say it it", 8, False)):
        with pytest.raises(UnparsableError) as caught:
            parser.parse(text)
        assert (caught.value.column, caught.value.at_end) == (column, at_end)


def test_the_tables_depend_on_nothing_but_the_grammar() -> None:
    """So that a wheel is the same whoever builds it."""
    script = "from vpccni_nft.text.grammar import *; print(made_tables(RULESET))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(grammar.__file__).parents[2],
        env={"PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout == f"{made_tables(RULESET)}\n"
