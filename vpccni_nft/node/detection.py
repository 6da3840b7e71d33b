"""Find which back end each agent of a node writes to, and on what evidence.

The CNI follows kubelet: since v1.13.1 its image asks for the chain ``KUBE-IPTABLES-HINT`` or
``KUBE-KUBELET-CANARY`` in the mangle table, of iptables-nft first, then of iptables-legacy. From
v1.23.0 on it writes its connmark rules as ``table ip aws-cni`` where its iptables program speaks to
nf_tables.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Any

import attrs

from .. import iptables
from ..core.diagnostics import (
    BACK_END_UNKNOWN,
    BACK_ENDS_MIXED,
    CNI_IN_SEVERAL,
    CONNMARK_ELSEWHERE,
    DUMPS_DISAGREE,
    GUESSED_BY_COUNT,
    KUBELET_IN_SEVERAL,
    LEGACY_TABLES,
    MARKS_WIPED,
    OTHER_DEFAULT,
    OTHER_PROGRAM,
    PROXY_IN_SEVERAL,
    Diagnostic,
)
from ..core.span import Source
from ..nft import Ruleset as Listing
from ..nft import serialize
from ..text.saved_from import SavedFrom
from .moved import moved_copies, stale_copies
from .scan import Scan, scan_dump, scan_ruleset, whole_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..core.span import Span


class BackEnd(enum.Enum):
    """Where rules stand."""

    LEGACY = "iptables-legacy"
    NFT = "iptables-nft"
    NATIVE = "nftables"
    IPVS = "ipvs"  #: of kube-proxy only, and never alone: some of its rules are iptables rules
    EITHER = "iptables"  #: one of iptables' two: nothing shows which


@attrs.frozen
class Sign:
    """One sign, and what it says of whom."""

    agent: str  #: ``kubelet``, ``kube-proxy`` or ``vpc-cni``
    back_end: BackEnd
    what: str
    span: Span | None = None  #: None where it is the number of rules in all


@attrs.frozen(kw_only=True)
class Detection:
    """What was found out about a node; a tuple is empty where nothing is known.

    The first back end of a tuple is the one that agents take: iptables-nft goes before
    iptables-legacy. A second one means rules that an earlier mode left behind, but for the CNI's
    from v1.23.0 on, which stand in iptables-nft and natively side by side.
    """

    kubelet: tuple[BackEnd, ...]
    kube_proxy: tuple[BackEnd, ...]
    cni: tuple[BackEnd, ...]
    next_start: BackEnd | None  #: where a CNI that starts now writes its iptables rules
    evidence: tuple[Sign, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def known(self) -> bool:
        """Whether a back end was found of any agent."""
        found = {*self.kubelet, *self.kube_proxy, *self.cni}
        return bool(found - {BackEnd.EITHER})

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON, as ``detect --json`` prints it (``docs/schemas/detect.json``)."""
        from .as_dict import dict_of_detection

        return dict_of_detection(self)


@attrs.frozen
class Slot:
    """One of the dumps that can be given."""

    back_end: BackEnd
    family: str
    program: str


#: The dumps by the names that ``detect`` gives them.
SLOTS: dict[str, Slot] = {
    "iptables_legacy_save": Slot(BackEnd.LEGACY, "ip", "iptables-legacy-save"),
    "iptables_nft_save": Slot(BackEnd.NFT, "ip", "iptables-nft-save"),
    "ip6tables_legacy_save": Slot(BackEnd.LEGACY, "ip6", "ip6tables-legacy-save"),
    "ip6tables_nft_save": Slot(BackEnd.NFT, "ip6", "ip6tables-nft-save"),
}

#: The same with dumps of programs that do not say which back end they speak to.
ALL_SLOTS: dict[str, Slot] = {
    **SLOTS,
    "iptables_save": Slot(BackEnd.EITHER, "ip", "iptables-save"),
    "ip6tables_save": Slot(BackEnd.EITHER, "ip6", "ip6tables-save"),
}

#: Chains that kubelet makes in the mangle table of the back end that it uses.
_KUBELET = ("KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY")

