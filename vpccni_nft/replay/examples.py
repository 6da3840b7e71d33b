"""What the kernel says of the packet that a proof shows: the same difference, or why not."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import attrs

from ..core.render import printable
from ..simulate.packet_text import parse_packet
from ..simulate.world import answer_sentence
from .one_packet import NOT_ROUTED, NOT_THERE

if TYPE_CHECKING:
    from ..proof.counterexample import Counterexample
    from .comparison import Bench


class KernelSays(enum.Enum):
    """What came of sending a packet."""

    CONFIRMED = "confirmed"  #: the kernel treats it differently on the two sides
    NOT_REACHABLE = "not reachable"  #: it does not come to where it differs
    NOT_REPRODUCIBLE = "not reproducible"  #: such a packet cannot be sent, or nothing differs


@attrs.frozen
class KernelAnswer:
    """What the kernel says of a packet, and why it says no more."""

    says: KernelSays
    why: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        return {"says": self.says.value, "why": list(map(printable, self.why))}


def confirm(example: Counterexample, bench: Bench) -> KernelAnswer:
    """Send a packet through both sides in the kernel; needs root. Raises ReplayError."""
    unsaid = [answer_sentence(example.family, *item) for item in example.answers.items()]
    if unsaid or not example.in_text:
        return KernelAnswer(KernelSays.NOT_REPRODUCIBLE, tuple(unsaid) or (_NO_TEXT,))
    result = bench.run(parse_packet(example.plain.text, example.family))
    assert result.brought
    missing = result.brought.missing
    if any(NOT_THERE in one or NOT_ROUTED in one for one in missing):
        return KernelAnswer(KernelSays.NOT_REACHABLE, missing)
    if missing:
        return KernelAnswer(KernelSays.NOT_REPRODUCIBLE, missing)
    if result.equal is False:
        return KernelAnswer(KernelSays.CONFIRMED)
    why = _SAME if result.equal else _UNDECIDED
    return KernelAnswer(KernelSays.NOT_REPRODUCIBLE, (why,))


_NO_TEXT = "a text does not say all of the packet"
_SAME = "the kernel treats it the same on both sides"
_UNDECIDED = "by chance its outcomes differ on either side: it is not decided"
