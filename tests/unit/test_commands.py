"""What all commands have in common: their exit codes, and where their parts stand."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import vpccni_nft
from vpccni_nft.cli.command import Command
from vpccni_nft.cli.commands import cli
from vpccni_nft.core.exit_codes import MEANINGS, ExitCode

ROOM = Path(vpccni_nft.__file__).parent / "cli"


def commands(group: click.Group, *names: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        else:
            yield (*names, name), command


COMMANDS = dict(commands(cli))

each_command = pytest.mark.parametrize("names", COMMANDS, ids=" ".join)


def listed(names: tuple[str, ...]) -> dict[int, str]:
    """The exit codes that a command's help has, with their meanings."""
    out = CliRunner().invoke(cli, [*names, "--help"]).output
    _, title, rest = out.partition("Exit codes:\n")
    assert title
    return {
        int(code): what for code, what in re.findall(r"^ {4}(\d+) +(\S.*)$", rest, re.MULTILINE)
    }


def test_every_command_is_here() -> None:
    files = {path.stem for path in (ROOM / "commands").glob("*.py")} - {"__init__"}
    assert files == {names[0] for names in COMMANDS}


@each_command
def test_the_help_lists_the_codes_that_every_command_may_end_with(names: tuple[str, ...]) -> None:
    found = listed(names)
    assert {ExitCode.DONE, ExitCode.USAGE, ExitCode.INTERNAL, ExitCode.INTERRUPTED} <= found.keys()
    assert found[ExitCode.INTERNAL] == MEANINGS[ExitCode.INTERNAL]
    assert set(found) <= set(ExitCode)


@each_command
def test_the_help_lists_the_codes_that_the_module_speaks_of(names: tuple[str, ...]) -> None:
    """Those of a function that gives back ``ExitCode.NAME`` itself."""
    command = COMMANDS[names]
    assert isinstance(command, Command)
    assert command.callback
    path = ROOM / "commands" / f"{names[0]}.py"
    (function,) = (
        node
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == command.callback.__name__
    )
    spoken = {
        node.attr
        for part in function.body
        for node in ast.walk(part)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "ExitCode"
    }
    assert {ExitCode[name] for name in spoken} <= set(listed(names))


@pytest.mark.parametrize("names", [(), *sorted({names[:1] for names in COMMANDS if names[1:]})])
def test_a_group_lists_all_of_them(names: tuple[str, ...]) -> None:
    assert listed(names) == {code.value: meaning for code, meaning in MEANINGS.items()}


#: What functions give back that commands pass on.
PASSED_ON = {
    "code_of": {ExitCode.REFUSED, ExitCode.USAGE},
    "code_of_answer": {ExitCode.REFUSED, ExitCode.UNKNOWN},
}


@each_command
def test_the_help_lists_the_codes_that_the_module_passes_on(names: tuple[str, ...]) -> None:
    """Those of functions that its module gives to several commands are not told apart."""
    text = (ROOM / "commands" / f"{names[0]}.py").read_text()
    passed = {code for name, codes in PASSED_ON.items() for code in codes if f" {name}(" in text}
    others = {code for other in COMMANDS if other[0] == names[0] for code in listed(other)}
    assert passed <= others


def ending_with(code: ExitCode) -> click.Command:
    return Command("ends", callback=lambda: code, exits={ExitCode.REFUSED: "no"})


def test_a_command_ends_with_what_its_function_gives_back() -> None:
    done = CliRunner().invoke(ending_with(ExitCode.REFUSED))
    assert (done.exit_code, done.output) == (ExitCode.REFUSED, "")


def test_a_code_that_the_help_leaves_out_is_a_fault_of_the_program() -> None:
    with pytest.raises(RuntimeError, match="leaves out"):
        CliRunner().invoke(ending_with(ExitCode.UNKNOWN), catch_exceptions=False)


def test_an_interrupted_command_neither_refuses_nor_differs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(COMMANDS["check",], "callback", interrupt)
    done = CliRunner().invoke(cli, ["check", "-"], input="*raw\nCOMMIT\n")
    assert (done.exit_code, done.output) == (ExitCode.INTERRUPTED, "interrupted\n")


def test_exit_codes_are_declared_in_one_place() -> None:
    """No module has numbers of its own for them, and no function ends the program itself."""
    package = ROOM.parent
    own = re.compile(
        r"^(?:[A-Z_]+, )*(?:DONE|REFUSED|UNREADABLE|UNKNOWN|INTERRUPTED|STUCK)\b.* = \d"
    )
    for path in package.rglob("*.py"):
        lines = path.read_text().splitlines()
        assert [line for line in lines if own.match(line)] == [], path


def test_commands_and_rendering_stand_apart() -> None:
    """What a command prints is made in ``render``, which ends no program and reads no file."""
    for path in (ROOM / "render").glob("*.py"):
        names = {
            node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)
        }
        assert not names & {"read_source", "read_sources", "exit", "SystemExit"}, path
    beside = {path.stem for path in ROOM.glob("*.py")} - {"__init__"}
    assert not beside & {path.stem for path in (ROOM / "commands").glob("*.py")}
