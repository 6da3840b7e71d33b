"""What the targets QUEUE and NFQUEUE share: a program decides.

Kernel: net/netfilter/nf_queue.c. Where it accepts, the packet goes on at the next base chain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.effects import Effect
from ...model.packet import ACCEPT, DROP, Event

if TYPE_CHECKING:
    from ...model.effects import View


def queued(first: int, last: int, flags: tuple[str, ...], view: View) -> Effect:
    """The program drops the packet or accepts it as it is; other answers are not modelled."""
    drops = view.says(f"queue {first}-{last} drops")
    return Effect(
        events=(Event("queue", (first, last, flags)),), verdicts=((drops, DROP),), verdict=ACCEPT
    )
