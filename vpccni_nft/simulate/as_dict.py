"""A packet's way as plain values, for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.render import printable
from .packet_text import KEY_OF, field_text, packet_words
from .report import binding_text, event_text, value_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..core.values import Family
    from .explain import Explanation
    from .trace import FieldChange, Step, Trace


def dict_of_explanation(found: Explanation) -> dict[str, Any]:
    """What becomes of one packet; the keys are stable."""
    read, family = found.read, found.read.packet.family
    return {
        "packet": {
            "family": family.value,
            "path" if read.packet.on_path else "hook": read.packet.hook,
            **dict(word.split("=", 1) for word in packet_words(read.packet)),
        },
        "given": list(read.words),
        "defaults": list(read.defaults),
        "approximations": [f"{code}: {code.title}" for code in found.approximations],
        "sides": [
            {
                "name": printable(side.name),
                "language": side.language,
                "steps": [dict_of_step(step, family) for step in walked.steps],
                "outcome": dict_of_outcome(walked),
            }
            for side, walked in zip(found.sides, found.traces, strict=True)
        ],
        "world": read.world.answers(),
        "not_read": [printable(line) for line in found.not_read],
        "differences": {
            KEY_OF.get(name, name): [value_text(name, value, family) for value in both]
            for name, both in found.differences.items()
        },
    }


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
