"""A packet that two sides treat differently, as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.render import printable
from ..simulate.packet_text import KEY_OF, field_text
from ..simulate.report import value_text
from ..simulate.world import answer_sentence

if TYPE_CHECKING:
    from .acceptance import AcceptedClass
    from .classes import DifferenceClass
    from .counterexample import Counterexample


def dict_of_class(found: DifferenceClass, number: int) -> dict[str, Any]:
    """A class of packets; ``number`` is that of its example among the packets, from 0."""
    sides = zip(("before", "after"), found.example.deciding, strict=True)
    return {
        "family": found.family.value,
        "hook": found.example.hook,
        "on_path": found.example.plain.packet.on_path,
        "packet": number,
        "conditions": [
            [
                {"key": one.key, "value": printable(one.value), "negated": one.negated}
                for one in part
            ]
            for part in found.conditions
        ],
        "texts": [printable(text) for text in found.texts],
        "whole": found.is_whole,
        "like": found.count,
        "deciding": {
            side: [
                {
                    "table": step.table,
                    "chain": step.chain,
                    "number": step.number,
                    "line": step.line,
                    "text": printable(step.text),
                }
                for step in steps
            ]
            for side, steps in sides
        },
    }


def dict_of_accepted(found: AcceptedClass) -> dict[str, Any]:
    """What is accepted, and whether it occurs."""
    said, family = found.acceptance, found.example.family if found.example else None
    return {
        "name": printable(said.name),
        "code": said.code,
        "why": printable(said.why),
        "until": said.until.isoformat() if said.until else None,
        "conditions": [printable(text) for one in said.cases for text in one.condition.texts],
        "occurs": found.occurs.value,
        "hooks": [f"{family.value} {hook}" for family, hook in found.places],
        "family": family.value if family else None,
        "packet": printable(found.example.plain.text) if found.example else None,
    }


def dict_of_packet(found: Counterexample) -> dict[str, Any]:
    """What is needed to see the packet again, and what differs; the keys are stable."""
    family, plain = found.family, found.plain
    return {
        "family": family.value,
        "hook": found.hook,
        "on_path": plain.packet.on_path,
        "packet": printable(plain.text),
        "fields": {
            field: field_text(field, value, family) for field, value in plain.hidden.items()
        },
        "answers": [printable(answer_sentence(family, *item)) for item in found.answers.items()],
        "differences": {
            KEY_OF.get(name, name): [value_text(name, value, family) for value in both]
            for name, both in found.differences.items()
        },
    }
