"""nft rulesets that are drawn: in the kernel beside the interpreter, and beside their mutants."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Self

from vpccni_nft import iptables, nft
from vpccni_nft.core.values import Family
from vpccni_nft.replay.conversation import Conversation
from vpccni_nft.replay.guide import Guide
from vpccni_nft.replay.side import ReplayError, ReplaySide, Text
from vpccni_nft.replay.topology import Topology
from vpccni_nft.replay.wire import DCCP
from vpccni_nft.simulate.constants_nft import add_constants
from vpccni_nft.simulate.pool import Pool
from vpccni_nft.simulate.sample import Packet, chains_of

from .divergences import Checker
from .packets import Tally, divergences


def packets(
    ruleset: nft.Ruleset, family: Family, seed: int, *, fragments: bool
) -> Iterator[Packet]:
    """Packets that are made of a ruleset's constants, without end."""
    pool = Pool.of(iptables.Ruleset(()), family, fragments=fragments)
    add_constants(pool.constants, ruleset, family)
    return pool.stream(seed)


#: The processor that all packets of a bed are on.
CPU = min(os.sched_getaffinity(0))


@contextmanager
def on_one_cpu() -> Iterator[None]:
    """Where processes are made that send: the kernel takes a packet where its sender runs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CPU})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class NftBed:
    """A node that has one nft ruleset after another."""

    def __init__(self) -> None:
        self.node = Topology.of(())
        self.side = ReplaySide(self.node)

    def __enter__(self) -> Self:
        with on_one_cpu():
            self.side.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.side.__exit__()

    def load(self, script: str) -> None:
        """Put a script in place of the one before. ReplayError where nft does not take it."""
        try:
            self.side.unload()
            self.side.load([Text(script, None)])
        except ReplayError:
            # What is there now is not known.
            self.side.__exit__()
            self.side = ReplaySide(self.node)
            self.__enter__()
            raise
        self.side.probe(self.side.tracked, begin=True)

    def check(
        self, ruleset: nft.Ruleset, conversations: int, seed: int = 0
    ) -> tuple[Tally, list[str]]:
        """Hold conversations, and compare what the kernel does with what the model says."""
        return self.hold(ruleset, islice(self.conversations(ruleset, seed), conversations))

    def conversations(self, ruleset: nft.Ruleset, seed: int = 0) -> Iterator[Conversation]:
        """Conversations that are made of a ruleset's constants, without end."""
        return filter(_is_clear, Guide.of(self.node, (), (ruleset,), seed).stream())

    def hold(
        self,
        ruleset: nft.Ruleset,
        conversations: Iterable[Conversation],
        held_by: type[Checker] = Checker,
    ) -> tuple[Tally, list[str]]:
        """The same with conversations of one's own."""
        # The kernel runs first what was registered last.
        chains = {family: chains_of(ruleset, family)[::-1] for family in Family}
        checker = held_by(self.node, chains, cpu=CPU)
        batch = list(conversations)
        found = list(divergences(self.side, checker, batch))
        packets = sum(len(one.moves) for one in batch)
        return Tally(len(batch), packets, 0, checker.hooks, checker.skipped), found


def _is_clear(one: Conversation) -> bool:
    """As ``check_models`` leaves out what cannot be told apart."""
    return one.source != one.target and one.protocol != DCCP
