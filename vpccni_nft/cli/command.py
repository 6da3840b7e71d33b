"""What every command is: its help lists the exit codes, and it ends with one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..core.exit_codes import MEANINGS, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: What every command may end with, whatever it does.
_ALWAYS = (ExitCode.DONE, ExitCode.USAGE, ExitCode.INTERNAL, ExitCode.INTERRUPTED)


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
        self.exits = {
            code: exits.get(code) or meaning
            for code, meaning in MEANINGS.items()
            if code in _ALWAYS or code in exits
        }
        paragraphs = [_listed("Examples", examples), notes, exits_text(self.exits)]
        settings["epilog"] = "\n\n".join(filter(None, paragraphs))
        super().__init__(*arguments, **settings)

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


def exits_text(exits: Mapping[ExitCode, str]) -> str:
    """Exit codes as the end of a help text."""
    lines = []
    for code, meaning in exits.items():
        first, *rest = meaning.split("\n")
        lines += [f"{code:<3}  {first}", *(f"     {line}" for line in rest)]
    return _listed("Exit codes", lines)


def _listed(title: str, lines: Iterable[str]) -> str:
    """Lines that are not to be filled, below a title."""
    shown = "".join(f"\n  {line}" for line in lines)
    return f"\b\n{title}:{shown}" if shown else ""
