"""What becomes of one packet, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...simulate.packet_text import KEY_OF
from ...simulate.report import lines_of, value_text

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
