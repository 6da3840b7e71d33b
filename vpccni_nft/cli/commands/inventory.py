"""Tell whose rules a dump has."""

from __future__ import annotations

import sys

import click

from ..options import AS_JSON, FAMILY


@click.command(
    epilog="\b\nExamples:\n"
    "  iptables-save | vpccni-nft inventory\n"
    "  vpccni-nft inventory node.save --rules | grep ^user\n"
    "  vpccni-nft inventory node.save --json | jq .owners"
)
@click.argument("files", nargs=-1, metavar="[FILE...|-]")
@FAMILY
@click.option("--rules", is_flag=True, help="Show every chain and rule, and what tells its owner.")
@AS_JSON
def inventory(files: tuple[str, ...], family: str | None, *, rules: bool, as_json: bool) -> None:
    """Tell whose the chains and rules of a dump are.

    Reads standard input where no FILE is given.
    """
    from ..inventory import inventory_files

    sys.exit(inventory_files(files, family, rules=rules, as_json=as_json))
