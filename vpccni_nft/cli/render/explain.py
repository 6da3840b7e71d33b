"""What becomes of one packet, as text or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.render import printable
from ...simulate.packet_text import KEY_OF, packet_words
from ...simulate.report import lines_of, value_text
from .steps import dict_of_outcome, dict_of_step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...simulate.explain import Explanation


def lines_of_explanation(found: Explanation, *, all_rules: bool) -> Iterator[str]:
    """The way through each side, what was taken for granted, and what differs."""
    read = found.read
    yield f"packet: {' '.join(read.words)}"
    yield f"defaults: {' '.join(read.defaults)}"
    yield from (f"approximation {note}" for note in _approximations(found))
    for side, walked in zip(found.sides, found.traces, strict=True):
        yield from ("", f"{side.name} ({side.language})", *lines_of(walked, all_rules=all_rules))
    yield ""
    yield from (f"the world: {answer}" for answer in read.world.answers())
    yield from (f"not used: {key}" for key in read.world.unasked())
    yield from (f"not read: {line}" for line in found.not_read)
    if len(found.sides) == 2:
        yield from _comparison(found)


def _approximations(found: Explanation) -> list[str]:
    return [f"{code}: {code.title}" for code in found.approximations]


def _comparison(found: Explanation) -> Iterator[str]:
    if not found.differences:
        yield "both sides agree"
        return
    yield "the sides differ:"
    for name, values in found.differences.items():
        shown = (value_text(name, value, found.read.packet.family) for value in values)
        yield f"  {KEY_OF.get(name, name)}: {' / '.join(shown)}"


def dict_of(found: Explanation) -> dict[str, Any]:
    """The same for a program; the keys are stable."""
    read, family = found.read, found.read.packet.family
    return {
        "packet": {
            "family": family.value,
            "path" if read.packet.on_path else "hook": read.packet.hook,
            **dict(word.split("=", 1) for word in packet_words(read.packet)),
        },
        "given": list(read.words),
        "defaults": list(read.defaults),
        "approximations": _approximations(found),
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
