"""Pages for man(1), made from what ``--help`` is made from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from ..core.exit_codes import MEANINGS
from ..core.version import __version__
from .command import Command
from .commands import cli

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def pages() -> dict[str, str]:
    """The page of each command that the help lists, by the name of its file."""
    return {f"{name}.1": text for name, text in _pages(cli, "vpccni-nft", None)}


def _pages(
    command: click.Command, name: str, parent: click.Context | None
) -> Iterator[tuple[str, str]]:
    # click keeps the option --help with the command, by the names that a context gives it.
    settings = cli.context_settings
    context = click.Context(command, parent, name.rpartition(" ")[2], **settings)
    below = _listed(command, context)
    yield name.replace(" ", "-"), "\n".join(_lines(command, name, context, below)) + "\n"
    for part, one in below.items():
        yield from _pages(one, f"{name} {part}", context)


def _listed(command: click.Command, context: click.Context) -> dict[str, click.Command]:
    if not isinstance(command, click.Group):
        return {}
    found = {part: command.get_command(context, part) for part in command.list_commands(context)}
    return {part: one for part, one in found.items() if one and not one.hidden}


def _lines(
    command: click.Command, name: str, context: click.Context, below: Mapping[str, click.Command]
) -> Iterator[str]:
    page = name.replace(" ", "-")
    first, *paragraphs = re.split(r"\n\s*\n", (command.help or "").strip())
    title = " ".join(first.split())
    yield f'.TH "{_escaped(page.upper())}" 1 "" "vpccni-nft {__version__}" "vpccni-nft"'
    yield from (
        ".SH NAME",
        rf"{_escaped(page)} \- {_escaped(title[0].lower() + title[1:].rstrip('.'))}",
    )
    yield from (".SH SYNOPSIS", rf"\fB{_escaped(name)}\fR")
    yield from map(_escaped, command.collect_usage_pieces(context))
    yield ".SH DESCRIPTION"
    yield _escaped(title)
    yield from _paragraphs(paragraphs)
    if below:
        yield ".SH COMMANDS"
        for part, one in below.items():
            yield from _entry(rf"\fB{_escaped(part)}\fR", one.get_short_help_str(limit=300))
    yield ".SH OPTIONS"
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record and record[1]:  # an argument is explained where it is used
            yield from _entry(rf"\fB{_escaped(record[0])}\fR", record[1])
    exits = command.exits if isinstance(command, Command) else MEANINGS
    if isinstance(command, Command):
        if command.notes:
            yield ".SH NOTES"
            yield from _paragraphs([command.notes])
        if command.examples:
            yield from (".SH EXAMPLES", ".nf")
            yield from map(_escaped, command.examples)
            yield ".fi"
    yield ".SH EXIT STATUS"
    for code, meaning in exits.items():
        yield from _entry(rf"\fB{code}\fR", meaning)
    yield from (".SH SEE ALSO", ", ".join(_others(page, below)))


def _others(page: str, below: Iterable[str]) -> Iterator[str]:
    """What else to read, in bold."""
    above = page.rpartition("-")[0]
    ours = [f"{page}-{part}" for part in below]
    ours = [above, *ours] if above != "vpccni" else ours
    for name, section in (*((one, 1) for one in ours), ("nft", 8), ("iptables-save", 8)):
        yield rf"\fB{_escaped(name)}\fR({section})"


def _paragraphs(texts: Iterable[str]) -> Iterator[str]:
    r"""Paragraphs as click has them: lines of one behind ``\b`` stay as they are."""
    for text in texts:
        yield ".PP"
        if text.lstrip().startswith("\b"):
            yield ".nf"
            yield from map(_escaped, text.replace("\b\n", "").splitlines())
            yield ".fi"
        else:
            yield _escaped(" ".join(text.split()))


def _entry(term: str, text: str) -> Iterator[str]:
    yield from (".TP", term, _escaped(" ".join(text.split())))


def _escaped(text: str) -> str:
    """A text as roff shows it: nothing in it is a request, and a hyphen can be copied."""
    shown = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{shown}" if shown[:1] in {".", "'"} else shown
