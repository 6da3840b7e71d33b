"""Send packets through two rulesets in the kernel."""

from __future__ import annotations

import sys

import click

from ...core.values import Family
from ..options import AFTER, AS_JSON, BEFORE, FAMILY, INTERRUPTED, IPSET_SAVE


@click.command(
    epilog="\b\nExamples:\n"
    "  vpccni-nft replay --before node.save --after node.nft\n"
    "  vpccni-nft translate node.save | vpccni-nft replay --before node.save --after -\n"
    "  vpccni-nft replay --before v4.save --before v6.save --after node.nft --packets 200000\n"
    "  vpccni-nft replay --before old.save --after new.save --backend nft\n"
    "  vpccni-nft replay --before node.save --after node.nft"
    " --packet 'iif=eni1 saddr=10.0.3.4 daddr=8.8.8.8 dport=443'\n\n"
    "The keys of a packet are those of vpccni-nft explain.\n\n"
    "\b\nExit codes:\n  0  both sides treat every packet alike\n"
    "  1  the two sides differ\n"
    "  2  wrong usage, unreadable input, or it cannot run here: no root, a program is missing,\n"
    "     the kernel does not take a ruleset\n"
    "  3  unknown: no packet could be sent, no conversation decided, or a --packet did not come\n"
    "     to its hook as it was asked for and nothing differs\n"
    "  130  interrupted"
)
@BEFORE
@AFTER
@click.option(
    "--packets",
    type=click.IntRange(min=1),
    default=20_000,
    show_default=True,
    metavar="N",
    help="About how many packets are put in on either side.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Other packets for another number; the same ones for the same.",
)
@click.option(
    "--backend",
    type=click.Choice(["legacy", "nft"]),
    default="legacy",
    show_default=True,
    help="Whether iptables-legacy or iptables-nft takes dumps.",
)
@IPSET_SAVE
@click.option(
    "--kernel-log",
    is_flag=True,
    help="Compare what rules write to the kernel's log, too; sets"
    " net.netfilter.nf_log_all_netns meanwhile.",
)
@click.option("--packet", "text", metavar="KEY=VALUE...", help="Replay this packet alone.")
@FAMILY
@AS_JSON
def replay(  # noqa: PLR0913 - one for each option
    before: tuple[str, ...],
    after: tuple[str, ...],
    packets: int,
    seed: int,
    backend: str,
    ipset_save: str | None,
    *,
    kernel_log: bool,
    text: str | None,
    family: str | None,
    as_json: bool,
) -> None:
    """Send the same packets through two rulesets in the kernel, and tell what differs.

    Two network namespaces play the node, one with the files of --before and one with those of
    --after. Needs root, ip, nft and the iptables programs. The namespaces are removed at the end;
    the node's own rules and connections are not touched.
    """
    if not before or not after:
        raise click.UsageError("give both --before and --after")
    try:
        from ..replay import replay_files, settings_of

        code = replay_files(
            before,
            after,
            settings_of(seed, backend, kernel_log=kernel_log),
            ipset_save=ipset_save,
            packets=packets,
            text=text,
            family=Family(family) if family else None,
            as_json=as_json,
        )
    except KeyboardInterrupt:
        # Said here, for click would exit with 1, which means that the two sides differ.
        click.echo("interrupted; nothing is left behind", err=True)
        code = INTERRUPTED
    sys.exit(code)
