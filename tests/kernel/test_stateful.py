"""Rulesets of iptables that keep state: sequences of packets, with waits between some of them.

Each ruleset and each sequence is drawn from a number, which a failure prints. Waits overlap:
several nodes have their packets, and then all of them wait together.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from random import Random

import attrs
import pytest

import vpccni_nft
from vpccni_nft import Equivalent
from vpccni_nft.core.values import Family
from vpccni_nft.replay.conversation import Conversation, Seen
from vpccni_nft.replay.side import ReplayError, ReplaySide
from vpccni_nft.replay.topology import Topology
from vpccni_nft.simulate.sample import chains_of

from ..support.divergences import Checker
from ..support.memory import Memory
from ..support.packets import Tally
from ..support.profiles import NIGHTLY, SCALE
from ..support.stateful import (
    BY_CHANCE,
    BY_CONNECTION,
    IPSETS,
    KEY_WORDS,
    WAIT,
    change,
    draw,
    dump,
    sequence,
)

#: Nodes that wait together.
NODES = 8

#: Rulesets that the interpreter is held against, and pairs that are equivalent.
RULESETS, PAIRS = 16 * SCALE, 4 * SCALE

#: Packets of a sequence, before the wait and behind it.
PACKETS = 12

#: How often what differs is tried again: a busy machine can be late.
AGAIN = 2

#: What else than counters and lists every fourth ruleset has.
OTHERS = {0: BY_CHANCE, 1: BY_CONNECTION}

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[ReplaySide]]:
    """Nodes that have one ruleset after another."""
    with ExitStack() as stack:
        yield [stack.enter_context(ReplaySide(Topology.of(()))) for _ in range(NODES)]


@attrs.frozen
class Trial:
    """A ruleset, and what it is to be tried with."""

    seed: int
    text: str
    parts: tuple[list[Conversation], ...]

    @classmethod
    def of(cls, seed: int, text: str) -> Trial:
        """The sequence of a number."""
        random = Random(seed)  # noqa: S311
        return cls(seed, text, tuple(sequence(random, PACKETS) for _ in range(2)))


#: No packet may come through the rules but those of the sequence: the side's own way of loading
#: sends one to learn whether connections are tracked. Here they are.
TRACKED = {Family.IP: True, Family.IP6: False}

EMPTY = "".join(f"*{table}\n:FORWARD ACCEPT [0:0]\nCOMMIT\n" for table in ("mangle", "filter"))


def take(node: ReplaySide, text: str) -> None:
    """Replace a node's ruleset. ReplayError where iptables does not take it."""
    node.run("iptables-legacy-restore", "-w", script=EMPTY)
    node.unload()
    node.begin([], connections=False)
    node.end()
    node.restore_ipsets(IPSETS)
    node.probe(TRACKED, begin=True)
    node.run("iptables-legacy-restore", "-w", script=text)


def play(nodes: Sequence[ReplaySide], trials: Sequence[Trial]) -> list[list[list[Seen]]]:
    """What is seen on each node, part by part; all of them wait together."""
    seen: list[list[list[Seen]]] = [[] for _ in trials]
    for part in range(2):
        if part:
            time.sleep(WAIT)
        for node, trial, found in zip(nodes, trials, seen, strict=False):
            found.append(node.ask("play", trial.parts[part]))
    return seen


def loaded(nodes: Sequence[ReplaySide], trials: Sequence[Trial]) -> bool:
    """Whether each node has taken its ruleset."""
    try:
        for node, trial in zip(nodes, trials, strict=False):
            take(node, trial.text)
    except ReplayError as error:
        if "restore" not in str(error):
            raise
        return False
    return True


# --- the interpreter ------------------------------------------------------------------------------


