"""Walk one packet through the rules."""

from __future__ import annotations

import sys

import click

from ...core.values import Family
from ..options import AS_JSON, FAMILY


@click.command(
    epilog="\b\nExamples:\n"
    "  vpccni-nft explain node.save --packet 'iif=eni1 saddr=10.0.3.4 daddr=8.8.8.8 dport=443'\n"
    "  iptables-save | vpccni-nft explain - --packet 'hook=forward proto=udp dport=53' --all\n"
    "  vpccni-nft translate node.save -o node.nft &&"
    " vpccni-nft explain node.save node.nft --packet 'hook=input saddr=10.0.3.4'\n"
    "  vpccni-nft explain node.save --packet 'hook=output ctstate=established' --json\n\n"
    "\b\nKeys of a packet:\n"
    "  hook         prerouting, input, forward, output, postrouting\n"
    "  iif, oif     names of interfaces\n"
    "  saddr, daddr addresses; they tell the family\n"
    "  proto        a name or a number\n"
    "  sport, dport numbers\n"
    "  flags        of TCP: syn,ack\n"
    "  icmp-type, icmp-code, mark, ctmark, length\n"
    "               numbers\n"
    "  ctstate      new, established, related, invalid, untracked\n"
    "  ctstatus     snat,dnat,confirmed,... or none\n"
    "  ctdir        original, reply\n"
    "  fib-saddr, fib-daddr\n"
    "               what the routing table takes the address for: local, unicast, ...\n"
    "  route-back   yes, no: for rpfilter\n"
    "  random       what statistic draws, from 0 to less than 1\n"
    "  primary      the address that masquerading takes\n"
    "  in:SETNAME   yes, no: whether the packet's key is in the set\n\n"
    "\b\nExit codes:\n  0  explained; both sides agree\n"
    "  1  the two sides differ, or something has no translation\n"
    "  2  wrong usage, or unreadable input\n"
    "  3  the packet comes to a rule that the model knows nothing of"
)
@click.argument("files", nargs=-1, required=True, metavar="FILE [FILE2]")
@click.option(
    "--packet", "text", required=True, metavar="KEY=VALUE...", help="The packet; see below."
)
@FAMILY
@click.option("--all", "all_rules", is_flag=True, help="Show rules that do not match, too.")
@AS_JSON
def explain(
    files: tuple[str, ...], text: str, family: str | None, *, all_rules: bool, as_json: bool
) -> None:
    """Walk one packet through the rules of one hook, and say what each of them does.

    FILE is a dump of iptables-save, which is shown beside its own translation, or an nft ruleset.
    Two files are compared.
    """
    from ..explain import explain_files

    named = Family(family) if family else None
    sys.exit(explain_files(files, text, named, all_rules=all_rules, as_json=as_json))
