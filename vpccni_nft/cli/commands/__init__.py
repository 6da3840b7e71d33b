"""The commands: their options, their help, and what they call. One module each."""

from __future__ import annotations

from typing import Any

import click

from ...core.errors import CannotRead
from ...core.exit_codes import MEANINGS, ExitCode
from ...core.render import printable
from ...core.version import __version__
from ..command import exits_text
from .check import check
from .detect import detect
from .explain import explain
from .extensions import extensions
from .fleet import fleet
from .inventory import inventory
from .migrate import migrate
from .replay import replay
from .translate import translate
from .verify import verify


class Commands(click.Group):
    """The group of all commands: what they raise, as messages and exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except CannotRead as reason:
            raise click.UsageError(printable(str(reason))) from None
        except KeyboardInterrupt:
            # Said here: click would exit with 1, which means refused or different.
            click.echo("interrupted", err=True)
            ctx.exit(ExitCode.INTERRUPTED)


@click.group(
    cls=Commands,
    epilog=exits_text(MEANINGS),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="vpccni-nft")
def cli() -> None:
    """Move Amazon EKS nodes from iptables to nftables, exactly or not at all."""


for command in (
    check, detect, explain, extensions, fleet, inventory, migrate, replay, translate, verify,
):  # fmt: skip
    cli.add_command(command)
