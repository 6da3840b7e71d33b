"""Output fits a terminal of 80 columns, and has colours where they are wanted."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from functools import cache

import click
import pytest

from vpccni_nft.cli.commands import cli
from vpccni_nft.core.diagnostics import CATALOGUE, Diagnostic
from vpccni_nft.core.render import render
from vpccni_nft.core.span import Source, Span

from ..support.command import Run, environment, run
from ..support.dumps import DUMP, WRONG

_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")

#: Another program's idea of how wide a text is.
_WIDE = {"W": 2, "F": 2}


def width(line: str) -> int:
    return sum(_WIDE.get(unicodedata.east_asian_width(one), 1) for one in _ESCAPE.sub("", line))


def too_wide(text: str, columns: int = 80) -> list[str]:
    return [line for line in text.splitlines() if width(line) > columns]


def commands(command: click.Command = cli, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from commands(below, *path, name)


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_a_help_text_fits_and_names_the_option_for_colours(path: tuple[str, ...]) -> None:
    done = run(*path, "--help", terminal=True)
    assert done.code == 0
    assert not too_wide(done.out)
    assert "--color [auto|always|never]" in done.out


# --- diagnostics ----------------------------------------------------------------------------------

LONG = '-A INPUT -m comment --comment "' + "a very long comment " * 20 + '" -s 10.0.0.1'
HOSTILE = '-A INPUT -m comment --comment "網絡網絡網絡網絡網絡網絡網絡網絡網絡網絡" -s \t é'
PLACES = [
    Span(Source("node.save", ("*filter",) * 99 + (line,)), 100, start, start + length)
    for line in (LONG, HOSTILE, LONG.replace(" ", "字"))
    for start in range(1, len(line), 11)
    for length in (1, 5, 300)
]


@pytest.mark.parametrize("columns", [40, 80, 132])
def test_the_carets_stay_under_what_is_meant(columns: int) -> None:
    code = CATALOGUE[0]
    for span in PLACES:
        found = render(Diagnostic(code, "x", span), columns=columns)
        said, shown, carets = found.rsplit("\n", 2)
        assert "node.save:100:" in said
        assert not too_wide(found, columns)
        before, pointed = carets.split("| ", 1)
        assert len(before) == shown.index("|")
        blank = len(pointed) - len(pointed.lstrip(" "))
        shown = shown.split("| ", 1)[1]
        start = next(n for n in range(len(shown) + 1) if width(shown[:n]) == blank)
        meant = span.source.lines[99][span.start - 1 : span.end - 1].replace("\t", " ")
        end = next(n for n in range(start, len(shown) + 1) if width(shown[:n]) == len(pointed))
        under = shown[start:end]
        assert under
        assert meant.startswith(under)
        assert under == meant or shown[end:] == "…"  # the rest of it is not shown


@pytest.mark.parametrize("code", CATALOGUE, ids=str)
def test_a_message_is_folded_between_words(code: object) -> None:
    words = "the rule is " + "longer than the screen is " * 8
    found = Diagnostic(code, words, Span(Source("n" * 70, ("x",)), 1, 1, 2), words)  # type: ignore[arg-type]
    text = render(found, columns=80)
    assert not too_wide(text)
    assert text.split() == render(found).split()
    assert len(render(found).splitlines()) == 4


@cache
def wrong(*options: str, **variables: str) -> Run:
    return run("check", *options, stdin=WRONG, terminal=True, env=environment(**variables))


def test_diagnostics_fit_a_terminal_of_any_width() -> None:
    for columns in (40, 60, 80):
        assert not too_wide(wrong(COLUMNS=str(columns)).err, columns)
    assert too_wide(wrong(COLUMNS="200").err)
    assert not too_wide(wrong().err)


def test_a_message_about_wrong_usage_fits() -> None:
    done = run("verify", "--plan", "x", "--before", "y", terminal=True)
    assert done.code == 2
    assert "--before, --after" in " ".join(done.err.split())
    assert not too_wide(done.err)


@pytest.mark.parametrize("arguments", [("extensions",), ("code", "T101"), ("code", "T103")])
def test_tables_and_pages_fit(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, terminal=True)
    assert done.code == 0
    assert not too_wide(done.out)
    assert too_wide(run(*arguments).out)  # a program gets lines as they are


# --- colours --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "variables", "coloured"),
    [
        ((), {}, True),
        ((), {"NO_COLOR": "1"}, False),
        ((), {"NO_COLOR": ""}, True),
        ((), {"TERM": "dumb"}, False),
        (("--color", "auto"), {"NO_COLOR": "1"}, False),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        (("--color", "never"), {}, False),
    ],
)
def test_colours_are_where_they_are_wanted(
    options: tuple[str, ...], variables: dict[str, str], coloured: bool
) -> None:
    assert ("\x1b[" in wrong(*options, **{"TERM": "xterm", **variables}).err) is coloured
    page = run("code", "T101", *options, terminal=True, env=environment(**variables))
    assert ("\x1b[" in page.out) is coloured


def test_the_option_is_that_of_each_command_and_of_the_group() -> None:
    assert "\x1b[" in run("--color", "always", "check", stdin=WRONG).err
    assert "\x1b[" in run("check", "--color", "always", stdin=WRONG).err
    both = ("--color", "always", "check", "--color", "never")
    assert "\x1b[" not in run(*both, stdin=WRONG, terminal=True).err


def test_a_dumb_terminal_gets_no_sign_of_life() -> None:
    text = DUMP.replace("COMMIT\n", "-A INPUT -j ACCEPT\n" * 6000 + "COMMIT\n")
    env = environment(TERM="dumb")
    assert run("check", stdin=text, terminal=True, env=env).err == run("check", stdin=text).err


def test_json_never_has_colours() -> None:
    done = run("check", "--json", "--color", "always", stdin=WRONG, terminal=True)
    assert json.loads(done.out)["refused"]
    assert "\x1b" not in done.out
