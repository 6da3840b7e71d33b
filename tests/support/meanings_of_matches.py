"""A packet at a hook, and rules with a match that it fits or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import vpccni_nft
from vpccni_nft.core.values import Address, Family
from vpccni_nft.model.concrete import Concrete, Question
from vpccni_nft.model.hook import Outcome, outcome, run_hook
from vpccni_nft.model.oracle import Oracle, OracleKind
from vpccni_nft.model.packet import (
    ADDRESS_TYPES,
    DROP,
    FIELDS,
    STATE_BITS,
    STATUS_BITS,
    TCP_FLAGS,
    Event,
    interface_word,
)
from vpccni_nft.semantics import iptables

TCP, UDP, SCTP, ICMP, ICMPV6 = 6, 17, 132, 1, 58
LOCAL, UNICAST, BROADCAST = (ADDRESS_TYPES[name] for name in ("local", "unicast", "broadcast"))


def address(text: str) -> int:
    return Address.parse(text).value


def flags(*names: str) -> int:
    return sum(TCP_FLAGS[name] for name in names)


ETH0, ETH1 = interface_word("eth0"), interface_word("eth1")
SOURCE, DESTINATION = address("10.0.0.1"), address("10.0.0.2")
NEW, RELATED, ESTABLISHED, INVALID, UNTRACKED = (
    STATE_BITS[name] for name in ("new", "related", "established", "invalid", "untracked")
)
SNAT, DNAT = STATUS_BITS["snat"], STATUS_BITS["dnat"]

#: A whole TCP packet of a new connection; what is not here is zero.
PACKET = {
    "iif": ETH0,
    "oif": ETH1,
    "saddr": SOURCE,
    "daddr": DESTINATION,
    "protocol": TCP,
    "length": 60,
    "sport": 40000,
    "dport": 80,
    "ct_state": NEW,
}


def run(
    *rules: str,
    table: str = "filter",
    chain: str = "FORWARD",
    family: Family = Family.IP,
    answers: Mapping[Question, int] | None = None,
    **fields: int,
) -> Outcome:
    """Send a packet through rules; the world is asked nothing but what ``answers`` tells."""
    lines = (f"*{table}", f":{chain} ACCEPT [0:0]", *(f"-A {chain} {rule}" for rule in rules))
    ruleset = vpccni_nft.parse("\n".join((*lines, "COMMIT", "")), family=family)
    chains = iptables.base_chains(ruleset.tables[0])
    world = Concrete(answers=answers or {})
    packet: dict[str, Any] = dict.fromkeys(FIELDS, 0) | PACKET | fields
    state = run_hook(world, family, chain.lower(), chains, packet)
    assert world.asked.keys() <= world.answers.keys()
    return outcome(state)


def fits(match: str, **options: Any) -> bool:
    """Whether a rule with this match drops the packet."""
    return run(f"{match} -j DROP", **options).verdict == DROP


def changes(outcome: Outcome) -> tuple[Event, ...]:
    """What happened besides the counts of rules."""
    return tuple(event for event in outcome.events if event.details)


def fib_type(of: int, answer: int, interface: int = 0, *more: int) -> dict[Question, int]:
    return {(Oracle(OracleKind.FIB_TYPE), (of, interface, *more)): answer}
