"""The commands: their options, their help, and what they call. One module each."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any, NoReturn

import click

from ...core.errors import CannotRead
from ...core.exit_codes import MEANINGS, ExitCode
from ...core.render import printable
from ...core.version import __version__
from ..command import exits_text
from .check import check
from .code import code
from .detect import detect
from .explain import explain
from .extensions import extensions
from .fleet import fleet
from .inventory import inventory
from .migrate import migrate
from .predict import predict
from .record import record
from .replay import replay
from .switch import switch
from .translate import translate
from .verify import verify

#: The environment variable that shows where an internal error comes from.
TRACEBACK = "VPCCNI_NFT_TRACEBACK"


class Commands(click.Group):
    """The group of all commands, and what becomes of the exceptions that none of them expects.

    What cannot be read is wrong usage, exit 2; an internal error is exit 70, never 1.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line."""
        try:
            return super().main(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever it is, it has a message and its own exit code
            _ask_for_report(error)

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


def _ask_for_report(error: Exception) -> NoReturn:
    """End with a message for the reader of an internal error, and with its place on demand."""
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    shown = printable(f"{type(error).__name__}: {error}".removesuffix(": "))
    click.echo(
        f"internal error: {shown}\n"
        "This is a fault of vpccni-nft: nothing is known about the input. Please report it, with "
        f"the command, its input, and what it prints with {TRACEBACK}=1.",
        err=True,
    )
    sys.exit(ExitCode.INTERNAL)


@click.group(
    cls=Commands,
    epilog=exits_text(MEANINGS),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="vpccni-nft")
def cli() -> None:
    """Move Amazon EKS nodes from iptables to nftables, exactly or not at all."""


for command in (
    check, code, detect, explain, extensions, fleet, inventory, migrate, predict, record, replay,
    switch, translate, verify,
):  # fmt: skip
    cli.add_command(command)
