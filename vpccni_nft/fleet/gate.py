"""A group of nodes that changes kube-proxy's mode, and whether the change may go on.

Every node is looked at, and nodes of one shape share one proof. Where canaries are named, the
others are proved only where all of them are equivalent.
"""

from __future__ import annotations

import hashlib
import json
from functools import partial
from typing import TYPE_CHECKING

import attrs

from ..core.render import printable
from .parallel import run
from .process import ask_apart
from .report import EQUIVALENT, FAILED, UNKNOWN, UNREADABLE
from .switch import new_switch_report, task_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from ..node.files import NodeFiles
    from ..node.snapshot import Snapshot
    from .report import Report
    from .switch import SwitchSettings

#: What of a record a prediction asks beside the rules.
_FACTS = ("addresses.json", "routes.json", "routes6.json", "sysctl.txt")


@attrs.frozen
class GateNode:
    """Where the records of a node are."""

    name: str
    before: NodeFiles
    after: NodeFiles | None = None  #: None: the change is predicted

    def read(self) -> tuple[Snapshot, Snapshot | None]:
        """Both records, with the facts that count."""
        after = _with_facts(self.after.read()) if self.after else None
        return _with_facts(self.before.read()), after


def _with_facts(node: Snapshot) -> Snapshot:
    facts = {name: node.facts[name] for name in _FACTS if name in node.facts}
    return attrs.evolve(node, facts=facts)


def gate(
    nodes: Sequence[GateNode], settings: SwitchSettings, canaries: Collection[str] = ()
) -> Iterator[Report]:
    """A report for each node, canaries first.

    It runs under the ``joblib.parallel_config`` that is in force, as ``survey`` does.
    """
    first = [node for node in nodes if node.name in canaries]
    others = [node for node in nodes if node.name not in canaries]
    group = _Group(settings)
    stops: Report | None = None
    for report in group.reports(first, is_canary=True):
        if report["answer"] != EQUIVALENT:
            stops = stops or report
        yield report
    if stops is None:
        yield from group.reports(others)
        return
    reason = f"not proved: the canary {stops['node']} is {stops['answer']}"
    for node, key, report in group.looks(others):
        if report["answer"] == EQUIVALENT:
            report |= {"answer": UNKNOWN, "reasons": [*report["reasons"], reason]}
        yield _line(node, key, None, report)


@attrs.frozen
class _Group:
    settings: SwitchSettings
    #: What is proved of a shape, and of which node.
    proofs: dict[str, tuple[str, Report]] = attrs.Factory(dict)

    def reports(self, nodes: Sequence[GateNode], *, is_canary: bool = False) -> Iterator[Report]:
        """The reports of nodes: those without a question left at once, others as proofs end."""
        waiting: dict[str, list[tuple[GateNode, str, Report]]] = {}
        for node, key, report in self.looks(nodes):
            shape = report["shape"]
            if shape is None or report["answer"] != EQUIVALENT:
                yield _line(node, key, None, report, is_canary=is_canary)
            else:
                waiting.setdefault(shape, []).append((node, key, report))
        places = {node.name: place for place, node in enumerate(nodes)}
        for same in waiting.values():
            same.sort(key=lambda one: places[one[0].name])
        new = {
            shape: partial(self._given, found[0][0])
            for shape, found in waiting.items()
            if shape not in self.proofs
        }
        for shape in [*waiting.keys() - new.keys()]:
            yield from self._of_shape(shape, waiting[shape], is_canary=is_canary)
        for shape, proof in run(_prove, new, partial(new_switch_report, FAILED)):
            self.proofs[shape] = (waiting[shape][0][0].name, proof)
            yield from self._of_shape(shape, waiting[shape], is_canary=is_canary)

    def _of_shape(
        self, shape: str, found: Iterable[tuple[GateNode, str, Report]], *, is_canary: bool
    ) -> Iterator[Report]:
        """The reports of nodes of a shape, with what is proved of one of them."""
        name, proof = self.proofs[shape]
        of_proof = ("answer", "reasons", "classes", "accepted", "codes", "diagnostics")
        for node, key, report in found:
            report |= {part: proof[part] for part in of_proof}
            report["assumptions"] = [*report["assumptions"], *proof["assumptions"]]
            like = name if name != node.name else None
            yield _line(node, key, like, report, is_canary=is_canary)

    def looks(self, nodes: Iterable[GateNode]) -> Iterator[tuple[GateNode, str, Report]]:
        """A look at each node; those with the same files are looked at once."""
        same: dict[str, list[GateNode]] = {}
        for node in nodes:
            before, after = node.read()
            problem = before.problem or (after.problem if after else "")
            if problem:
                yield node, "", new_switch_report(UNREADABLE, printable(problem))
            else:
                same.setdefault(_key_of(before, after), []).append(node)
        tasks = {key: partial(self._given, found[0]) for key, found in same.items()}
        for key, report in run(_look, tasks, partial(new_switch_report, FAILED)):
            for node in same[key]:
                yield node, key, {**report}

    def _given(self, node: GateNode) -> tuple[Snapshot, Snapshot | None, SwitchSettings]:
        return (*node.read(), self.settings)


def _key_of(before: Snapshot, after: Snapshot | None) -> str:
    parts = [[node.key, sorted(node.facts.items())] for node in (before, after) if node]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _look(
    key: str, before: Snapshot, after: Snapshot | None, settings: SwitchSettings
) -> tuple[str, Report]:
    """What a worker of joblib does: a look, or at least what is detected."""
    if before.problem or (after and after.problem) or _key_of(before, after) != key:
        return key, new_switch_report(UNREADABLE, "its files changed while they were read")
    report = ask_apart(task_of("look", before, after, settings), settings.node_seconds)
    if report["answer"] in {UNKNOWN, FAILED} and "shape" not in report:
        found = ask_apart(task_of("detect", before, after, settings), settings.node_seconds)
        return key, {**new_switch_report(), **found, **_kept(report)}
    return key, report


def _prove(
    shape: str, before: Snapshot, after: Snapshot | None, settings: SwitchSettings
) -> tuple[str, Report]:
    """What a worker of joblib does: a proof."""
    report = ask_apart(task_of("prove", before, after, settings), settings.node_seconds)
    return shape, report if "shape" in report else {**new_switch_report(), **_kept(report)}


def _kept(report: Report) -> Report:
    """What is kept of the report of a process that gave none itself."""
    return {name: report[name] for name in ("answer", "reasons")}


def _line(
    node: GateNode, key: str, like: str | None, report: Report, *, is_canary: bool = False
) -> Report:
    return {
        "node": printable(node.name),
        "canary": is_canary,
        "change": "predicted" if node.after is None else "recorded",
        "like": like and printable(like),
        "rules": key or None,
        **report,
    }
