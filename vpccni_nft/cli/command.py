"""What every command is: its help lists the exit codes, and it ends with one of them."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

import click

from ..core.exit_codes import MEANINGS, ExitCode
from .render.screen import colour_of
from .values import complete_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: What every command may end with, whatever it does.
_ALWAYS = (ExitCode.DONE, ExitCode.USAGE, ExitCode.INTERNAL, ExitCode.INTERRUPTED)


#: The widest line of a help text.
_COLUMNS = 80

#: How far what is listed below a title is indented in it.
_INDENT = 4

#: A word of a shell's line, an option with its value taken as one.
_WORD = re.compile(r"""(?:-{1,2}[\w-]+ (?![-|&>]))?(?:[^\s'"]|'[^']*'|"[^"]*")+""")


def _take_color(ctx: click.Context, _param: click.Parameter, wanted: str | None) -> None:
    """Let the context, which those of the commands below take it from, know of it."""
    if wanted or not ctx.parent:
        ctx.color = colour_of(wanted or "auto")


def _color() -> click.Option:
    """The option that every command has."""
    return click.Option(
        ["--color"],
        type=click.Choice(["auto", "always", "never"]),
        expose_value=False,
        is_eager=True,
        callback=_take_color,
        help="Whether to show colours: by default on a terminal, unless NO_COLOR is set.",
    )


class Command(click.Command):
    """A command whose function gives its exit code back.

    ``exits`` has the codes that it may end with beside those that every command may, each with what
    it means here; an empty text is the meaning that the code has everywhere.
    """

    def __init__(
        self,
        *arguments: Any,
        exits: Mapping[ExitCode, str],
        examples: Iterable[str] = (),
        notes: str = "",
        **settings: Any,
    ) -> None:
        self.exits: dict[ExitCode, str] = {
            code: exits.get(code) or meaning
            for code, meaning in MEANINGS.items()
            if code in _ALWAYS or code in exits
        }
        self.examples, self.notes = tuple(examples), notes
        shown = [line for example in self.examples for line in _continued(example)]
        paragraphs = [_listed("Examples", shown), notes, exits_text(self.exits)]
        settings["epilog"] = "\n\n".join(filter(None, paragraphs))
        super().__init__(*arguments, **settings)
        complete_files(self.params)
        self.params.append(_color())

    def invoke(self, ctx: click.Context) -> None:
        """Run it, and end with its code: one that its help does not list is a fault of ours."""
        code = ExitCode(super().invoke(ctx))
        if code not in self.exits:
            raise RuntimeError(f"{ctx.command_path} ends with {code!r}, which its help leaves out")
        ctx.exit(code)


class CommandGroup(click.Group):
    """A group of such commands: its help lists what the codes mean for all of them."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        settings.setdefault("epilog", exits_text(MEANINGS))
        super().__init__(*arguments, **settings)
        self.params.append(_color())


def exits_text(exits: Mapping[ExitCode, str]) -> str:
    """Exit codes as the end of a help text."""
    lines = []
    for code, meaning in exits.items():
        head, below = f"{code:<3}  ", "     "
        room = _COLUMNS - _INDENT
        lines += textwrap.wrap(meaning, room, initial_indent=head, subsequent_indent=below)
    return _listed("Exit codes", lines)


def _continued(example: str) -> list[str]:
    """A shell's line as lines that fit, each but the last one continued by the next."""
    room = _COLUMNS - _INDENT - len(" \\")
    lines = [""]
    for word in _WORD.findall(example):
        if lines[-1] and len(f"{lines[-1]} {word}") > room:
            lines.append("    ")
        lines[-1] += word if not lines[-1].strip() else f" {word}"
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1]]


def _listed(title: str, lines: Iterable[str]) -> str:
    """Lines that are not to be filled, below a title."""
    shown = "".join(f"\n  {line}" for line in lines)
    return f"\b\n{title}:{shown}" if shown else ""
