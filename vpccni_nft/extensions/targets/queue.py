"""NFQUEUE, QUEUE: let a program decide about the packet.

Kernel: net/netfilter/xt_NFQUEUE.c; nft_queue.c computes the same: one queue, or among several one
by a hash of the packet's addresses and ports, or by the CPU. Both hash with a seed of their own,
so that a flow can come to another queue of the same ones. Where the program accepts, the packet
goes on at the next base chain (nf_queue.c). QUEUE is ip_tables.c's verdict NF_QUEUE: queue 0, and
without a program a drop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.values import parse_integer
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.oracle import OracleKind
from ...model.packet import ACCEPT, DROP, Event
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import number
from ..option_table import Form, Option, OptionTable, at_most_one
from ..placement import ANYWHERE
from ..shared.words import flags

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context


@attrs.frozen(kw_only=True)
class Nfqueue(Target):
    """``-j NFQUEUE`` with its options."""

    first: int = 0
    last: int = 0
    bypass: bool = False  #: accept where no program listens
    fanout: bool = False  #: choose among several queues by the CPU


@attrs.frozen
class Queue(Target):
    """``-j QUEUE``."""


def _parse_balance(text: str) -> tuple[int, int]:
    first, colon, last = text.partition(":")
    queues = (parse_integer(first, 0xFFFF), parse_integer(last, 0xFFFF)) if colon else (0, 0)
    if queues[0] >= queues[1]:
        raise ValueError(f"“{text}” is not a range of queues such as 0:3")
    return queues


def meaning(node: Nfqueue, view: View) -> Effect:
    """NF_QUEUE, with the number of a queue."""
    several = node.last > node.first
    chosen = (("bypass", node.bypass), ("fanout", node.fanout and several))
    words = tuple(sorted(word for word, is_set in chosen if is_set))
    return _queued(node.first, node.last, words, view)


def _queued(first: int, last: int, flags: tuple[str, ...], view: View) -> Effect:
    """The program drops the packet or accepts it as it is; other answers are not modelled."""
    drops = view.says_of(
        OracleKind.QUEUE_DROPS, ("queue", first, last), first, last, key=view.state.shown
    )
    return Effect(
        events=(Event("queue", (first, last, flags)),), verdicts=((drops, DROP),), verdict=ACCEPT
    )


def lower(node: Nfqueue, _context: Context) -> tuple[s.Statement, ...]:
    """The statement with the same queues; to choose by CPU takes more than one."""
    several = node.last > node.first
    words = flags(("bypass", node.bypass), ("fanout", node.fanout and several))
    return (s.Queue(node.first, node.last, tuple(words)),)


NFQUEUE = Extension(
    name="NFQUEUE",
    what="let a program decide about the packet.",
    node=Nfqueue,
    options=OptionTable.of(
        Option(
            "--queue-balance",
            Form("FIRST:LAST", _parse_balance, lambda queues: f"{queues[0]}:{queues[1]}"),
            ("first", "last"),
            show=lambda node: (node.first, node.last) if node.last > node.first else None,
        ),
        Option(
            "--queue-num",
            number(0xFFFF),
            ("first", "last"),
            keep=lambda queue: (queue, queue),
            show=lambda node: None if node.last > node.first else node.first,
        ),
        Option("--queue-bypass", field="bypass"),
        Option("--queue-cpu-fanout", field="fanout"),
        at_most_one("--queue-num", "--queue-balance"),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.OneOf(
        k.Build(lambda one, **flags: Nfqueue(first=one, last=one, **flags), k.SHORT, bypass=k.FLAG),
        k.Build(
            lambda ends, **flags: Nfqueue(first=ends[0], last=ends[1], **flags),
            k.Several(k.SHORT, 2, 2, unique=True).map(sorted),
            bypass=k.FLAG,
            fanout=k.FLAG,
        ),
    ),
    nft="queue flags bypass,fanout to FIRST-LAST",
)

QUEUE = Extension(
    name="QUEUE",
    what="let the program that listens to queue 0 decide about the packet.",
    node=Queue,
    meaning=lambda _node, view: _queued(0, 0, (), view),
    lower=lambda _node, _context: (s.Queue(),),
    placement=ANYWHERE,
    draw=k.Build(Queue),
    nft="queue to 0",
)
