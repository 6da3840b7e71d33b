"""Show whose rules a dump has."""

from __future__ import annotations

import json

import click

from ...core.diagnostics import Refused
from ...core.exit_codes import ExitCode
from ...core.render import printable
from ...core.values import Family
from ..command import Command
from ..files import standard_input, write_output
from ..nodes import read_rules
from ..options import AS_JSON, FAMILY, FILES
from ..render.diagnostics import code_of, show


@click.command(
    cls=Command,
    exits={
        ExitCode.DONE: "shown: the owner of each chain and rule, or that it is unknown",
        ExitCode.REFUSED: "a line of the dump cannot be read",
    },
    examples=(
        "iptables-save | vpccni-nft inventory",
        "vpccni-nft inventory node.save --rules | grep ^user",
        "vpccni-nft inventory node.save --json | jq .owners",
    ),
)
@FILES
@FAMILY
@click.option(
    "--rules", is_flag=True, help="Show every chain and rule, and what identifies its owner."
)
@AS_JSON
def inventory(
    files: tuple[str, ...], family: str | None, *, rules: bool, as_json: bool
) -> ExitCode:
    """Show whose the chains and rules of a node are.

    FILE is a dump, or a folder or archive with what the node's programs printed. Reads standard
    input where none is given.
    """
    from ...node.as_dict import dict_of_inventory
    from ...node.ownership import inventory_of
    from ...text.language import by_language
    from ..render.inventory import lines_of_owners, lines_of_rules

    try:
        sources, _ = read_rules(files or (standard_input(),))
        dumps, listings = by_language(sources)
        chosen = Family(family) if family else None
        found, diagnostics = inventory_of(dumps, chosen, listings)
    except Refused as refused:
        show(refused.diagnostics, notes=False)
        return code_of(refused.diagnostics)
    if as_json:
        write_output(json.dumps(dict_of_inventory(found, diagnostics), indent=2) + "\n", "-")
        return ExitCode.DONE
    lines = lines_of_rules(found) if rules else lines_of_owners(found)
    write_output("".join(f"{printable(line)}\n" for line in lines), "-")
    show(diagnostics, notes=True)
    return ExitCode.DONE
