"""One node of a group that changes kube-proxy's mode: a look at it, and its proof.

A look is cheap: what is detected, kube-proxy's Services, and the shape of the change. Only a proof
takes long, and nodes of one shape have one (``node.kube_proxy.shape`` has why).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ..core.diagnostics import Refused
from ..core.span import Source
from ..lowering.options import codes_named
from ..node.catalogues import acceptances
from ..node.kube_proxy.endpoint_slices import EndpointSlices
from ..node.kube_proxy.on_node import Mode
from ..node.kube_proxy.predict import NotGiven, given_by
from ..node.kube_proxy.shape import shape_of
from ..node.kube_proxy.switching import Switch, predicted, recorded
from ..node.kube_proxy.write_nftables import TableForm
from ..node.snapshot import Snapshot
from .examine import NO_INPUT, detected
from .report import (
    DIFFERENT,
    EQUIVALENT,
    REFUSED,
    UNKNOWN,
    UNREADABLE,
    codes_of,
    diagnostics_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.diagnostics import Diagnostic
    from ..node.kube_proxy.on_node import OnNode
    from ..proof.answers import Answer
    from ..proof.verify import ProofSettings
    from .report import Report


@attrs.frozen(kw_only=True)
class SwitchSettings:
    """What a group of nodes changes to, and how that is proved."""

    kube_proxy: str | None = None  #: the mode of nodes of which there is no record after the change
    kubernetes: str = "1.33"  #: whose kube-proxy will write, in nftables mode
    node_ips: tuple[str, ...] = ()
    service_cidrs: tuple[str, ...] = ()  #: ``none``: kube-proxy does not know it
    cluster_cidrs: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()  #: codes of approximations that are taken for exact
    #: What is accepted: names of catalogues, and the texts of files by their names.
    accept: tuple[tuple[str, str | None], ...] = ()
    #: What ``kubectl get endpointslices -A -o json`` printed, of the cluster after the change.
    endpoints: str | None = None
    order: str | None = None  #: in which order base chains of one priority run
    seconds: float = 60  #: for each question to the solver
    node_seconds: float = 600  #: for the look at each node, and for each proof


def new_switch_report(answer: str = EQUIVALENT, *reasons: str) -> Report:
    """The report of a node of which no more is known."""
    return {
        "answer": answer,
        "reasons": list(reasons),
        "detection": {"kubelet": [], "kube_proxy": [], "cni": [], "next_start": None},
        "before": None,
        "after": None,
        "shape": None,
        "changes": 0,
        "classes": [],
        "accepted": [],
        "assumptions": [],
        "codes": {},
        "diagnostics": [],
    }


def task_of(
    step: str, before: Snapshot, after: Snapshot | None, settings: SwitchSettings
) -> dict[str, Any]:
    """What a worker is asked: a ``detect``, a ``look`` or a ``prove``, as plain values."""
    nodes = [
        {"texts": dict(node.texts), "facts": dict(node.facts)} for node in (before, after) if node
    ]
    return {"step": step, "nodes": nodes, "settings": attrs.asdict(settings)}


def answer_task(task: Mapping[str, Any]) -> Report:
    """What a worker does with such a task."""
    given: dict[str, Any] = {
        name: tuple(map(_frozen, value)) if isinstance(value, list) else value
        for name, value in task["settings"].items()
    }
    settings = SwitchSettings(**given)
    nodes = [Snapshot("", one["texts"], {}, facts=one["facts"]) for one in task["nodes"]]
    report = new_switch_report()
    try:
        match task["step"]:
            case "detect":
                _detect(nodes[-1], report)
            case "look":
                _detect(nodes[-1], report)
                _look(_switch_of(nodes, settings), settings, report)
            case _:
                _prove(_switch_of(nodes, settings), settings, report)
    except Refused as refused:
        _refuse(report, refused.diagnostics)
    except NotGiven as missing:
        report["answer"] = UNKNOWN
        report["reasons"].append(f"{missing}: give {missing.option}")
    return report


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _refuse(report: Report, problems: tuple[Diagnostic, ...]) -> None:
    unreadable = {one.code for one in problems} <= NO_INPUT
    report["answer"] = UNREADABLE if unreadable else REFUSED
    report["codes"] = codes_of(problems)
    report["diagnostics"] = diagnostics_of(problems)


def _detect(node: Snapshot, report: Report) -> None:
    """What is detected; that an agent has rules in two back ends is an error of the node."""
    found, said = detected(node)
    report["detection"] = said
    problems = tuple(one for one in found if one.refuses)
    if problems:
        _refuse(report, problems)


def _switch_of(nodes: list[Snapshot], settings: SwitchSettings) -> Switch:
    before, *after = nodes
    if after:
        slices = EndpointSlices.parse(settings.endpoints) if settings.endpoints else None
        return recorded(before.side(), after[0].side(), slices)
    assert settings.kube_proxy
    given = given_by(
        before.facts,
        node_ips=settings.node_ips,
        service_cidrs=settings.service_cidrs,
        cluster_cidrs=settings.cluster_cidrs,
    )
    form = TableForm(settings.kubernetes)
    return predicted(before.side(), Mode(settings.kube_proxy), form, given)


def _look(switch: Switch, settings: SwitchSettings, report: Report) -> None:
    # Conditions of a file may name addresses, which are then not any others.
    named = any(text is not None for _, text in settings.accept)
    report["shape"] = shape_of(switch, renames=not named)
    report["before"], report["after"] = map(_dict_of, (switch.was, switch.now))
    report["changes"] = len(switch.changes)
    report["assumptions"] += switch.assumptions
    if switch.leftovers:
        _refuse(report, switch.leftovers)
    elif switch.doubts and report["answer"] == EQUIVALENT:
        report["answer"] = UNKNOWN
        report["reasons"] += switch.doubts


def _dict_of(found: OnNode) -> dict[str, Any]:
    return {
        "mode": found.mode.value,
        "form": found.form.value if found.form else None,
        "services": found.count,
    }


def _prove(switch: Switch, settings: SwitchSettings, report: Report) -> None:
    from ..proof.verify import verify

    answer = verify(switch.before, switch.after, proof_settings(switch, settings))
    report |= dict_of_proof(answer)


def proof_settings(switch: Switch, settings: SwitchSettings) -> ProofSettings:
    """On whole paths, for which the catalogues are written. Raises Refused."""
    from ..proof.order import EVERY_ORDER, ChainOrder
    from ..proof.verify import ProofSettings

    given = (name if text is None else Source.of(text, name) for name, text in settings.accept)
    return ProofSettings(
        order=EVERY_ORDER if settings.order is None else ChainOrder.of(settings.order),
        seconds=settings.seconds,
        allow=codes_named(settings.allow),
        accept=acceptances(given, switch.before, switch.after),
        paths=True,
    )


def dict_of_proof(answer: Answer) -> Report:
    """What a proof adds to a report."""
    from ..proof.acceptance import Occurs
    from ..proof.answers import Different, Equivalent, Unknown

    found: Report = {
        "accepted": sorted(
            one.acceptance.code or one.acceptance.name
            for one in answer.accepted
            if one.occurs in {Occurs.YES, Occurs.UNKNOWN}
        )
    }
    match answer:
        case Equivalent(_, assumptions):
            return {**found, "answer": EQUIVALENT, "assumptions": list(assumptions)}
        case Different(packets, _, reasons, classes):
            texts = [
                f"{packet.family.value} {packet.hook} {one.example.plain.text}"
                for packet, one in zip(packets, classes, strict=True)
            ]
            found |= {"answer": DIFFERENT, "classes": texts}
        case Unknown(reasons):
            found["answer"] = UNKNOWN
    return {**found, "codes": codes_of(reasons), "diagnostics": diagnostics_of(reasons)}
