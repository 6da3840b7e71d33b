"""Whole paths in the kernel: what the interpreter says of them, and what is proved equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from vpccni_nft import nft
from vpccni_nft.replay.conversation import Conversation, Seen
from vpccni_nft.replay.testbed import ReplaySettings, Testbed
from vpccni_nft.replay.topology import Topology

from ..support.drawn_nft import NftBed
from ..support.packets import Tally, contents
from ..support.path_divergences import PathChecker
from ..support.paths import EQUAL, PathPair, drawn
from ..support.profiles import SCALE

pytestmark = pytest.mark.kernel

RULESETS = 25 * SCALE
CONVERSATIONS = 30


def _is_plain(one: Conversation) -> bool:
    """Neither a broadcast, which comes back with its connection, nor one whose time is over.

    How the kernel answers the latter no model follows.
    """
    ends = one.source, one.target
    return one.ttl > 1 and not any(end == 0xFFFFFFFF or end >> 28 == 0xE for end in ends)


def test_a_path_is_what_its_model_says(add: Callable[[Tally], None]) -> None:
    total = Tally()
    with NftBed() as bed:
        for seed in range(RULESETS):
            script = drawn(seed)
            bed.load(script)
            ruleset = nft.parse(script)
            plain = filter(_is_plain, bed.conversations(ruleset, seed))
            tally, found = bed.hold(ruleset, islice(plain, CONVERSATIONS), PathChecker)
            assert not found, "\n\n".join((script, *found[:3]))
            total.add(tally)
    add(total)
    assert total.hooks > RULESETS * CONVERSATIONS
    assert total.unseen < total.hooks / 10


def left(seen: Seen) -> Iterator[object]:
    """What can be seen of each packet when it has gone its way: where it leaves or is delivered.

    How the kernel itself answers what has no route, or no time to live, is not compared. Neither is
    what conntrack has noted of packets that one side drops ahead of it.
    """
    for events in seen:
        for event in events:
            answers = event.headers and event.headers.quoted
            if event.kind == "hook" and event.place in {"input", "postrouting"} and not answers:
                yield event._replace(ct_mark=0, state="")


@pytest.mark.parametrize("pair", EQUAL, ids=str)
def test_what_is_equal_as_a_path_leaves_the_node_the_same(pair: PathPair) -> None:
    sides = contents(pair.before), contents(pair.after)
    with Testbed(*sides, ReplaySettings(), Topology.of(())) as arena:
        stream = (one for one in arena.guide.stream() if _is_plain(one))
        batch = list(islice(stream, CONVERSATIONS))
        ends = []
        for side in arena.sides:
            side.begin(batch, connections=False)
            seen, _ = side.end()
            ends.append([list(left(one)) for one in seen])
    assert any(map(len, ends[0]))
    assert ends[0] == ends[1]
