"""All nodes of a fleet, each examined."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs

from .parallel import run
from .process import ask_apart
from .report import FAILED, UNREADABLE, Report, new_report, of_node

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
    task = {"texts": dict(node.texts), "settings": attrs.asdict(settings)}
    return key, ask_apart(task, settings.node_seconds)
