"""The commands: their options, their help, and what they call. One module each."""

from __future__ import annotations

import click

from ... import __version__
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


@click.group(
    epilog="\b\nExit codes:\n  0  done\n  1  refused: something has no exact translation\n"
    "  2  wrong usage, or unreadable input",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="vpccni-nft")
def cli() -> None:
    """Move Amazon EKS nodes from iptables to nftables, exactly or not at all."""


for command in (
    check, detect, explain, extensions, fleet, inventory, migrate, replay, translate, verify,
):  # fmt: skip
    cli.add_command(command)