#: Chains that kube-proxy has rules in. KUBE-SERVICES is there in both of its iptables modes.
_IPVS = (
    "KUBE-NODE-PORT", "KUBE-LOAD-BALANCER", "KUBE-IPVS-FILTER", "KUBE-IPVS-OUT-FILTER",
    "KUBE-SOURCE-RANGES-FIREWALL",
)  # fmt: skip
_PROXY = ("KUBE-SERVICES", "KUBE-SVC-*", "KUBE-SEP-*")

#: The native tables of the two.
_PROXY_TABLE, _CNI_TABLE = "kube-proxy", "aws-cni"

#: What the parts of the CNI's rules are called, by their names in a scan.
_PARTS = {
    "connmark": "connmark",
    "snat": "source NAT",
    "eni": "primary ENI",
    "egress": "pod egress",
}

_VERSION = re.compile(r"v(?P<version>\d[\d.]*)(?: \((?P<mode>nf_tables|legacy)\))?")


def detect(
    *,
    iptables_legacy_save: str | bytes | iptables.Ruleset | None = None,
    iptables_nft_save: str | bytes | iptables.Ruleset | None = None,
    ip6tables_legacy_save: str | bytes | iptables.Ruleset | None = None,
    ip6tables_nft_save: str | bytes | iptables.Ruleset | None = None,
    nft: str | bytes | Listing | None = None,
    iptables_version: str = "",
) -> Detection:
    r"""Find which back end kubelet, kube-proxy and the CNI use, from what programs printed.

    In place of what a program printed, its objects: those of ``parse`` and ``nft.parse``.
    ``nft`` is the output of ``nft list ruleset``, and ``iptables_version`` that of
    ``iptables --version``. Each may be missing: what it would show is then not known. An empty text
    says that there are no rules. Problems do not raise: they are in the result.

    >>> text = "*mangle\n:KUBE-IPTABLES-HINT - [0:0]\nCOMMIT\n"
    >>> detect(iptables_nft_save=text).kubelet
    (<BackEnd.NFT: 'iptables-nft'>,)
    """
    texts = {
        "iptables_legacy_save": iptables_legacy_save,
        "iptables_nft_save": iptables_nft_save,
        "ip6tables_legacy_save": ip6tables_legacy_save,
        "ip6tables_nft_save": ip6tables_nft_save,
    }
    return detect_sources(
        {
            name: _printed(text, f"<{SLOTS[name].program}>")
            for name, text in texts.items()
            if text is not None
        },
        None if nft is None else _printed(nft, "<nft list ruleset>"),
        iptables_version,
    )


def _printed(given: str | bytes | iptables.Ruleset | Listing, name: str) -> Source:
    """What a program would have printed."""
    if isinstance(given, iptables.Ruleset):
        return Source.of(iptables.save(given), name)
    return Source.of(serialize(given) if isinstance(given, Listing) else given, name)


def detect_sources(
    dumps: Mapping[str, Source], nft: Source | None = None, iptables_version: str = ""
) -> Detection:
    """Detect from sources; ``dumps`` are by the names of ``ALL_SLOTS``."""
    slots = {name: ALL_SLOTS[name] for name in dumps}
    node = _Node(
        {slots[name]: scan_dump(source, slots[name].family) for name, source in dumps.items()},
        None if nft is None else scan_ruleset(nft),
        iptables_version,
    )
    evidence = (*_kubelet(node), *_kube_proxy(node), *_cni(node), *_moved(node))
    kubelet, proxy, cni = (
        _back_ends(evidence, agent) for agent in ("kubelet", "kube-proxy", "vpc-cni")
    )
    next_start = kubelet[0] if kubelet else _by_count(node)
    if next_start is BackEnd.EITHER:
        next_start = None
    detection = Detection(
        kubelet=kubelet,
        kube_proxy=proxy,
        cni=cni,
        next_start=next_start,
        evidence=evidence,
        diagnostics=(),
    )
    return attrs.evolve(detection, diagnostics=tuple(_problems(node, detection)))


@attrs.frozen
class _Node:
    dumps: Mapping[Slot, Scan]
    nft: Scan | None
    version: str

    def views(self) -> Iterator[tuple[BackEnd, Scan]]:
        """Everything that shows chains of iptables; dumps go before nft's own listing."""
        for slot, scan in sorted(self.dumps.items(), key=lambda item: _order(item[0].back_end)):
            yield slot.back_end, scan
        if self.nft and not any(slot.back_end is BackEnd.NFT for slot in self.dumps):
            yield BackEnd.NFT, self.nft