def divergences(trial: Trial, parts: list[list[Seen]], tally: Tally) -> list[str]:
    """Where the interpreter says something else, with all that the packets before have left."""
    ruleset = vpccni_nft.parse(trial.text, ipset_save=IPSETS)
    ttl_lists = re.findall(r"--rttl --name (\w+)", trial.text)
    memory = Memory(KEY_WORDS, frozenset(f"recent-{name}" for name in ttl_lists))
    checker = Checker(Topology.of(()), {Family.IP: chains_of(ruleset, Family.IP)}, memory)
    found: list[str] = []
    for number, (conversations, seen) in enumerate(zip(trial.parts, parts, strict=True)):
        memory.now = number * WAIT
        for conversation, events in zip(conversations, seen, strict=True):
            if memory.is_lost or checker.skipped or found:
                break
            found += (f"{one.conversation}\n{one.begin}\n{one.what}"
                      for one in checker.check(conversation, events))  # fmt: skip
            tally.packets += len(conversation.moves)
    tally.conversations += 2 * PACKETS
    tally.hooks += checker.hooks
    tally.unseen += checker.skipped
    return found


def test_a_sequence_of_packets_does_what_the_interpreter_says(
    nodes: list[ReplaySide], add: Callable[[Tally], None]
) -> None:
    total, refused = Tally(), 0
    start = time.time_ns() if NIGHTLY else 0
    trials = [
        Trial.of(seed, dump(draw(Random(seed), OTHERS.get(seed % 4, ()))))  # noqa: S311
        for seed in range(start, start + RULESETS)
    ]
    while trials:
        batch, trials = trials[:NODES], trials[NODES:]
        taken = [
            (node, trial)
            for node, trial in zip(nodes, batch, strict=False)
            if loaded([node], [trial])
        ]
        refused += len(batch) - len(taken)
        seen = play([node for node, _ in taken], [trial for _, trial in taken])
        for (node, trial), parts in zip(taken, seen, strict=True):
            found = divergences(trial, parts, total)
            for _ in range(AGAIN):
                if found:
                    assert loaded([node], [trial])
                    found = divergences(trial, play([node], [trial])[0], total)
            assert not found, f"{trial.seed}\n{trial.text}\n{found[0]}"
    add(total)
    assert refused <= RULESETS / 10
    assert total.packets > RULESETS * PACKETS


# --- equivalent pairs -----------------------------------------------------------------------------


def equivalent_pairs() -> Iterator[tuple[Trial, Trial]]:
    """Rulesets with a small change that is proved to mean the same."""
    seed = time.time_ns() if NIGHTLY else 0
    while True:
        seed += 1
        random = Random(seed)  # noqa: S311
        before = draw(random, BY_CONNECTION)
        texts = dump(before), dump(change(random, before))
        if texts[0] == texts[1]:
            continue
        answer = vpccni_nft.verify(*texts, ipset_save=IPSETS, seconds=2, timeout=8)
        if isinstance(answer, Equivalent):
            yield Trial.of(seed, texts[0]), Trial.of(seed, texts[1])


def test_an_equivalent_change_does_the_same_to_a_sequence(
    nodes: list[ReplaySide], add: Callable[[Tally], None]
) -> None:
    total, pairs = Tally(), equivalent_pairs()
    while total.conversations < PAIRS * 2 * PACKETS:
        batch = [next(pairs) for _ in range(NODES // 2)]
        taken = [
            (nodes[2 * number : 2 * number + 2], pair)
            for number, pair in enumerate(batch)
            if loaded(nodes[2 * number : 2 * number + 2], pair)
        ]
        trials = [trial for _, pair in taken for trial in pair]
        seen = play([node for two, _ in taken for node in two], trials)
        for index, (two, pair) in enumerate(taken):
            one, other = seen[2 * index : 2 * index + 2]
            for _ in range(AGAIN):
                if one != other:
                    assert loaded(two, pair)
                    one, other = play(two, pair)
            assert one == other, f"{pair[0].seed}\n{pair[0].text}\n--- and ---\n{pair[1].text}"
            total.conversations += 2 * PACKETS
            total.packets += 2 * sum(len(c.moves) for part in pair[0].parts for c in part)
    add(total)
