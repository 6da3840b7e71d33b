"""The commands, one function each."""

from __future__ import annotations

import gc
import json
import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

import click

from .. import __version__
from ..core.diagnostics import NOT_A_DUMP, Refused
from ..core.render import as_dict
from ..core.values import Family
from ..lowering import CounterMode, Options
from ..translation import APPROXIMATIONS, translate_sources
from .files import read_sources, write_output, write_pieces
from .report import show
from .target import TARGET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from types import ModuleType

    from ..core.span import Source
    from ..translation import Translation

DONE, REFUSED, UNREADABLE, INTERRUPTED = 0, 1, 2, 130

FAMILY = click.option(
    "--family",
    type=click.Choice([family.value for family in Family]),
    help="The family of tables that have neither a remark nor an address to tell it.",
)
ALLOW = click.option(
    "--allow",
    "allowed",
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


@click.group(
    epilog="\b\nExit codes:\n  0  done\n  1  refused: something has no exact translation\n"
    "  2  wrong usage, or unreadable input",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="vpccni-nft")
def cli() -> None:
    """Move Amazon EKS nodes from iptables to nftables, exactly or not at all."""


@cli.command(
    epilog="\b\nExamples:\n"
    "  iptables-save | vpccni-nft translate | nft -f -\n"
    "  iptables-save -c | vpccni-nft translate --counters keep -o node.nft\n"
    "  vpccni-nft translate node.v4.save node.v6.save -o node.nft\n"
    "  vpccni-nft translate node.save --allow T101\n"
    "  vpccni-nft translate node.save --ipset-save node.ipset -o node.nft\n"
    "  vpccni-nft translate node.save --format json -o node.json && nft -j -f node.json\n"
    "  vpccni-nft translate node.save --owner vpc-cni --layout native -o aws-cni.nft\n"
    "  nft list table ip kube-proxy | vpccni-nft translate node.save --owner vpc-cni --beside -\n"
    "  vpccni-nft translate -O node.save -o node.nft --map node.map.json"
)
@click.argument("files", nargs=-1, metavar="[FILE...|-]")
@click.option(
    "-o", "--output", default="-", metavar="FILE", help="Where to write; - is standard output."
)
@FAMILY
@click.option(
    "--format",
    "form",
    type=click.Choice(["nft", "json"]),
    default="nft",
    show_default=True,
    help="A script for nft -f, or commands for nft -j -f.",
)
@click.option(
    "--counters",
    type=click.Choice([mode.value for mode in CounterMode]),
    default=CounterMode.KEEP.value,
    show_default=True,
    help="Count on from the dump (iptables-save -c), from zero, or not at all.",
)
@ALLOW
@IPSET_SAVE
@click.option(
    "--target",
    type=TARGET,
    default="nft=1.0.1",
    show_default=True,
    help="The oldest nft that must take the script.",
)
@click.option(
    "--verify", "proved", is_flag=True, help="Write only what is proved to mean the same."
)
@SECONDS
@click.option(
    "--owner",
    metavar="NAME",
    help="Take the rules of this owner only, by the names that inventory prints, and prove that"
    " they do the same beside the others'.",
)
@click.option(
    "--layout",
    type=click.Choice(["mirror", "native"]),
    default="mirror",
    show_default=True,
    help="Tables and chains as iptables calls them, or the CNI's own: with --owner vpc-cni.",
)
@click.option(
    "--beside",
    multiple=True,
    metavar="FILE",
    help="An nft ruleset that is on the node before and after, such as kube-proxy's: with --owner."
    " May be given several times.",
)
@click.option(
    "-O/-O0",
    "optimize",
    default=False,
    help="Sets and maps in place of long rows of rules, or with -O0 one rule for each; -O0.",
)
@click.option(
    "--map", "map_file", metavar="FILE", help="Write where each line of the input went, as JSON."
)
def translate(  # noqa: PLR0913 - one for each option
    files: tuple[str, ...],
    output: str,
    family: str | None,
    form: Literal["nft", "json"],
    counters: str,
    allowed: tuple[str, ...],
    ipset_save: str | None,
    *,
    target: object,  # noqa: ARG001 - every form that is written so far is as old as the floor
    proved: bool,
    seconds: float,
    owner: str | None,
    layout: Literal["mirror", "native"],
    beside: tuple[str, ...],
    map_file: str | None,
    optimize: bool,
) -> None:
    """Translate the output of iptables-save to an nft script.

    Reads standard input where no FILE is given. Several files become one script. Nothing is
    written unless all of the input has a translation. With --verify the script is read again and
    proved to mean what the input means; otherwise nothing is written, and the exit code is that of
    vpccni-nft verify. --owner always proves so: what is taken, with what stays, against the whole.
    """
    if owner is None and (beside or layout == "native"):
        raise click.UsageError("--beside and --layout native go with --owner")
    if map_file == output == "-":
        raise click.UsageError("standard output can be the script or the map, not both")
    with _uncollected():
        if owner is not None:
            _proofs()
            from .move import move_files

            translation: Translation = move_files(
                *_read(files, ipset_save, beside),
                owner,
                layout=layout,
                beside=beside,
                options=_options(allowed, counters),
                family=Family(family) if family else None,
                seconds=seconds,
                optimize=optimize,
            )
        else:
            translation = _run(files, family, allowed, counters, ipset_save, optimize=optimize)
            show(translation.diagnostics, notes=False)
            if translation.refused:
                sys.exit(_exit_code(translation))
            if proved:
                # What optimizing leaves out counts nothing.
                counts = CounterMode(counters) is not CounterMode.NONE and not optimize
                _proofs().prove_translation(translation, seconds, counters=counts)
        try:
            pieces = translation.pieces(form)
        except Refused as refusal:
            show(refusal.diagnostics, notes=False)
            sys.exit(REFUSED)
        write_pieces(pieces, output)
    if map_file is not None:
        write_output(json.dumps(translation.source_map(), indent=2) + "\n", map_file)


@cli.command(
    epilog="\b\nExamples:\n"
    "  iptables-save | vpccni-nft check\n"
    "  vpccni-nft check node.save --json | jq '.diagnostics[].code'"
)
@click.argument("files", nargs=-1, metavar="[FILE...|-]")
@FAMILY
@ALLOW
@IPSET_SAVE
@click.option("--json", "as_json", is_flag=True, help="Write the diagnostics as JSON.")
def check(
    files: tuple[str, ...],
    family: str | None,
    allowed: tuple[str, ...],
    ipset_save: str | None,
    *,
    as_json: bool,
) -> None:
    """Tell everything that a translation would refuse, approximate or change.

    Reads standard input where no FILE is given. Exits with 0 where translate would write a script.
    """
    translation = _run(files, family, allowed, CounterMode.KEEP.value, ipset_save)
    if as_json:
        report = {
            "refused": translation.refused,
            "diagnostics": [as_dict(found) for found in translation.diagnostics],
        }
        write_output(json.dumps(report, indent=2) + "\n", "-")
    else:
        show(translation.diagnostics, notes=True)
        if not translation.diagnostics:
            click.echo("exact: nothing is refused, approximated or changed", err=True)
    sys.exit(_exit_code(translation))


@cli.command(epilog="\b\nExamples:\n  vpccni-nft extensions\n  vpccni-nft extensions --json")
@click.option("--json", "as_json", is_flag=True, help="Write the table as JSON.")
def extensions(*, as_json: bool) -> None:
    """List the matches and targets that are known, and what nft does for each."""
    from .table import extension_rows, table_text

    rows = extension_rows()
    write_output(json.dumps(rows, indent=2) + "\n" if as_json else table_text(rows), "-")


@cli.command(
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
@click.option("--json", "as_json", is_flag=True, help="Write the explanation as JSON.")
def explain(
    files: tuple[str, ...], text: str, family: str | None, *, all_rules: bool, as_json: bool
) -> None:
    """Walk one packet through the rules of one hook, and say what each of them does.

    FILE is a dump of iptables-save, which is shown beside its own translation, or an nft ruleset.
    Two files are compared.
    """
    from .explain import explain_files

    named = Family(family) if family else None
    sys.exit(explain_files(files, text, named, all_rules=all_rules, as_json=as_json))


@cli.command(
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
@click.option(
    "--before",
    multiple=True,
    required=True,
    metavar="FILE",
    help="A dump of iptables-save or an nft script; may be given several times; - is standard"
    " input.",
)
@click.option(
    "--after",
    multiple=True,
    required=True,
    metavar="FILE",
    help="The same for the other side.",
)
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
@click.option(
    "--ipset-save", metavar="FILE", help="What ipset save prints: the sets that rules name."
)
@click.option(
    "--kernel-log",
    is_flag=True,
    help="Compare what rules write to the kernel's log, too; sets"
    " net.netfilter.nf_log_all_netns meanwhile.",
)
@click.option("--packet", "text", metavar="KEY=VALUE...", help="Replay this packet alone.")
@FAMILY
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")
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
    try:
        from .replay import replay_files, settings_of

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


@cli.command(
    epilog="\b\nExamples:\n"
    "  vpccni-nft verify --before node.save --after node.nft\n"
    "  vpccni-nft translate node.save | vpccni-nft verify --before node.save --after -\n"
    "  vpccni-nft verify --before v4.save --before aws-cni.nft --after <(nft list ruleset)\n"
    "  vpccni-nft verify --before node.save --after new.nft --json | jq '.packets[].packet'\n"
    "  sudo vpccni-nft verify --plan plan/ --moved\n\n"
    "A packet that is shown can be given to vpccni-nft explain and vpccni-nft replay.\n\n"
    "\b\nExit codes:\n  0  equivalent: both sides treat every packet alike\n"
    "  1  different: a packet is shown\n"
    "  2  wrong usage, unreadable input, or z3-solver is missing\n"
    "  3  unknown: the time did not do, or the model approximates a rule"
)
@click.option(
    "--before",
    multiple=True,
    metavar="FILE",
    help="A dump of iptables-save or an nft ruleset; may be given several times, for what is on one"
    " node together; - is standard input.",
)
@click.option("--after", multiple=True, metavar="FILE", help="The same for the other side.")
@click.option(
    "--plan",
    metavar="DIR",
    help="Compare what a plan of migrate plan leaves on a node with what is on this node now.",
)
@click.option(
    "--now",
    multiple=True,
    metavar="FILE",
    help="With --plan: what is on the node, instead of asking this one; may be given several times,"
    " or be a folder.",
)
@click.option(
    "--moved", is_flag=True, help="With --plan: compare what it moved only, not the node's others."
)
@IPSET_SAVE
@FAMILY
@ALLOW
@click.option("--counters", is_flag=True, help="Compare which rules count a packet, too.")
@SECONDS
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="The most packets that are looked for.",
)
@click.option("--json", "as_json", is_flag=True, help="Write the answer as JSON.")
def verify(  # noqa: PLR0913 - one for each option
    before: tuple[str, ...],
    after: tuple[str, ...],
    plan: str | None,
    now: tuple[str, ...],
    ipset_save: str | None,
    family: str | None,
    allowed: tuple[str, ...],
    *,
    moved: bool,
    counters: bool,
    seconds: float,
    most: int,
    as_json: bool,
) -> None:
    """Prove that two sides treat every packet alike, or show packets that they do not.

    The sides are the files of --before and --after, or a plan and the node that it was made for.

    Needs z3-solver: pip install 'vpccni-nft[verify]'.
    """
    proofs = _proofs()
    settings = proofs.Settings(
        seconds=seconds, most=most, counters=counters, allowed=frozenset(allowed)
    )
    if plan:
        if before or after or ipset_save or family:
            raise click.UsageError(
                "--plan goes with --now, and not with --before, --after, --ipset-save or --family"
            )
        from .drift import verify_plan

        sys.exit(verify_plan(plan, now, settings, moved=moved, as_json=as_json))
    if now or moved:
        raise click.UsageError("--now and --moved go with --plan")
    if not before or not after:
        raise click.UsageError("give both --before and --after, or --plan")
    sys.exit(
        proofs.verify_files(
            before,
            after,
            settings,
            ipset_save=ipset_save,
            family=Family(family) if family else None,
            as_json=as_json,
        )
    )


def _proofs() -> ModuleType:
    """What proves; exit 2 where the solver is not installed."""
    try:
        from . import verify as proofs
    except ImportError as missing:
        if missing.name != "z3":
            raise
        raise click.UsageError(missing.msg) from None
    return proofs


@cli.command(
    epilog="\b\nExamples:\n"
    "  sudo vpccni-nft detect\n"
    "  vpccni-nft detect --iptables-nft-save node.save --nft node.nft\n"
    "  vpccni-nft detect --iptables-legacy-save legacy.save"
    " --iptables-version 'iptables v1.8.4 (legacy)' --json\n\n"
    "\b\nExit codes:\n  0  detected, and nothing is wrong\n"
    "  1  back ends are mixed, rules are stale, or a dump is wrong\n"
    "  2  wrong usage, or unreadable input\n"
    "  3  nothing of kubelet, kube-proxy or the CNI is there"
)
@click.option("--iptables-legacy-save", metavar="FILE", help="What iptables-legacy-save prints.")
@click.option("--iptables-nft-save", metavar="FILE", help="What iptables-nft-save prints.")
@click.option("--ip6tables-legacy-save", metavar="FILE", help="What ip6tables-legacy-save prints.")
@click.option("--ip6tables-nft-save", metavar="FILE", help="What ip6tables-nft-save prints.")
@click.option("--nft", metavar="FILE", help="What nft list ruleset prints.")
@click.option("--iptables-version", metavar="TEXT", help="What iptables --version prints.")
@click.option("--json", "as_json", is_flag=True, help="Write the answer as JSON.")
def detect(
    *, nft: str | None, iptables_version: str | None, as_json: bool, **dumps: str | None
) -> None:
    """Tell which back end kubelet, kube-proxy and the CNI use, and on what evidence.

    Without an option the programs are run on this node, which takes root; nothing is changed. With
    options only what they give is looked at; one of the files can be -, standard input.
    """
    from .detect import detect_files

    sys.exit(detect_files(dumps, nft, iptables_version, as_json=as_json))


@cli.command(
    epilog="\b\nExamples:\n"
    "  iptables-save | vpccni-nft inventory\n"
    "  vpccni-nft inventory node.save --rules | grep ^user\n"
    "  vpccni-nft inventory node.save --json | jq .owners"
)
@click.argument("files", nargs=-1, metavar="[FILE...|-]")
@FAMILY
@click.option("--rules", is_flag=True, help="Show every chain and rule, and what tells its owner.")
@click.option("--json", "as_json", is_flag=True, help="Write the answer as JSON.")
def inventory(files: tuple[str, ...], family: str | None, *, rules: bool, as_json: bool) -> None:
    """Tell whose the chains and rules of a dump are.

    Reads standard input where no FILE is given.
    """
    from .inventory import inventory_files

    sys.exit(inventory_files(files, family, rules=rules, as_json=as_json))


@cli.command(
    epilog="\b\nExamples:\n"
    "  vpccni-nft fleet dumps/\n"
    "  vpccni-nft fleet dumps/ --allow T101 -o nodes.jsonl --jobs 8\n"
    "  vpccni-nft fleet dumps/ -o - | jq -r 'select(.answer != \"equivalent\") | .node'\n"
    "  DASK_SCHEDULER_ADDRESS=tcp://scheduler:8786 vpccni-nft fleet dumps/ --backend dask\n\n"
    "\b\nExit codes:\n  0  all nodes are proved\n"
    "  1  some are refused or different\n"
    "  2  wrong usage, no node can be read, or joblib or z3-solver is missing\n"
    "  3  some are unknown, failed or unreadable, and none is refused or different\n"
    "  130  interrupted"
)
@click.argument("folder", metavar="DIR")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write a line of JSON for each node as it finishes; - is standard output.",
)
@ALLOW
@click.option("--counters", is_flag=True, help="Compare which rules count a packet, too.")
@SECONDS
@click.option(
    "--node-seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=600,
    show_default=True,
    metavar="S",
    help="The time for each node in all.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many nodes are examined at a time; one for each processor where it is not given.",
)
@click.option(
    "--backend",
    type=click.Choice(["threading", "loky", "multiprocessing", "dask", "ray"]),
    default="threading",
    show_default=True,
    help="What joblib spreads the nodes with; dask and ray over a cluster.",
)
def fleet(
    folder: str,
    output: str | None,
    allowed: tuple[str, ...],
    *,
    counters: bool,
    seconds: float,
    node_seconds: float,
    jobs: int | None,
    backend: str,
) -> None:
    """Examine many nodes: back ends, owners, translation and proof of each.

    DIR has a file or a folder for each node: NODE.save and NODE.nft, or NODE/iptables-nft.save and
    others. A node that cannot be examined does not stop the rest. Needs joblib and z3-solver:
    pip install 'vpccni-nft[fleet]'.
    """
    _proofs()
    try:
        from ..fleet import Settings
        from .fleet import examine_folder
    except ImportError as missing:
        if missing.name != "joblib":
            raise
        raise click.UsageError(missing.msg) from None
    try:
        code = examine_folder(
            folder,
            Settings(allow=allowed, counters=counters, seconds=seconds, node_seconds=node_seconds),
            output=output,
            backend=backend,
            jobs=jobs or -1,
        )
    except KeyboardInterrupt:
        click.echo("interrupted; the lines that are written are whole", err=True)
        code = INTERRUPTED
    sys.exit(code)


@cli.group()
def migrate() -> None:
    """Move a node's rules to nftables, with a proof and a way back: plan, run, confirm."""


DIRECTORY = click.argument("directory", metavar="DIR")


@migrate.command(
    epilog="\b\nExamples:\n"
    "  sudo vpccni-nft migrate plan /var/lib/vpccni-nft/plan\n"
    "  vpccni-nft migrate plan DIR --iptables-nft-save node.save --nft node.nft\n"
    "  vpccni-nft migrate plan DIR --owner vpc-cni --force-owner vpc-cni\n\n"
    "\b\nExit codes:\n  0  planned\n  1  refused: see the codes\n"
    "  2  wrong usage, or unreadable input"
)
@DIRECTORY
@click.option("--iptables-legacy-save", metavar="FILE", help="What iptables-legacy-save prints.")
@click.option("--iptables-nft-save", metavar="FILE", help="What iptables-nft-save prints.")
@click.option("--ip6tables-legacy-save", metavar="FILE", help="What ip6tables-legacy-save prints.")
@click.option("--ip6tables-nft-save", metavar="FILE", help="What ip6tables-nft-save prints.")
@click.option("--nft", metavar="FILE", help="What nft list ruleset prints.")
@click.option("--iptables-version", metavar="TEXT", help="What iptables --version prints.")
@IPSET_SAVE
@click.option(
    "--owner",
    default="all",
    show_default=True,
    metavar="NAME",
    help="Whose rules move, by the names that inventory prints.",
)
@click.option(
    "--force-owner",
    "forced",
    multiple=True,
    metavar="NAME",
    help="Move rules of this owner although it would write them again: that is taken care of. May"
    " be given several times.",
)
@ALLOW
@click.option(
    "--accept-overlap",
    "overlap",
    is_flag=True,
    help="Take it that rules act twice while they are there twice; plan.md lists them.",
)
@click.option(
    "--iptables-runs",
    "turn",
    type=click.Choice(["first", "last"]),
    help="Whether base chains of iptables run ahead of native ones of the same priority, or behind"
    " them: what was loaded last runs first. Without it the plan must fit both.",
)
@SECONDS
def plan(  # noqa: PLR0913 - one for each option
    directory: str,
    nft: str | None,
    iptables_version: str | None,
    ipset_save: str | None,
    owner: str,
    forced: tuple[str, ...],
    allowed: tuple[str, ...],
    *,
    overlap: bool,
    turn: Literal["first", "last"] | None,
    seconds: float,
    **dumps: str | None,
) -> None:
    """Write a plan to DIR, which must not be there yet: scripts, saved rules, and plan.md.

    Without a file the programs are run on this node, which takes root; nothing is changed. Needs
    z3-solver: pip install 'vpccni-nft[verify]'.
    """
    _proofs()
    from .migrate import choice_of, plan_files

    choice = choice_of(owner, forced, allowed, seconds, overlap=overlap, turn=turn)
    sys.exit(plan_files(directory, dumps, nft, iptables_version, ipset_save, choice))


@migrate.command(
    epilog="\b\nExit codes:\n  0  moved, and confirmed\n"
    "  1  not moved: the node is as it was\n  2  wrong usage, or no plan\n"
    "  3  rolling back failed: see vpccni-nft migrate status\n  130  interrupted"
)
@DIRECTORY
@click.option(
    "--confirm-timeout",
    type=click.FloatRange(min=0),
    default=60,
    show_default=True,
    metavar="S",
    help="The time to confirm in; after it the move is rolled back.",
)
@SECONDS
def run(directory: str, confirm_timeout: float, seconds: float) -> None:
    """Carry out the plan in DIR on this node, and go back where it is not confirmed.

    Confirm with vpccni-nft migrate confirm DIR, or with Enter on a terminal. A process of its own
    rolls back where this one is killed.
    """
    _proofs()
    from .migrate import run_plan

    try:
        code = run_plan(directory, confirm_timeout, seconds)
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


@migrate.command()
@DIRECTORY
def confirm(directory: str) -> None:
    """Say that the move in DIR is to stay."""
    from .migrate import confirm_plan

    sys.exit(confirm_plan(directory))


@migrate.command()
@DIRECTORY
def rollback(directory: str) -> None:
    """Put back the rules that the plan in DIR has moved, at any time."""
    from .migrate import rollback_plan

    sys.exit(rollback_plan(directory))


@migrate.command()
@DIRECTORY
@click.option("--json", "as_json", is_flag=True, help="Write the answer as JSON.")
def status(directory: str, *, as_json: bool) -> None:
    """Tell how far the move in DIR is, and what is in place on this node."""
    from .migrate import status_of_plan

    sys.exit(status_of_plan(directory, as_json=as_json))


@migrate.command("verify")
@DIRECTORY
@SECONDS
def verify_migration(directory: str, seconds: float) -> None:
    """Prove that the rules on this node mean what the saved ones in DIR mean."""
    _proofs()
    from .migrate import verify_plan

    sys.exit(verify_plan(directory, seconds))


@migrate.command(hidden=True)
@DIRECTORY
@click.option("--ready", type=int, required=True, help="The pipe to tell that it watches.")
def watch(directory: str, ready: int) -> None:
    """Roll back where the run stops, or nobody confirms."""
    from .migrate import watch_plan

    sys.exit(watch_plan(directory, ready))


def _run(
    files: tuple[str, ...],
    family: str | None,
    allowed: tuple[str, ...],
    counters: str,
    ipset_save: str | None,
    *,
    optimize: bool = False,
) -> Translation:
    sources, sets = _read(files, ipset_save)
    with _progress(sum(len(source.lines) for source in sources)):
        named = Family(family) if family else None
        options = _options(allowed, counters)
        return translate_sources(sources, options, named, sets, optimize=optimize)


def _read(
    files: tuple[str, ...], ipset_save: str | None, beside: tuple[str, ...] = ()
) -> tuple[tuple[Source, ...], Source | None]:
    if (*(files or ("-",)), *beside, ipset_save).count("-") > 1:
        raise click.UsageError("standard input can be one of the files only")
    return read_sources(files), read_sources((ipset_save,))[0] if ipset_save is not None else None


def _options(allowed: tuple[str, ...], counters: str) -> Options:
    return Options(
        counters=CounterMode(counters),
        allowed=frozenset(APPROXIMATIONS[name] for name in allowed),
    )


@contextmanager
def _uncollected() -> Iterator[None]:
    """Do not look for garbage: a translation keeps what it makes to its end, and makes no circles.

    To look nevertheless takes a quarter of the time of a large one.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _progress(lines: int) -> AbstractContextManager[Any]:
    """A sign of life on a terminal, where the work takes longer than a blink."""
    if lines < 5000 or not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(f"translating {lines:,} lines")


def _exit_code(translation: Translation) -> int:
    if any(found.code is NOT_A_DUMP for found in translation.diagnostics):
        return UNREADABLE
    return REFUSED if translation.refused else DONE
