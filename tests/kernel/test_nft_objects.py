"""Limits and quotas that rules share by name: what the kernel says, packet by packet.

The interpreter remembers what the packets before have taken, from all rules that name an object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import pytest

from vpccni_nft import nft
from vpccni_nft.core.values import Family
from vpccni_nft.replay.side import ReplaySide
from vpccni_nft.replay.topology import Topology
from vpccni_nft.simulate.sample import chains_of

from ..support.divergences import Checker
from ..support.memory import Memory
from ..support.packets import Tally
from ..support.stateful import sequence

pytestmark = pytest.mark.kernel

#: Packets of a sequence.
PACKETS = 24

OBJECTS = """
	limit slow { rate 3/hour burst 4 packets; }
	limit fast { rate over 2/hour burst 3 packets; }
	quota few { 300 bytes; }
	quota many { over 400 bytes; }
"""

#: The rules of two chains, the second one behind the first.
RULES = (
    ("limit name slow meta mark set 1", "limit name slow meta mark set meta mark | 2"),
    ("limit name slow drop", "limit name fast drop"),
    ("limit name fast limit name slow meta mark set 1", "limit name slow meta mark set 4"),
    ("quota name few meta mark set 1", "quota name few meta mark set meta mark | 2"),
    ("quota name many drop", "quota name many meta mark set 8"),
    ("ip protocol udp quota name few drop", "quota name few limit name slow meta mark set 8"),
    ("ip saddr 198.51.100.7 limit name slow jump two", "jump two"),
)


@pytest.fixture(scope="module")
def node() -> Iterator[ReplaySide]:
    with ReplaySide(Topology.of(())) as one:
        yield one


def script(table: str, rules: tuple[str, str], priority: int) -> str:
    first, second = rules
    return f"""table ip {table} {{{OBJECTS}
	chain two {{
		quota name many return
		limit name slow meta mark set 2
	}}
	chain one {{
		type filter hook forward priority {priority}; policy accept;
		{first}
	}}
	chain behind {{
		type filter hook postrouting priority {priority}; policy accept;
		{second}
	}}
}}
"""


@pytest.mark.parametrize("tables", [("t",), ("t", "u")], ids=len)
@pytest.mark.parametrize("rules", RULES, ids=" / ".join)
def test_rules_that_name_an_object_share_what_it_has_left(
    node: ReplaySide, rules: tuple[str, str], tables: tuple[str, ...], add: Callable[[Tally], None]
) -> None:
    # Objects of equal names in two tables are two.
    text = "".join(script(name, rules, 10 * number) for number, name in enumerate(tables))
    node.unload()
    node.begin([], connections=False)
    node.end()
    # No packet may come through the rules but those of the sequence.
    node.probe({Family.IP: True, Family.IP6: False}, begin=True)
    node.nft(text)
    conversations = sequence(Random(len(text)), PACKETS)  # noqa: S311
    seen = node.ask("play", conversations)
    node.nft("".join(f"delete table ip {name}\n" for name in tables))
    memory = Memory({}, frozenset())
    chains = {Family.IP: chains_of(nft.parse(text), Family.IP)}
    checker = Checker(Topology.of(()), chains, memory)
    for conversation, events in zip(conversations, seen, strict=True):
        found = list(checker.check(conversation, events))
        assert not found, f"{text}\n{found[0].conversation}\n{found[0].begin}\n{found[0].what}"
    assert not memory.is_lost
    assert not checker.skipped
    packets = sum(len(one.moves) for one in conversations)
    add(Tally(PACKETS, packets, 0, checker.hooks, checker.skipped))
