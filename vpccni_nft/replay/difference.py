"""Where the two sides part, and what is different there."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import attrs

from .counters import Fitted, fitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .contents import Contents
    from .conversation import Conversation, KernelEvent, Seen
    from .differential import Mismatch, Outcomes
    from .netlink import Connection
    from .side import ReplaySide
    from .testbed import Testbed

#: Where each side has one outcome, holding the conversation once shows its rules.
_ONCE, _OFTEN = 1, 25

#: Instead of a port that NAT has chosen there is a class of them, as a number below zero.
_CLASS = re.compile(r"(?<=[:=])-([1-9]\d*)\b")


@attrs.frozen
class Observation:
    """What was seen at a move, and how often."""

    events: tuple[str, ...]
    times: int
    only_here: bool  #: the other side has never shown it


@attrs.frozen
class Shown:
    """One side of a difference."""

    outcomes: tuple[
        Observation, ...
    ]  #: at the move where the sides part; the significant ones first
    runs: int  #: how often the conversation was held
    rules: tuple[Fitted, ...]  #: that it fits, up to that move


@attrs.frozen
class Difference:
    """A conversation that the two sides treat differently."""

    conversation: str
    kind: str  #: ``outcomes``, ``frequencies`` or ``connections``
    moves: tuple[str, ...]
    move: int  #: from 0; the first at which the sides part
    before: Shown
    after: Shown
    #: How often the conversation was held to see which rules it fits.
    times: int


def explain(mismatch: Mismatch, arena: Testbed) -> Difference:
    """Find the move where the sides part, and the rules that the conversation fits until then.

    The conversation is held again for that, on both sides.
    """
    conversation = mismatch.conversation
    number = _parting(mismatch)
    if mismatch.kind == "connections":
        outcomes = tuple(
            _entries(one, other)
            for one, other in (mismatch.connections, mismatch.connections[::-1])
        )
    else:
        at_move = [_at(number, counts) for counts in (mismatch.before, mismatch.after)]
        edges = arena.duel.edges
        outcomes = tuple(
            _outcomes(one, other, edges) for one, other in (at_move, reversed(at_move))
        )
    single = all(len(found) == 1 for found in outcomes) or mismatch.kind == "connections"
    times = _ONCE if single else _OFTEN
    until = attrs.evolve(conversation, moves=conversation.moves[: number + 1])

    def shown(place: int, side: ReplaySide, contents: Contents, counts: Outcomes) -> Shown:
        rules = fitted(side, contents, until, times)
        return Shown(outcomes[place], counts.total() or 1, rules)

    return Difference(
        str(conversation),
        mismatch.kind,
        tuple(map(_text_of_move, _each(conversation))),
        number,
        shown(0, arena.duel.before, arena.before, mismatch.before),
        shown(1, arena.duel.after, arena.after, mismatch.after),
        times,
    )


def _each(conversation: Conversation) -> list[Conversation]:
    return [attrs.evolve(conversation, moves=(move,)) for move in conversation.moves]


def _text_of_move(conversation: Conversation) -> str:
    return str(conversation).rpartition(": ")[2]


def _parting(mismatch: Mismatch) -> int:
    """The first move up to which the two sides have not shown the same."""
    count = len(mismatch.conversation.moves)
    for number in range(count):
        one, other = (
            Counter({seen[: number + 1] for seen in counts})
            for counts in (mismatch.before, mismatch.after)
        )
        if one != other:
            return number
    return count - 1


def _at(number: int, counts: Outcomes) -> Counter[tuple[KernelEvent, ...]]:
    found: Counter[tuple[KernelEvent, ...]] = Counter()
    for seen, times in counts.items():
        found[_move_of(seen, number)] += times
    return found


def _move_of(seen: Seen, number: int) -> tuple[KernelEvent, ...]:
    return seen[number]


def _outcomes(
    here: Counter[tuple[KernelEvent, ...]],
    there: Counter[tuple[KernelEvent, ...]],
    edges: Sequence[int],
) -> tuple[Observation, ...]:
    found = [
        Observation(tuple(_text(event, edges) for event in events), times, events not in there)
        for events, times in here.items()
    ]
    return tuple(sorted(found, key=lambda one: (not one.only_here, -one.times)))


def _text(event: KernelEvent, edges: Sequence[int]) -> str:
    """An event, with the range instead of a class of ports: see ``duel.ports_of``."""

    def ports(found: re.Match[str]) -> str:
        number = int(found[1]) - 1
        first = edges[number - 1] if number else 0
        last = edges[number] - 1 if number < len(edges) else 0xFFFF
        return f"{first}-{last}"

    return _CLASS.sub(ports, str(event))


def _entries(here: Sequence[Connection], there: Sequence[Connection]) -> tuple[Observation, ...]:
    """Entries of the connection table as outcomes; nothing else has differed."""
    lines = tuple(
        f"connection: protocol {one.protocol}, status {one.status:#x}, mark {one.mark:#x},"
        f" zone {one.zone}"
        for one in here
    )
    return (Observation(lines, 1, tuple(here) != tuple(there)),)
