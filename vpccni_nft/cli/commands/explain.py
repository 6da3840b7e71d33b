"""Walk one packet through the rules."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ...core.diagnostics import APPROXIMATIONS
from ...core.exit_codes import ExitCode
from ...core.render import printable
from ...core.values import Family
from ..collecting import uncollected
from ..command import Command
from ..options import AS_JSON, FAMILY, IPSET_SAVE, SIDES, read_sides, read_texts
from ..render.diagnostics import show
from ..walking import walking

if TYPE_CHECKING:
    from ...core.diagnostics import Diagnostic
    from ...simulate.explain import NamedSide

_KEYS = (
    "\b\nKeys of a packet:\n"
    "  hook         prerouting, input, forward, output, postrouting\n"
    "  path         forward, input, output: the whole way, instead of one hook\n"
    "  iif, oif     names of interfaces\n"
    "  saddr, daddr addresses; they decide the family\n"
    "  proto        a name or a number\n"
    "  sport, dport numbers\n"
    "  flags        of TCP: syn,ack\n"
    "  icmp-type, icmp-code, mark, ctmark, length\n"
    "               numbers\n"
    "  ctstate      new, established, related, invalid, untracked\n"
    "  ctstatus     snat,dnat,confirmed,... or none\n"
    "  ctdir        original, reply\n"
    "  fib-saddr, fib-daddr\n"
    "               the address's type in the routing table: local, unicast, ...\n"
    "  route-back   yes, no: for rpfilter\n"
    "  random       the random number that statistic draws, from 0 to less than 1\n"
    "  primary      the address that masquerading uses\n"
    "  in:SETNAME   yes, no: whether the packet's key is in the set\n"
    "  source-bound, destination-bound\n"
    "               yes, no: whether NAT has decided about the connection's end\n"
    "  tos, ttl, mss, ct_original_saddr, ct_reply_dport, ...\n"
    "               what few rules look at: docs/explain.md has all of them"
)


@click.command(
    cls=Command,
    exits={
        ExitCode.DONE: "explained; both sides agree",
        ExitCode.REFUSED: "the two sides differ, or something has no translation",
        ExitCode.UNKNOWN: "the packet reaches a rule that the model does not cover",
    },
    examples=(
        "vpccni-nft explain node.save --packet 'iif=eni1 saddr=10.0.3.4 daddr=8.8.8.8 dport=443'",
        "iptables-save | vpccni-nft explain - --packet 'hook=forward proto=udp dport=53' --all",
        (
            "vpccni-nft translate node.save -o node.nft &&"
            " vpccni-nft explain node.save node.nft --packet 'hook=input saddr=10.0.3.4'"
        ),
        "vpccni-nft explain node.save --packet 'hook=output ctstate=established' --json",
        "vpccni-nft explain --before node.save --after node.nft --packet path=output",
    ),
    notes=_KEYS,
)
@click.argument("files", nargs=-1, metavar="[FILE [FILE2]]")
@SIDES
@click.option(
    "--packet", "text", required=True, metavar="KEY=VALUE...", help="The packet; see below."
)
@IPSET_SAVE
@FAMILY
@click.option("--all", "all_rules", is_flag=True, help="Show rules that do not match, too.")
@AS_JSON
@uncollected()
def explain(
    files: tuple[str, ...],
    before: tuple[str, ...],
    after: tuple[str, ...],
    text: str,
    ipset_save: str | None,
    family: str | None,
    *,
    all_rules: bool,
    as_json: bool,
) -> ExitCode:
    """Walk one packet through the rules of one hook or a whole path, and say what each does.

    FILE is a dump of iptables-save, which is shown beside its own translation if it has one, or an
    nft ruleset. Two files are compared; so are the two nodes of --before and --after, as verify
    and replay take them, of several files each.
    """
    from ...simulate import explain as simulate
    from ..render.explain import lines_of_explanation

    if len(files) > 2:
        raise click.UsageError("give one FILE, or two to compare; or --before and --after")
    if files and (before or after):
        raise click.UsageError("give FILE, or --before and --after, not both")
    if not files and not (before and after):
        raise click.UsageError("give one FILE, or two to compare; or both --before and --after")
    with walking():
        if files:
            sources, sets = read_texts(files, ipset_save)
            found = simulate.explain(sources, text, Family(family) if family else None, sets)
        else:
            sides, unknown = _sides(before, after, ipset_save, family)
            if unknown:
                show(unknown, notes=False)
                return ExitCode.UNKNOWN
            found = simulate.explain_sides(sides, text, Family(family) if family else None)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
    else:
        for line in lines_of_explanation(found, all_rules=all_rules):
            click.echo(printable(line))
    show(found.untranslated, notes=False)
    return ExitCode.REFUSED if found.differences or found.untranslated else ExitCode.DONE


def _sides(
    before: tuple[str, ...], after: tuple[str, ...], ipset_save: str | None, family: str | None
) -> tuple[tuple[NamedSide, ...], tuple[Diagnostic, ...]]:
    """What is on two nodes, as a proof has it, and why that is not known. Raises Refused."""
    from ...proof.correspondence import comparable
    from ...proof.side import Side
    from ...simulate.explain import NamedSide

    texts = read_sides(before, after, ipset_save, family)
    one, other = (Side.of(each, texts.options) for each in (texts.before, texts.after))
    one, other, unknown = comparable(one, other, APPROXIMATIONS.values())
    named = tuple(
        NamedSide(", ".join(names), side.rulesets, side.by_table, side.other_names)
        for names, side in ((before, one), (after, other))
    )
    return named, (*one.unknown, *other.unknown, *unknown)
