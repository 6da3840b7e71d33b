"""A packet that two sides treat differently, as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.render import printable
from ..simulate.packet_text import KEY_OF, field_text
from ..simulate.report import value_text
from ..simulate.world import answer_sentence

if TYPE_CHECKING:
    from .counterexample import Counterexample


def dict_of_packet(found: Counterexample) -> dict[str, Any]:
    """What is needed to see the packet again, and what differs; the keys are stable."""
    family, plain = found.family, found.plain
    return {
        "family": family.value,
        "hook": found.hook,
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
