"""The commands: their options, their help, and what they call. One module each."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ...core.errors import CannotRead
from ...core.exit_codes import ExitCode
from ...core.render import folded, printable
from ...core.version import __version__
from ..command import CommandGroup
from ..files import UNWRITABLE, end_unwritable
from ..render.screen import columns
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
from .report import report
from .switch import switch
from .translate import translate
from .verify import verify
from .watch import watch

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The environment variable that shows where an internal error comes from.
TRACEBACK = "VPCCNI_NFT_TRACEBACK"


class Commands(CommandGroup):
    """The group of all commands, and what becomes of the exceptions that none of them expects.

    What cannot be read is wrong usage, exit 2, and so is output that cannot be written; an internal
    error is exit 70, never 1.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line."""
        try:
            try:
                return super().main(*args, **kwargs)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()  # here, where a full disk has an exit code of its own
        except OSError as error:
            if error.errno not in UNWRITABLE:
                _ask_for_report(error)
            end_unwritable(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it has a message and its own exit code
            _ask_for_report(error)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the options of the group."""
        with _folded_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            with _folded_errors():
                return super().invoke(ctx)
        except BrokenPipeError as error:
            # A reader that has enough is no error to speak of. click would exit with 1, which
            # means refused or different.
            end_unwritable(error)
        except CannotRead as reason:
            raise click.UsageError(printable(str(reason))) from None
        except KeyboardInterrupt:
            # Said here: click would exit with 1, which means refused or different.
            click.echo("interrupted", err=True)
            ctx.exit(ExitCode.INTERRUPTED)


@contextmanager
def _folded_errors() -> Iterator[None]:
    """Let messages about wrong usage fit the terminal that they are written to."""
    try:
        yield
    except click.UsageError as error:
        if width := columns(err=True):
            message = folded(f"Error: {error.format_message()}", width).removeprefix("Error: ")
            raise click.UsageError(message, error.ctx) from None
        raise


def _ask_for_report(error: Exception) -> NoReturn:
    """End with a message for the reader of an internal error, and with its place on demand."""
    if os.environ.get(TRACEBACK):
        import traceback

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
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="vpccni-nft")
def cli() -> None:
    """Move Amazon EKS nodes from iptables to nftables, exactly or not at all."""


for command in (
    check, code, detect, explain, extensions, fleet, inventory, migrate, predict, record, replay,
    report, switch, translate, verify, watch,
):  # fmt: skip
    cli.add_command(command)