def _order(back_end: BackEnd) -> int:
    """Native rules go first, and iptables-nft before legacy: the order that agents ask in."""
    order = (BackEnd.NATIVE, BackEnd.IPVS, BackEnd.NFT, BackEnd.LEGACY, BackEnd.EITHER)
    return order.index(back_end)


def _back_ends(evidence: Iterable[Sign], agent: str) -> tuple[BackEnd, ...]:
    found = {one.back_end for one in evidence if one.agent == agent}
    return tuple(sorted(found, key=_order))


# --- signs ----------------------------------------------------------------------------------------


def _kubelet(node: _Node) -> Iterator[Sign]:
    for back_end, scan in node.views():
        for place, seen in scan.named(*_KUBELET, table="mangle"):
            what = f"chain {place.chain} in table {place.family} mangle"
            yield Sign("kubelet", back_end, what, seen.span)


def _kube_proxy(node: _Node) -> Iterator[Sign]:
    for back_end, scan in node.views():
        if ipvs := scan.named(*_IPVS):
            place, seen = ipvs[0]
            what = f"chain {place.chain} in table {place.family} {place.table} of {back_end.value}"
            yield Sign("kube-proxy", BackEnd.IPVS, what, seen.span)
            continue
        services = [found for found in scan.named(*_PROXY, table="nat") if found[1].rules]
        if services:
            place, seen = min(services, key=lambda found: found[0].chain != _PROXY[0])
            rules = sum(one.rules for _, one in services)
            what = f"{_count(rules, 'rule')} in chains such as {place.chain} of {place.family} nat"
            yield Sign("kube-proxy", back_end, what, seen.span)
    if node.nft:
        for place, seen in node.nft.chains.items():
            if place.table == _PROXY_TABLE and seen.hook:
                what = f"table {place.family} {_PROXY_TABLE}"
                yield Sign("kube-proxy", BackEnd.NATIVE, what, seen.span)
                return


def _cni(node: _Node) -> Iterator[Sign]:
    for back_end, scan in node.views():
        for part, rules in scan.parts.items():
            what = f"{_count(rules, 'rule')} for {_PARTS[part]}"
            yield Sign("vpc-cni", back_end, what, scan.first[part])
    if node.nft:
        for place, seen in node.nft.chains.items():
            if (place.family, place.table) == ("ip", _CNI_TABLE) and seen.hook:
                what = f"table ip {_CNI_TABLE}, chain {place.chain}: {seen.hook}"
                yield Sign("vpc-cni", BackEnd.NATIVE, what, seen.span)


def _moved(node: _Node) -> Iterator[Sign]:
    for copy in moved_copies(node.nft.source) if node.nft else ():
        what = f"table {copy.name}, with {_count(copy.rules, 'rule')} that a migration has moved"
        yield Sign("moved", BackEnd.NATIVE, what, copy.span)


def _by_count(node: _Node) -> BackEnd | None:
    """The back end with more rules, where kubelet left no chain: so do older images of the CNI."""
    rules = dict.fromkeys((BackEnd.NFT, BackEnd.LEGACY, BackEnd.EITHER), 0)
    for back_end, scan in node.views():
        rules[back_end] += scan.rules
    if rules[BackEnd.EITHER]:
        return None
    return max(rules, key=lambda back_end: rules[back_end]) if any(rules.values()) else None


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


# --- what is wrong with the node, or with the texts -----------------------------------------------


def _problems(node: _Node, found: Detection) -> Iterator[Diagnostic]:
    for slot, scan in node.dumps.items():
        yield from _wrong_program(slot, scan)
        legacy_is_given = any(other.back_end is BackEnd.LEGACY for other in node.dumps)
        for problem in scan.diagnostics:
            if problem.code is not LEGACY_TABLES or not legacy_is_given:
                yield problem
    if node.nft:
        yield from node.nft.diagnostics
        yield from _disagreements(node)
        for slot, scan in node.dumps.items():
            program = slot.program.removesuffix("-save")
            yield from stale_copies(node.nft.source, program, slot.family, scan)
    yield from _unknown(node)
    yield from _several(found)
    yield from _mixed(node, found)
    yield from _connmark_elsewhere(node)
    yield from _marks_wiped(node)


