"""QUEUE: let the program that listens to queue 0 decide about the packet.

Kernel: net/ipv4/netfilter/ip_tables.c: the verdict NF_QUEUE, of queue 0, without a program a drop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...iptables.ast import Target
from ...nft import statements as s
from ..extension import Extension
from ..shared.queues import queued

if TYPE_CHECKING:
    from ...model.effects import Effect, View
    from ..context import Context
    from ..options import Options


@attrs.frozen
class Queue(Target):
    """``-j QUEUE``."""


def build(_options: Options) -> Queue:
    """There are no options."""
    return Queue()


def save(_node: Queue) -> tuple[str, ...]:
    """There are no options."""
    return ()


def meaning(_node: Queue, view: View) -> Effect:
    """NF_QUEUE_NR(0)."""
    return queued(0, 0, (), view)


def lower(_node: Queue, _context: Context) -> tuple[s.Statement, ...]:
    """The statement for queue 0."""
    return (s.Queue(),)


EXTENSION = Extension(
    name="QUEUE",
    node=Queue,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="queue to 0",
)
