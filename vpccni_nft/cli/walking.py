"""What the commands that walk packets through rules end with where they cannot."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ..core.diagnostics import Refused
from ..core.exit_codes import ExitCode
from ..core.render import printable
from .render.diagnostics import code_of, show

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def walking() -> Iterator[None]:
    """Exit 2 for words that are no packet, 1 or 2 for refused rules, 3 for what is unknown."""
    from ..model.packet import NoMeaning
    from ..simulate.packet_text import BadPacketText

    try:
        yield
    except BadPacketText as error:
        raise click.UsageError(printable("; ".join(error.problems))) from None
    except Refused as refused:
        show(refused.diagnostics, notes=False)
        raise click.exceptions.Exit(code_of(refused.diagnostics)) from None
    except NoMeaning as reason:
        click.echo(f"unknown: {printable(str(reason))}", err=True)
        raise click.exceptions.Exit(ExitCode.UNKNOWN) from None