#: Where programs write that say so; nothing says it of 1.8.0 to 1.8.7.
_SPEAKS = {SavedFrom.NFT: BackEnd.NFT, SavedFrom.LEGACY: BackEnd.LEGACY}


def _wrong_program(slot: Slot, scan: Scan) -> Iterator[Diagnostic]:
    for program in scan.programs:
        speaks = _SPEAKS.get(program.back_end, slot.back_end)
        if program.family != slot.family or speaks is not slot.back_end:
            version = "6" if program.family == "ip6" else ""
            said = speaks.value.replace("iptables", f"ip{version}tables")
            yield Diagnostic(
                OTHER_PROGRAM,
                f"this was written by {said}-save, but given as the output of {slot.program}",
                program.span,
                "iptables-save is one of the two, depending on the system: call the program by "
                f"its full name, {slot.program}",
            )
            return


def _disagreements(node: _Node) -> Iterator[Diagnostic]:
    """Chains that nft lists in iptables-nft's tables, and that its own dump does not have so."""
    assert node.nft
    dumps = {slot.family: scan for slot, scan in node.dumps.items() if slot.back_end is BackEnd.NFT}
    for place, seen in node.nft.chains.items():
        dump = dumps.get(place.family)
        if dump is None or not place.of_iptables:
            continue
        printed = dump.chains.get(place)
        if printed and printed.rules == seen.rules:
            continue
        shown = f"{_count(printed.rules, 'rule')}" if printed else "no such chain"
        yield Diagnostic(
            DUMPS_DISAGREE,
            f"the chain {place.chain} of {place.family} {place.table} has "
            f"{_count(seen.rules, 'rule')} here, and the dump of iptables-nft has {shown}",
            seen.span,
            "take both at one time; where it stays so, the dump is incomplete",
        )
        return


def _known(back_ends: tuple[BackEnd, ...]) -> tuple[BackEnd, ...]:
    return tuple(end for end in back_ends if end is not BackEnd.EITHER)


def _unknown(node: _Node) -> Iterator[Diagnostic]:
    for slot, scan in node.dumps.items():
        if slot.back_end is BackEnd.EITHER and scan.rules:
            yield Diagnostic(
                BACK_END_UNKNOWN,
                f"nothing shows which back end this output of {slot.program} is of",
                scan.programs[0].span if scan.programs else None,
                "iptables 1.8.0 to 1.8.7 do not say it; give the output of nft list ruleset as"
                " well, which has the rules of iptables-nft",
            )
            return


def _several(found: Detection) -> Iterator[Diagnostic]:
    """Rules of an earlier mode that still work."""
    if len(_known(found.kubelet)) > 1:
        yield Diagnostic(
            KUBELET_IN_SEVERAL,
            f"kubelet has chains in {_names(found.kubelet)}",
            _place(found, "kubelet", found.kubelet[-1]),
            "the CNI takes iptables-nft for kubelet's; delete the chains of the mode that kubelet "
            "no longer uses, or replace the node",
        )
    if len(_known(found.kube_proxy)) > 1:
        yield Diagnostic(
            PROXY_IN_SEVERAL,
            f"kube-proxy has rules in {_names(found.kube_proxy)}",
            _place(found, "kube-proxy", found.kube_proxy[-1]),
            "kube-proxy --cleanup removes its rules; then it writes those of its mode again",
        )
    if BackEnd.LEGACY in found.cni and len(_known(found.cni)) > 1:
        yield Diagnostic(
            CNI_IN_SEVERAL,
            f"the CNI has rules in {_names(found.cni)}",
            _place(found, "vpc-cni", BackEnd.LEGACY),
            "every packet passes both; delete the rules of the back end that the CNI no longer "
            "writes to, or replace the node",
        )
    elif BackEnd.NATIVE in found.cni:
        for one in found.evidence:
            if one.agent == "vpc-cni" and one.what.endswith("for connmark"):
                yield Diagnostic(
                    CNI_IN_SEVERAL,
                    f"connmark rules of the CNI are in {one.back_end.value}, and in the table "
                    f"ip {_CNI_TABLE}",
                    one.span,
                    "the CNI deletes the ones in iptables when it starts; see its log",
                )
                return


