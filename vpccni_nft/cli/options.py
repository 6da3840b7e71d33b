"""The options that several commands have, and what they become: each is stated once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from ..core.diagnostics import APPROXIMATIONS
from ..core.render import printable
from ..core.values import Family
from ..lowering.options import CounterMode, TranslateOptions, codes_named
from .files import one_standard_input, read_source, standard_input
from .formats import FORMATS
from .nodes import read_dumps_of, read_facts, read_rules, read_rules_of
from .values import AddressType, CidrType, FileType, NftVersionType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..core.span import Source
    from ..model.known_node import KnownNode
    from ..node.kube_proxy.endpoint_slices import EndpointSlices
    from ..proof.acceptance import Acceptances
    from ..proof.order import ChainOrder
    from ..proof.side import Side
    from ..proof.verify import ProofSettings

_Function = TypeVar("_Function", bound="Callable[..., Any]")

# --- of a translation: one for each field of TranslateOptions, of its name -----------------------

COUNTER_MODE = click.option(
    "--counters",
    type=click.Choice([mode.value for mode in CounterMode]),
    default=CounterMode.KEEP.value,
    show_default=True,
    help="Start counters from the dump (iptables-save -c), from zero, or write none.",
)
ALLOW = click.option(
    "--allow",
    multiple=True,
    metavar="CODE",
    type=click.Choice(sorted(APPROXIMATIONS)),
    help="Allow this approximation instead of refusing it. May be given several times.",
)
OPTIMIZE = click.option(
    "-O/-O0",
    "optimize",
    default=False,
    help="Use sets and maps in place of long rows of rules; -O0, the default, keeps one rule each.",
)
FAMILY = click.option(
    "--family",
    type=click.Choice([family.value for family in Family]),
    help="The family of tables that have neither a remark nor an address that shows it.",
)
IPSET_SAVE = click.option(
    "--ipset-save",
    metavar="FILE",
    help="The output of ipset save of the same node, for rules that name sets.",
)


TARGET = click.option(
    "--target",
    type=NftVersionType(),
    default="nft=1.0.1",
    show_default=True,
    help="The oldest nft release that must accept the script.",
)

# --- of an answer --------------------------------------------------------------------------------

SECONDS = click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=60,
    show_default=True,
    metavar="S",
    help="The time limit for each query to the solver.",
)
PACKETS = click.option(
    "--packets",
    type=click.IntRange(min=1),
    default=20_000,
    show_default=True,
    metavar="N",
    help="About how many packets to send on each side.",
)
COUNTERS = click.option("--counters", is_flag=True, help="Also compare which rules count a packet.")
TIMEOUT = click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="The time limit for the whole proof, building terms included; the answer then has"
    " what was decided so far.  [default: any time]",
)
ORDER = click.option(
    "--order",
    metavar="LIST|FILE",
    help="In which order base chains of one hook and priority run: TABLE CHAIN, TABLE CHAIN, ..."
    " with conntrack and nat where they belong; or a file with such a list, or with what nft list"
    " hooks prints; same, where it is the same on both sides; given, where they run as they are"
    " given; registered, where they were loaded as they are given, so that the last one runs first."
    "  [default: every order is tried]",
)
ACCEPT = click.option(
    "--accept",
    multiple=True,
    type=FileType("file", "kube-proxy-modes", "vpc-cni-native"),
    metavar="FILE|NAME",
    help="Differences that are accepted: a TOML file of them, or a catalogue (kube-proxy-modes,"
    " vpc-cni-native)."
    " Everything else is proved equal. May be given several times.",
)
FACTS = click.option(
    "--facts",
    multiple=True,
    metavar="DIR|FILE",
    help="A record of the node (vpccni-nft record), or what ip -j address, ip -j rule and"
    " ip -j route show table all print: packets and routes are then this node's. May be repeated.",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Write the answer as JSON.")
OUTPUT_FORMAT = click.option(
    "--output-format",
    "form",
    type=click.Choice(["text", "json", *FORMATS]),
    default="text",
    show_default=True,
    help="What to write to standard output: text, JSON, or what CI systems show.",
)
STATISTICS = click.option(
    "--statistics", is_flag=True, help="Show how often each code occurs, instead of each place."
)


def together(*options: Callable[[_Function], _Function]) -> Callable[[_Function], _Function]:
    """Several options as one decorator, in the order in which the help lists them."""

    def decorate(function: _Function) -> _Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


# --- dumps ---------------------------------------------------------------------------------------

FILES = click.argument("files", nargs=-1, metavar="[FILE...|-]")


def read_dumps(
    files: tuple[str, ...], ipset_save: str | None, *others: str
) -> tuple[tuple[Source, ...], Source | None]:
    """The dumps and the sets; ``others`` are files that are read elsewhere.

    A folder or an archive is a node, whose sets are taken where no others are given.
    """
    one_standard_input(*(files or ("-",)), *others, ipset_save)
    given = [read_dumps_of(name) for name in files or (standard_input(),)]
    sources = tuple(source for found, _ in given for source in found)
    return sources, _sets(ipset_save, given)


def read_texts(
    files: tuple[str, ...], ipset_save: str | None
) -> tuple[tuple[Source, ...], Source | None]:
    """One text of each file, and the sets; exit 2 where a folder or an archive has several."""
    one_standard_input(*files, ipset_save)
    given = [read_rules_of(name) for name in files]
    for name, (sources, _) in zip(files, given, strict=True):
        if len(sources) > 1:
            several = ", ".join(source.name for source in sources)
            raise click.UsageError(
                printable(f"{name} has several rulesets: give one of them: {several}")
            )
    return tuple(source for found, _ in given for source in found), _sets(ipset_save, given)


def _sets(
    ipset_save: str | None, given: list[tuple[tuple[Source, ...], Source | None]]
) -> Source | None:
    """The sets of the option, or else those of the first node that has some."""
    if ipset_save is not None:
        return read_source(ipset_save)
    return next((found for _, found in given if found is not None), None)


# --- two sides -----------------------------------------------------------------------------------

SIDES = together(
    click.option(
        "--before",
        multiple=True,
        metavar="FILE",
        help="An iptables-save dump or an nft ruleset, or a folder or archive with a node's; may be"
        " given several times for one node; - is standard input.",
    ),
    click.option("--after", multiple=True, metavar="FILE", help="The same for the other side."),
)


@attrs.frozen
class TwoSides:
    """The texts of --before and --after, and how they are read."""

    before: tuple[Source, ...]
    after: tuple[Source, ...]
    options: TranslateOptions


def read_sides(
    before: tuple[str, ...], after: tuple[str, ...], ipset_save: str | None, family: str | None
) -> TwoSides:
    """What stands in the files of two sides."""
    one_standard_input(*before, *after, ipset_save)
    one, sets = read_rules(before)
    other, more = read_rules(after)
    sets = sets or more if ipset_save is None else read_source(ipset_save)
    return TwoSides(one, other, TranslateOptions.of(family=family, ipset_save=sets))


def read_order(text: str | None) -> ChainOrder:
    """In which order base chains run, by a list or by a file that has one."""
    from ..proof.order import EVERY_ORDER, ChainOrder

    if text is None:
        return EVERY_ORDER
    if Path(text).is_file():
        text = "\n".join(read_source(text).lines)
    try:
        return ChainOrder.of(text)
    except ValueError as error:
        raise click.UsageError(f"--order: {printable(str(error))}") from None


def read_known_node(files: tuple[str, ...]) -> KnownNode | None:
    """What --facts says of a node; exit 2 where it cannot be read."""
    from ..core.errors import CannotRead
    from ..node.facts import kind_of, known_node

    facts: dict[str, str] = {}
    try:
        for name in files:
            if found := read_facts(name):
                facts |= found
            else:
                text = "\n".join(read_source(name).lines)
                if not (kind := kind_of(text)):
                    raise CannotRead(f"{name} is neither a record nor what ip -j prints")
                facts[kind] = text
        return known_node(facts, ", ".join(files)) if files else None
    except CannotRead as error:
        raise click.UsageError(f"--facts: {printable(str(error))}") from None


def settings_of_switch(
    order: str | None, seconds: float, timeout: float | None, allow: tuple[str, ...]
) -> ProofSettings:
    """How a change of modes is proved: on whole paths, for which the catalogues are written."""
    from ..proof.verify import ProofSettings

    return ProofSettings(
        order=read_order(order),
        seconds=seconds,
        timeout=timeout,
        allow=codes_named(allow),
        paths=True,
    )


def read_accepted(given: tuple[str, ...], before: Side, after: Side) -> Acceptances:
    """What is accepted, by files and by names of catalogues. Raises Refused."""
    from ..node.catalogues import CATALOGUES, acceptances

    named = (
        one if one in CATALOGUES and not Path(one).is_file() else read_source(one) for one in given
    )
    return acceptances(named, before, after)


# --- a change of kube-proxy's mode ---------------------------------------------------------------


def check_service_cidrs(
    _ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    """Exit 2 where there are both none and some."""
    if len(given) > 1 and "none" in given:
        raise click.UsageError("--service-cidr is either none or CIDRs")
    return given


ENDPOINTS = click.option(
    "--endpoints",
    metavar="FILE",
    help="What kubectl get endpointslices -A -o json printed after the change: which endpoints"
    " Services are meant to have.",
)


def read_endpoints(name: str | None) -> EndpointSlices | None:
    """The EndpointSlices of a file; exit 2 where they are none."""
    from ..node.kube_proxy.endpoint_slices import EndpointSlices

    if name is None:
        return None
    try:
        return EndpointSlices.parse("\n".join(read_source(name).lines))
    except ValueError as error:
        raise click.UsageError(f"{printable(name)}: {printable(str(error))}") from None


KUBE_PROXY = click.option(
    "--kube-proxy",
    type=click.Choice(["nftables", "iptables"]),
    help="The mode that kube-proxy changes to.",
)

VPC_CNI = together(
    click.option(
        "--vpc-cni",
        type=click.Choice(["1.22", "1.23"]),
        help="The release that the VPC CNI changes to, the newest of these that is not newer: from"
        " 1.23 on its connmark rules are in a table of its own, where iptables is iptables-nft.",
    ),
    click.option(
        "--iptables",
        "back_end",
        type=click.Choice(["nft", "legacy"]),
        help="To 1.23: the back end of iptables that kubelet uses; by default what the dump shows.",
    ),
)

#: What decides about packets in the other mode, and perhaps no rule of this one shows.
CHANGE = together(
    click.option(
        "--kubernetes",
        type=click.Choice(["1.33", "1.36", "1.37"]),
        default="1.33",
        show_default=True,
        help="The release whose kube-proxy will write: the newest of these that is not newer.",
    ),
    click.option(
        "--node-ip",
        "node_ips",
        multiple=True,
        type=AddressType(),
        metavar="ADDRESS",
        help="To nftables: an address of the node, which takes NodePort packets; by default what a"
        " record shows.",
    ),
    click.option(
        "--service-cidr",
        "service_cidrs",
        multiple=True,
        type=CidrType("none"),
        callback=check_service_cidrs,
        metavar="CIDR|none",
        help="To nftables: where Services get their addresses from, for packets to addresses"
        " without a Service; none where kube-proxy does not know it.",
    ),
    click.option(
        "--cluster-cidr",
        "cluster_cidrs",
        multiple=True,
        type=CidrType(),
        metavar="CIDR",
        help="To nftables: the addresses of pods, where kube-proxy is configured with them and no"
        " rule shows them.",
    ),
)


# --- many nodes ----------------------------------------------------------------------------------

OF_MANY_NODES = together(
    click.option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write a line of JSON for each node as it finishes; - is standard output.",
    ),
    click.option(
        "--node-seconds",
        type=click.FloatRange(min=0, min_open=True),
        default=600,
        show_default=True,
        metavar="S",
        help="The total time for each node.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="How many nodes to examine at a time; by default one for each processor.",
    ),
    click.option(
        "--backend",
        type=click.Choice(["threading", "loky", "multiprocessing", "dask", "ray"]),
        default="threading",
        show_default=True,
        help="How joblib distributes the nodes; dask and ray run on a cluster.",
    ),
)


def require_joblib() -> None:
    """Exit 2 where joblib is missing."""
    try:
        from ..fleet import parallel
    except ImportError as missing:
        if missing.name != "joblib":
            raise
        raise click.UsageError(missing.msg) from None
    del parallel


# --- a node --------------------------------------------------------------------------------------

NODE = click.argument("node", required=False, metavar="[NODE]")

OF_A_NODE = together(
    click.option(
        "--iptables-legacy-save", metavar="FILE", help="The output of iptables-legacy-save."
    ),
    click.option("--iptables-nft-save", metavar="FILE", help="The output of iptables-nft-save."),
    click.option(
        "--ip6tables-legacy-save", metavar="FILE", help="The output of ip6tables-legacy-save."
    ),
    click.option("--ip6tables-nft-save", metavar="FILE", help="The output of ip6tables-nft-save."),
    click.option("--nft", metavar="FILE", help="The output of nft list ruleset."),
    click.option("--iptables-version", metavar="TEXT", help="The output of iptables --version."),
)


def read_node_files(
    dumps: Mapping[str, str | None], nft: str | None, *others: str | None
) -> tuple[dict[str, Source], Source | None]:
    """The dumps by their slots, and the ruleset; ``others`` are files that are read elsewhere."""
    given = {name: file for name, file in dumps.items() if file is not None}
    one_standard_input(*given.values(), nft, *others)
    sources = {name: read_source(file) for name, file in given.items()}
    return sources, None if nft is None else read_source(nft)


def require_solver() -> None:
    """Exit 2 where z3-solver is missing, before anything is done that needs it."""
    try:
        from ..proof import symbolic
    except ImportError as missing:
        if missing.name != "z3":
            raise
        raise click.UsageError(missing.msg) from None
    del symbolic


def require_jinja() -> None:
    """Exit 2 where jinja2 is missing, before anything is done that needs it."""
    from importlib.util import find_spec

    if find_spec("jinja2") is None:
        raise click.UsageError(
            "jinja2 is missing: install it with pip install 'vpccni-nft[report]'"
        )
