"""Whether what was proved of a node is still so, as lines, as JSON and as metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ...core.exit_codes import ExitCode
from ...core.render import printable
from ...fleet.report import ANSWERS, EQUIVALENT, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator


@attrs.frozen(kw_only=True)
class Watched:
    """What is found of a node at a moment."""

    answer: str  #: one of ``fleet.report.ANSWERS``
    at: float  #: when that was, in seconds since 1970
    mode: str = ""  #: kube-proxy's; empty where its rules are not understood
    form: str = ""
    services: int = 0
    changes: int = 0  #: Services that are others than in the record, or that it does not have
    leftovers: int = 0
    classes: tuple[str, ...] = ()  #: a packet of each class that differs and is not accepted
    accepted: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    proved_at: float | None = None  #: when the proof was made; None: there is none

    @property
    def exit_code(self) -> ExitCode:
        """What the command ends with."""
        if self.answer == EQUIVALENT and not self.leftovers:
            return ExitCode.DONE
        return ExitCode.UNKNOWN if self.answer == UNKNOWN else ExitCode.REFUSED


def dict_of(found: Watched) -> dict[str, Any]:
    """The keys are stable."""
    return attrs.asdict(found)


def lines_of(found: Watched) -> Iterator[str]:
    """For a log: what is found, and why."""
    if found.exit_code is ExitCode.DONE:
        yield f"still so: equivalent, {found.services} ports of Services, {found.changes} changed"
    else:
        yield f"not so: {found.answer}"
    yield from (f"  {printable(one)}" for one in (*found.classes, *found.reasons))


def metrics_of(found: Watched) -> Iterator[str]:
    """For the textfile collector of Prometheus' node exporter."""
    yield from _metric("ok", "Whether what was proved of the node is still so.", {
        "": found.exit_code is ExitCode.DONE,
    })  # fmt: skip
    yield from _metric("answer", "The answer of the proof that holds now.", {
        f'{{answer="{answer}"}}': answer == found.answer for answer in ANSWERS
    })  # fmt: skip
    labels = f'{{mode="{found.mode}",form="{found.form}"}}'
    yield from _metric("kube_proxy", "The mode of kube-proxy, and the release that writes so.", {
        labels: bool(found.mode),
    })  # fmt: skip
    yield from _metric("services", "Ports of Services.", {"": found.services})
    yield from _metric("service_changes", "Ports of Services that are others than in the record.", {
        "": found.changes,
    })  # fmt: skip
    yield from _metric("leftovers", "What is left of a mode that was left.", {"": found.leftovers})
    yield from _metric("classes", "Classes of packets that differ and are not accepted.", {
        "": len(found.classes),
    })  # fmt: skip
    yield from _metric("accepted", "Differences that are accepted and occur.", {
        f'{{class="{_label(one)}"}}': 1 for one in found.accepted
    })  # fmt: skip
    yield from _metric("checked_timestamp_seconds", "When the node was looked at.", {
        "": found.at,
    })  # fmt: skip
    yield from _metric("proved_timestamp_seconds", "When the proof was made that holds now.", {
        "": found.proved_at or 0,
    })  # fmt: skip


def _metric(name: str, about: str, values: dict[str, float]) -> Iterator[str]:
    whole = f"vpccni_nft_watch_{name}"
    yield f"# HELP {whole} {about}"
    yield f"# TYPE {whole} gauge"
    yield from (f"{whole}{labels} {float(value):.15g}" for labels, value in values.items())


def _label(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace('"', '\\"')
