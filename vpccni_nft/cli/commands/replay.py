"""Send packets through two rulesets in the kernel."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ...core.diagnostics import Refused
from ...core.exit_codes import ExitCode
from ...core.render import printable
from ..command import Command
from ..files import write_output
from ..options import AS_JSON, FAMILY, IPSET_SAVE, PACKETS, SIDES, read_sides
from ..render import progress
from ..render.diagnostics import show
from ..signals import ended_by_signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...core.values import Family
    from ...replay.comparison import Result
    from ...simulate.packet_text import PacketText
    from ..options import TwoSides


@click.command(
    cls=Command,
    exits={
        ExitCode.DONE: "both sides treat every packet the same",
        ExitCode.REFUSED: "the two sides differ",
        ExitCode.USAGE: "wrong usage, unreadable input, or it cannot run here: no root, a program "
        "is missing, the kernel does not accept a ruleset",
        ExitCode.UNKNOWN: "unknown: no packet could be sent, no conversation could be decided,"
        " or a "
        "--packet did not reach its hook as requested and nothing differs",
    },
    examples=(
        "vpccni-nft replay --before node.save --after node.nft",
        "vpccni-nft translate node.save | vpccni-nft replay --before node.save --after -",
        "vpccni-nft replay --before v4.save --before v6.save --after node.nft --packets 200000",
        "vpccni-nft replay --before old.save --after new.save --backend nft",
        (
            "vpccni-nft replay --before node.save --after node.nft"
            " --packet 'iif=eni1 saddr=10.0.3.4 daddr=8.8.8.8 dport=443'"
        ),
    ),
    notes="The keys of a packet are those of vpccni-nft explain.",
)
@SIDES
@PACKETS
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="The seed: the same number sends the same packets.",
)
@click.option(
    "--backend",
    type=click.Choice(["legacy", "nft"]),
    default="legacy",
    show_default=True,
    help="Whether iptables-legacy or iptables-nft loads the dumps.",
)
@IPSET_SAVE
@click.option(
    "--kernel-log",
    is_flag=True,
    help="Compare what rules write to the kernel's log, too; sets"
    " net.netfilter.nf_log_all_netns meanwhile.",
)
@click.option("--packet", "text", metavar="KEY=VALUE...", help="Replay only this packet.")
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
) -> ExitCode:
    """Send the same packets through two rulesets in the kernel, and show what differs.

    Two network namespaces play the node, one with the files of --before and one with those of
    --after. Needs root, ip, nft and the iptables programs. The namespaces are removed at the end;
    the node's own rules and connections are not touched.
    """
    if not before or not after:
        raise click.UsageError("give both --before and --after")
    sides = read_sides(before, after, ipset_save, family)
    return send(
        sides, packets, backend, seed=seed, text=text, kernel_log=kernel_log, as_json=as_json
    )


def send(
    sides: TwoSides,
    packets: int,
    backend: str,
    *,
    seed: int = 0,
    text: str | None = None,
    kernel_log: bool = False,
    as_json: bool,
) -> ExitCode:
    """Replay two sides, and show what it shows."""
    try:
        result = _compared(
            sides, packets, seed, backend, text, kernel_log=kernel_log, quiet=as_json
        )
    except KeyboardInterrupt:
        click.echo("interrupted; nothing is left behind", err=True)
        return ExitCode.INTERRUPTED
    if result is None:
        return ExitCode.USAGE
    from ...replay.report import dict_of, text_of
    from ..render.replay import paint

    if as_json:
        write_output(json.dumps(dict_of(result), indent=2) + "\n", "-")
    else:
        click.echo(text_of(result, paint), nl=False)
    codes = {True: ExitCode.DONE, False: ExitCode.REFUSED, None: ExitCode.UNKNOWN}
    return codes[result.equal]


def _compared(
    sides: TwoSides,
    packets: int,
    seed: int,
    backend: str,
    text: str | None,
    *,
    kernel_log: bool,
    quiet: bool,
) -> Result | None:
    """What a replay shows; None where it cannot run, which has been said."""
    from ...replay.comparison import compare
    from ...replay.side import Backend, ReplayError
    from ...replay.testbed import ReplaySettings
    from ..render.replay import show_reason

    settings = ReplaySettings(seed=seed, backend=Backend(backend), kernel_log=kernel_log)
    try:
        with (
            ended_by_signals(),
            progress.of_replay(packets, quiet=quiet or bool(text)) as advance,
        ):
            return compare(
                sides.before,
                sides.after,
                packets=packets,
                ipset_save=sides.options.ipset_save,
                settings=settings,
                family=sides.options.family,
                packet=_packet_of(text) if text else None,
                progress=advance,
            )
    except Refused as refused:
        show(refused.diagnostics, notes=False)
    except ReplayError as error:
        show_reason(str(error))
    return None


def _packet_of(text: str) -> Callable[[Family], PacketText]:
    """Reads the packet, once the family of the rulesets is known."""
    from ...simulate.packet_text import BadPacketText, parse_packet

    def read(family: Family) -> PacketText:
        try:
            return parse_packet(text, family)
        except BadPacketText as error:
            raise click.UsageError(printable("; ".join(error.problems))) from None

    return read
