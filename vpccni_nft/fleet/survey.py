"""All nodes of a fleet, each examined."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import APPROXIMATIONS
from .parallel import run
from .process import ask_apart
from .report import FAILED, REFUSED, UNREADABLE, Report, new_report, of_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..node.files import Fleet, NodeFiles
    from ..node.snapshot import Snapshot
    from .examine import FleetSettings


@attrs.frozen
class _Group:
    """Nodes with the same rules."""

    key: str
    place: NodeFiles  #: of the first one, which is examined for all
    members: list[tuple[str, Mapping[str, str]]] = attrs.Factory(list)  #: names and files


def survey(fleet: Fleet, settings: FleetSettings) -> Iterator[Report]:
    """Examine every node; the reports come as the nodes are done."""
    groups: dict[str, _Group] = {}
    for place in fleet.nodes:
        # Texts are not kept: those of a large fleet are more than a machine holds.
        node = place.read()
        if node.problem:
            report = new_report(UNREADABLE, node.problem)
            yield of_node(node.name, node.files, None, None, report)
        else:
            group = groups.setdefault(node.key, _Group(node.key, place))
            group.members.append((node.name, node.files))
    tasks = {key: partial(_read, group.place, settings) for key, group in groups.items()}
    for key, report in run(_examine, tasks, partial(new_report, FAILED)):
        group = groups[key]
        for name, files in group.members:
            like = group.place.name if name != group.place.name else None
            yield of_node(name, files, key, like, report)


def _read(place: NodeFiles, settings: FleetSettings) -> tuple[Snapshot, FleetSettings]:
    return place.read(), settings


def _examine(key: str, node: Snapshot, settings: FleetSettings) -> tuple[str, Report]:
    """What a worker of joblib does."""
    if node.problem or node.key != key:
        return key, new_report(UNREADABLE, "its files changed while they were read")
    report = _ask(node, settings)
    if settings.if_allowed and report["answer"] == REFUSED:
        report["if_allowed"] = {
            " ".join(codes): _ask(node, attrs.evolve(settings, allow=(*settings.allow, *codes)))[
                "answer"
            ]
            for codes in _choices(report, settings)
        }
    return key, report


def _ask(node: Snapshot, settings: FleetSettings) -> Report:
    task = {"texts": dict(node.texts), "settings": attrs.asdict(settings)}
    return ask_apart(task, settings.node_seconds)


def _choices(report: Report, settings: FleetSettings) -> Iterator[tuple[str, ...]]:
    """What could be allowed: each approximation that refuses something, and all of them."""
    codes = sorted(report["codes"].keys() & APPROXIMATIONS.keys() - {*settings.allow})
    yield from ((code,) for code in codes)
    if len(codes) > 1:
        yield tuple(codes)
