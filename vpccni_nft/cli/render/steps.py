"""A packet's way as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.render import printable
from ...simulate.packet_text import KEY_OF, field_text
from ...simulate.report import binding_text, event_text, value_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...core.values import Family
    from ...simulate.trace import FieldChange, Step, Trace


def dict_of_step(step: Step, family: Family) -> dict[str, Any]:
    """Something that a packet came to."""
    return {
        "kind": step.kind,
        "table": step.table,
        "chain": step.chain,
        "rule": step.number or None,
        "line": step.line,
        "depth": step.depth,
        "text": printable(step.text),
        "fits": step.fits,
        "changes": _changes(step.changes, family),
        "events": [event_text(event, family) for event in step.events],
        "binding": binding_text(step.binding, family) if step.binding else None,
        "verdict": value_text("verdict", step.verdict, family) if step.verdict else None,
    }


def dict_of_outcome(walked: Trace) -> dict[str, Any]:
    """What came of it."""
    family, outcome = walked.packet.family, walked.outcome
    return {
        "verdict": value_text("verdict", outcome.verdict, family),
        "bindings": [binding_text(binding, family) for binding in outcome.bindings],
        "changes": _changes(walked.changes, family),
    }


def _changes(changes: Iterable[FieldChange], family: Family) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for change in changes:
        first, last = (
            field_text(change.field, value, family) for value in (change.before, change.after)
        )
        key = KEY_OF.get(change.field, change.field)
        found[key] = [found[key][0] if key in found else first, last]
    return found
