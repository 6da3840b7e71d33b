"""Options that several commands have, and what they need alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..core.diagnostics import APPROXIMATIONS
from ..core.values import Family

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

DONE, REFUSED, UNREADABLE, INTERRUPTED = 0, 1, 2, 130

FAMILY = click.option(
    "--family",
    type=click.Choice([family.value for family in Family]),
    help="The family of tables that have neither a remark nor an address to tell it.",
)
ALLOW = click.option(
    "--allow",
    multiple=True,
    metavar="CODE",
    type=click.Choice(sorted(APPROXIMATIONS)),
    help="Take this approximation instead of refusing it. May be given several times.",
)
IPSET_SAVE = click.option(
    "--ipset-save",
    metavar="FILE",
    help="The output of ipset save of the same node, for rules that name sets.",
)
SECONDS = click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=60,
    show_default=True,
    metavar="S",
    help="The time for each question to the solver.",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Write the answer as JSON.")

BEFORE = click.option(
    "--before",
    multiple=True,
    metavar="FILE",
    help="A dump of iptables-save or an nft ruleset; may be given several times, for what is on one"
    " node together; - is standard input.",
)
AFTER = click.option("--after", multiple=True, metavar="FILE", help="The same for the other side.")

_OF_A_NODE = (
    click.option(
        "--iptables-legacy-save", metavar="FILE", help="What iptables-legacy-save prints."
    ),
    click.option("--iptables-nft-save", metavar="FILE", help="What iptables-nft-save prints."),
    click.option(
        "--ip6tables-legacy-save", metavar="FILE", help="What ip6tables-legacy-save prints."
    ),
    click.option("--ip6tables-nft-save", metavar="FILE", help="What ip6tables-nft-save prints."),
    click.option("--nft", metavar="FILE", help="What nft list ruleset prints."),
    click.option("--iptables-version", metavar="TEXT", help="What iptables --version prints."),
)


def of_a_node(command: Callable[..., Any]) -> Callable[..., Any]:
    """What the programs of a node print, an option for each."""
    for option in reversed(_OF_A_NODE):
        command = option(command)
    return command


def proofs() -> ModuleType:
    """What proves; exit 2 where the solver is not installed."""
    try:
        from . import verify
    except ImportError as missing:
        if missing.name != "z3":
            raise
        raise click.UsageError(missing.msg) from None
    return verify