def _mixed(node: _Node, found: Detection) -> Iterator[Diagnostic]:
    next_start = found.next_start
    iptables = [end for end in found.cni if end in {BackEnd.LEGACY, BackEnd.NFT}]
    if _known(found.kubelet) and iptables and found.kubelet[0] not in iptables:
        yield Diagnostic(
            BACK_ENDS_MIXED,
            f"kubelet uses {found.kubelet[0].value}, and the CNI's rules are in {_names(iptables)}",
            _place(found, "vpc-cni", iptables[0]),
            f"a CNI that starts now writes to {found.kubelet[0].value} and leaves these rules",
        )
    proxies = [end for end in found.kube_proxy if end in {BackEnd.LEGACY, BackEnd.NFT}]
    if len(proxies) == 1 and _known(found.kubelet) and proxies[0] not in found.kubelet:
        yield Diagnostic(
            BACK_ENDS_MIXED,
            f"kubelet uses {found.kubelet[0].value}, and kube-proxy's rules are in "
            f"{proxies[0].value}",
            _place(found, "kube-proxy", proxies[0]),
            "the order of rules of different back ends is not that of their lines",
        )
    if next_start and not found.kubelet:
        yield Diagnostic(
            GUESSED_BY_COUNT,
            f"kubelet has no chain in what was given; {next_start.value} has the most rules",
            None,
            "newer images of the CNI then take iptables-nft, whatever the numbers are",
        )
    said = _VERSION.search(node.version)
    if not said:
        return
    program = BackEnd.NFT if said["mode"] == "nf_tables" else BackEnd.LEGACY
    if next_start and program is not next_start:
        yield Diagnostic(
            OTHER_DEFAULT,
            f"the node's iptables is that of {program.value}, and the agents use "
            f"{next_start.value}",
            None,
            f"iptables-save on this node does not show the agents' rules: call "
            f"{next_start.value}-save",
        )


def _connmark_elsewhere(node: _Node) -> Iterator[Diagnostic]:
    """From v1.23.0 on a dump of iptables-nft has all of the CNI's rules but these."""
    if node.nft and ("ip", _CNI_TABLE) in node.nft.tables:
        return
    for slot, scan in node.dumps.items():
        if slot.back_end is BackEnd.NFT and scan.returns and not scan.parts.get("connmark"):
            yield Diagnostic(
                CONNMARK_ELSEWHERE,
                "the CNI's rules for source NAT are here, and nothing that was given shows those "
                "that mark connections",
                scan.first["snat"],
                f"from v1.23.0 on they are in the table ip {_CNI_TABLE}: give the output of "
                "nft list ruleset as well",
            )


#: A restore of the whole mark: all bits but the one are cleared.
_WIPES = re.compile(r"\bmeta mark set ct mark (?:and|&) (?P<bits>0x[0-9a-f]+)\s*(?:\}|\Z)")


def _marks_wiped(node: _Node) -> Iterator[Diagnostic]:
    """The CNI's restore of v1.23.0 on, which takes no heed of what others keep in a mark."""
    if node.nft is None:
        return
    for place, seen in node.nft.chains.items():
        if place.table != _CNI_TABLE:
            continue
        for number in seen.lines:
            line = node.nft.source.lines[number - 1]
            if found := _WIPES.search(line.partition(" comment ")[0].strip()):
                yield Diagnostic(
                    MARKS_WIPED,
                    f"this restores {found['bits']} and clears all other bits of the packet's mark",
                    whole_line(node.nft.source, number),
                    "marks of kube-proxy, of policy engines or of Tailscale that are set before it"
                    " are lost (amazon-vpc-cni-k8s issue 3872)",
                )
                return


def _place(found: Detection, agent: str, back_end: BackEnd) -> Span | None:
    return next(
        (one.span for one in found.evidence if one.agent == agent and one.back_end is back_end),
        None,
    )


def _names(back_ends: Iterable[BackEnd]) -> str:
    return " and ".join(end.value for end in back_ends)
