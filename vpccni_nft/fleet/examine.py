"""Examine one node: detection, inventory, translation and proof of each of its dumps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ..core.diagnostics import IPSET_SYNTAX, LEGACY_TABLES, UNREADABLE_CODES
from ..core.span import Source
from ..node.detection import ALL_SLOTS, SLOTS, BackEnd, detect_sources
from ..node.owners import VPC_CNI
from ..node.releases import ANY
from ..node.scan import scan_ruleset
from ..node.snapshot import DUMPS, IPSETS, NFT, VERSION
from .report import (
    DIFFERENT,
    EQUIVALENT,
    REFUSED,
    UNKNOWN,
    UNREADABLE,
    codes_of,
    diagnostics_of,
    new_report,
    worst,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..core.diagnostics import Diagnostic
    from ..node.detection import Detection
    from ..node.ownership import Inventory
    from ..node.snapshot import Snapshot
    from ..translation import Translation
    from .report import Report


#: What is reported of texts that are something else.
NO_INPUT = {*UNREADABLE_CODES, IPSET_SYNTAX}


@attrs.frozen(kw_only=True)
class FleetSettings:
    """How the nodes of a fleet are examined."""

    allow: tuple[str, ...] = ()  #: codes of approximations that are taken for exact
    counters: bool = False  #: whether it counts which rules count a packet
    seconds: float = 60  #: for each question to the solver
    node_seconds: float = 600  #: for each node in all
    #: Whether a node that is refused is examined again as if its approximations were allowed.
    if_allowed: bool = False


def examine(texts: Mapping[str, str], settings: FleetSettings) -> Report:
    """Look at a node's texts, by the names of ``node``; problems are in the report."""
    sources = {name: Source.of(text, name) for name, text in texts.items()}
    dumps = {name: source for name, source in sources.items() if name in DUMPS}
    found = _detect(sources, texts.get(VERSION, ""))
    reported: list[Diagnostic] = []
    report = new_report()
    for name, source in dumps.items():
        if _has_rules(source):
            report["dumps"][name] = _examine_dump(name, source, sources, settings, reported, report)
    # What both report of a dump is reported once.
    places = {_place(one) for one in reported}
    reported = [*(one for one in found.diagnostics if _place(one) not in places), *reported]
    answers = [dump["answer"] for dump in report["dumps"].values()]
    if problems := {one.code for one in found.diagnostics if one.refuses}:
        answers.append(UNREADABLE if problems <= NO_INPUT else REFUSED)
    for reason in _missing(sources, found):
        answers.append(UNKNOWN)
        report["reasons"].append(reason)
    report["answer"] = worst(answers)
    report["detection"] = _dict_of_detection(found)
    report["codes"] = codes_of(reported)
    report["diagnostics"] = diagnostics_of(reported)
    return report


def detected(node: Snapshot) -> tuple[tuple[Diagnostic, ...], dict[str, Any]]:
    """What is detected on a node: what there is to say of it, and who uses which back end."""
    found = _detect(node.sources, node.texts.get(VERSION, ""))
    return found.diagnostics, _dict_of_detection(found)


def _detect(sources: Mapping[str, Source], version: str) -> Detection:
    slots = {slot: name for name, kind in DUMPS.items() if (slot := kind.slot)}
    dumps = {slot: sources[name] for slot, name in slots.items() if name in sources}
    return detect_sources(dumps, sources.get(NFT), version)


def _has_rules(source: Source) -> bool:
    return any(line and not line.startswith("#") for line in map(str.strip, source.lines))


def _place(one: Diagnostic) -> tuple[str, str, int]:
    span = one.span
    return one.code.name, span.source.name if span else "", span.line if span else 0


# --- one dump -------------------------------------------------------------------------------------


