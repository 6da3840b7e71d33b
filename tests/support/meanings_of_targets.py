"""Packets that go through rules of several tables, and what becomes of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import attrs

import vpccni_nft
from vpccni_nft.core.values import Address, Family
from vpccni_nft.model.algebra import Bool
from vpccni_nft.model.concrete import Concrete
from vpccni_nft.model.hook import BaseChain, Outcome, outcome, run_hook
from vpccni_nft.model.lookup import Indices
from vpccni_nft.model.packet import (
    ADDRESSES,
    FIELDS,
    STATE_BITS,
    Event,
    State,
    interface_word,
)
from vpccni_nft.semantics.iptables import PLACES, base_chains

INVALID, UNTRACKED, NEW = (STATE_BITS[name] for name in ("invalid", "untracked", "new"))
ESTABLISHED = STATE_BITS["established"]


def kinds_of(result: Outcome) -> list[str]:
    return [event.kind for event in result.events]


def ip(text: str) -> int:
    return Address.parse(text).value


def packet(family: Family, **changes: int) -> dict[str, int]:
    """The first packet of a TCP connection from 10.0.0.1:40000 to 10.0.0.2:80."""
    source, destination = (
        ("10.0.0.1", "10.0.0.2") if family is Family.IP else ("fd00::1", "fd00::2")
    )
    fields = dict.fromkeys(FIELDS, 0) | {
        "iif": interface_word("eni1"),
        "oif": interface_word("eth0"),
        "protocol": 6,
        "length": 60,
        "sport": 40000,
        "dport": 80,
        "tcp_flags": 2,
        "ct_state": NEW,
        "ct_protocol": 6,
    }
    for field in ADDRESSES:
        fields[field] = ip(source if field.endswith("saddr") else destination)
    assert fields.keys() >= changes.keys()
    return fields | changes


def chains_of(rules: Iterable[str], family: Family) -> Iterator[BaseChain]:
    """Base chains of rules and policies that are written ``TABLE: -A ...`` or ``TABLE: -P ...``."""
    tables: dict[str, list[str]] = {}
    for rule in rules:
        table, _, words = rule.partition(": ")
        tables.setdefault(table, []).append(words)
    for table, lines in tables.items():
        own = sorted({name for line in lines for name in re.findall(r"-[Ajg] ([a-z]\S*)", line)})
        policies = {chain: "ACCEPT" for place, chain in PLACES if place == table}
        policies |= dict(line.split()[1:] for line in lines if line.startswith("-P "))
        dump = [
            f"*{table}",
            *(f":{chain} {policy} [0:0]" for chain, policy in policies.items()),
            *(f":{chain} - [0:0]" for chain in own),
            *(line for line in lines if line.startswith("-A ")),
            "COMMIT",
            "",
        ]
        (parsed,) = vpccni_nft.parse("\n".join(dump), family=family).tables
        yield from base_chains(parsed)


@attrs.define
class Probe:
    """A chain of one rule that notes what it sees of a packet, or changes it."""

    hook: str
    priority: int
    changes: dict[str, int] = attrs.Factory(dict)
    seen: dict[str, int] = attrs.Factory(dict)

    table = "probe"
    other = ""
    names = {"probe": "probe"}  # noqa: RUF012
    indices = Indices()

    def rules(self, _chain: str) -> tuple[str]:
        return ("probe",)

    def rule(self, _chain: str, _number: int, state: State, live: Bool) -> tuple[Bool, Bool]:
        self.seen.update(state.fields)
        state.fields.update(self.changes)
        return live, False

    @property
    def chain(self) -> BaseChain:
        return BaseChain(self.hook, self.priority, "filter", False, self, "probe")


def send(
    hook: str,
    *rules: str,
    family: Family = Family.IP,
    world: Concrete | None = None,
    probes: Iterable[Probe] = (),
    **changes: int,
) -> Outcome:
    """What becomes of a packet at a hook."""
    chains = [*(probe.chain for probe in probes), *chains_of(rules, family)]
    fields = packet(family, **changes)
    return outcome(run_hook(world or Concrete(), family, hook, chains, fields))


def events(result: Outcome) -> tuple[Event, ...]:
    """What happened besides that rules counted."""
    return tuple(event for event in result.events if event.kind != "count")


def count(result: Outcome) -> int:
    """How many rules fitted."""
    return sum(event.kind == "count" for event in result.events)
