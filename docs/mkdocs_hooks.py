"""What mkdocs adds to the pages when it builds the site: the help of each command, and the codes.

mkdocs calls these functions by their names (mkdocs.yml).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from mkdocs.structure.files import File, InclusionLevel

from vpccni_nft.cli.commands import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

_INTRODUCTION = """# Commands

What `--help` prints of each command. [Usage](usage.md) says what they are for.
"""


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the page of commands; pages of codes and decisions are reached from their lists."""
    files.append(File.generated(config, "commands.md", content=commands()))
    for file in files.documentation_pages():
        if file.src_uri.startswith(("codes/", "decisions/")):
            file.inclusion = InclusionLevel.NOT_IN_NAV
    return files


def commands() -> str:
    """The help of all commands, as a page."""
    return _INTRODUCTION + "".join(
        f"\n## {name}\n\n```text\n{text}\n```\n" for name, text in _helps(cli, "vpccni-nft")
    )


def _helps(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    settings = {**cli.context_settings, "max_content_width": 80}
    with click.Context(command, info_name=name, **settings) as context:
        yield name, click.unstyle(command.get_help(context)).rstrip()
        if isinstance(command, click.Group):
            for part in command.list_commands(context):
                found = command.get_command(context, part)
                assert found
                yield from _helps(found, f"{name} {part}")