def _examine_dump(
    name: str,
    source: Source,
    sources: Mapping[str, Source],
    settings: FleetSettings,
    reported: list[Diagnostic],
    report: Report,
) -> dict[str, Any]:
    """What is found of a dump; ``reported`` and ``report`` take what is found of the node."""
    from ..lowering import TranslateOptions
    from ..node.ownership import inventory
    from ..translation import translate_sources

    options = TranslateOptions.of(
        allow=settings.allow, family=DUMPS[name].family, ipset_save=sources.get(IPSETS)
    )
    translation = translate_sources((source,), options, nodes=True)
    owned = inventory(translation.dump)
    _add_owners(owned, report)
    reported += translation.diagnostics
    reported += owned.diagnostics
    unreadable = any(one.code in NO_INPUT for one in translation.diagnostics)
    result: dict[str, Any] = {
        "answer": UNREADABLE if unreadable else REFUSED,
        "rules": len(owned.rules),
        "hooks": [],
        "assumptions": [],
        "packets": [],
    }
    if not translation.refused:
        _prove(translation, settings, reported, result)
    return result


def _add_owners(owned: Inventory, report: Report) -> None:
    for kind, answers in (
        ("chains", (one.answer for one in owned.chains)),
        ("rules", (one.answer for one in owned.rules)),
    ):
        for answer in answers:
            counts = report["owners"].setdefault(answer.owner, {"chains": 0, "rules": 0})
            counts[kind] += 1
    if VPC_CNI in owned.owners and owned.releases != ANY:
        report["cni_releases"].append(str(owned.releases))


def _prove(
    translation: Translation,
    settings: FleetSettings,
    reported: list[Diagnostic],
    result: dict[str, Any],
) -> None:
    from .. import nft
    from ..proof.answers import Different, Equivalent, Unknown
    from ..proof.report import dict_of_packet
    from ..proof.side import Side
    from ..proof.verify import ProofSettings, verify

    limits = ProofSettings(
        seconds=settings.seconds, counters=settings.counters, allow=translation.allowed, most=1
    )
    script = nft.parse(translation.script(), "the translation")
    match verify(Side((translation.dump,)), Side((script,)), limits):
        case Equivalent(hooks, assumptions):
            result["answer"] = EQUIVALENT
            result["hooks"] = [f"{family.value} {hook}" for family, hook in hooks]
            result["assumptions"] = list(assumptions)
        case Different(packets):
            result["answer"] = DIFFERENT
            result["packets"] = [dict_of_packet(packet) for packet in packets]
        case Unknown(reasons):
            result["answer"] = UNKNOWN
            reported += reasons


# --- the node -------------------------------------------------------------------------------------


def _missing(sources: Mapping[str, Source], found: Detection) -> Iterator[str]:
    """Rules that are known to be on the node, and that nothing was given of."""
    back_ends = {
        ALL_SLOTS[slot].back_end for name in sources if name in DUMPS and (slot := DUMPS[name].slot)
    }
    if not any(name in DUMPS for name in sources):
        yield "no iptables dump was given"
    legacy_is_reported = any(one.code is LEGACY_TABLES for one in found.diagnostics)
    if legacy_is_reported and BackEnd.LEGACY not in back_ends:
        yield "the node has rules in iptables-legacy, and no dump of them is given"
    if NFT in sources:
        families = {
            place.family
            for place, seen in scan_ruleset(sources[NFT]).chains.items()
            if place.of_iptables and seen.rules
        }
        for slot, what in SLOTS.items():
            name = next(name for name, kind in DUMPS.items() if kind.slot == slot)
            if what.back_end is BackEnd.NFT and what.family in families and name not in sources:
                yield f"the nft ruleset has rules of {what.program}, and no dump of them is given"


def _dict_of_detection(found: Detection) -> dict[str, Any]:
    return {
        "kubelet": [end.value for end in found.kubelet],
        "kube_proxy": [end.value for end in found.kube_proxy],
        "cni": [end.value for end in found.cni],
        "next_start": found.next_start.value if found.next_start else None,
    }
