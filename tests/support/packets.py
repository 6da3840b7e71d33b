"""The three agreements: a dump with its translation, and either with the model of its language."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import attrs

import vpccni_nft
from vpccni_nft import iptables, nft
from vpccni_nft.core.span import Source
from vpccni_nft.core.values import Family
from vpccni_nft.replay.contents import Contents
from vpccni_nft.replay.conversation import Conversation, Seen
from vpccni_nft.replay.differential import BATCH, Mismatch
from vpccni_nft.replay.guide import Guide
from vpccni_nft.replay.side import ReplaySide
from vpccni_nft.replay.testbed import Testbed
from vpccni_nft.replay.wire import DCCP
from vpccni_nft.simulate.pool import Pool
from vpccni_nft.simulate.sample import chains_of, run
from vpccni_nft.text.iptables_save import rule_line

from .divergences import Checker, Divergence


def contents(text: str, name: str = "text", ipset_save: str | None = None) -> Contents:
    sets = None if ipset_save is None else Source.of(ipset_save, "ipsets")
    return Contents.of([Source.of(text, name)], ipset_save=sets)


@attrs.define
class Tally:
    """What a test has tried; the summary of the run adds these up."""

    conversations: int = 0
    packets: int = 0
    repeated: int = 0
    hooks: int = 0  #: packets at hooks that models were held against, of both languages
    unseen: int = 0  #: those of which something that a rule asks for is not seen
    hit: int = 0  #: rules
    reachable: int = 0

    def add(self, other: Tally) -> None:
        for field in attrs.fields(Tally):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


def check_translation(arena: Testbed, packets: int) -> Tally:
    """Agreement (a): the kernel does the same with the dump and with the script."""
    found = list(arena.duel.fight(arena.conversations(packets)))
    assert not found, "\n\n".join(map(described, found[:3]))
    hits, tally = arena.hits(), arena.duel.tally
    return Tally(
        tally.conversations,
        tally.packets,
        tally.repeated,
        hit=len(hits.hit),
        reachable=len(hits.hit) + len(hits.missed),
    )


def check_models(
    arena: Testbed, script: iptables.Ruleset | nft.Ruleset, conversations: int, tally: Tally
) -> None:
    """Agreements (b) and (c): either kernel does what the model of its language says.

    ``script`` is what the second side has: a translation, or the dump once more.
    """
    if not arena.settings.begin:
        arena.probe(begin=True)
    # The same conversations each time, whatever the ones before have hit.
    guide = Guide.of(arena.node, arena.rulesets, arena.after.scripts, arena.settings.seed)
    for side, ruleset in zip(arena.sides, (arena.before.rules, script), strict=True):
        assert isinstance(ruleset, iptables.Ruleset | nft.Ruleset)
        checker = Checker(arena.node, {family: chains_of(ruleset, family) for family in Family})
        stream = guide.stream()
        for _ in range(max(1, conversations // BATCH)):
            # Of a host that talks to itself, one cannot tell which way a packet goes. The DCCP that
            # is sent here is requests only, of which conntrack makes connections of its own kind.
            others = (one for one in stream if one.source != one.target and one.protocol != DCCP)
            batch = list(islice(others, min(BATCH, conversations)))
            found = list(divergences(side, checker, batch))
            assert not found, "\n\n".join(map(str, found[:3]))
        tally.hooks += checker.hooks
        tally.unseen += checker.skipped
    if not arena.settings.begin:
        arena.probe(begin=False)


def divergences(side: ReplaySide, checker: Checker, batch: list[Conversation]) -> Iterator[str]:
    """What diverges, and does so too when it is tried alone."""
    for conversation, seen in zip(batch, _hold(side, batch), strict=True):
        if list(checker.check(conversation, seen)):
            (alone,) = _hold(side, [conversation])
            for divergence in checker.check(conversation, alone):
                yield _divergence(divergence, alone)


def _hold(side: ReplaySide, conversations: list[Conversation]) -> list[Seen]:
    side.begin(conversations, connections=False)
    seen, _ = side.end()
    return seen


def _divergence(divergence: Divergence, seen: Seen) -> str:
    return "\n".join(
        [
            f"{divergence.conversation}",
            f"move {divergence.move}, from {divergence.begin}",
            divergence.what,
            *(f"    {event}" for event in seen[divergence.move]),
        ]
    )


def described(mismatch: Mismatch) -> str:
    lines = [f"{mismatch.kind}: {mismatch.conversation}"]
    for name, outcomes in (("before", mismatch.before), ("after", mismatch.after)):
        for seen, count in outcomes.most_common(3):
            lines.append(f"{name}, {count} times:")
            lines += [
                f"    {move}: {event}" for move, events in enumerate(seen) for event in events
            ]
    lines += [f"connections {side}" for side in mismatch.connections]
    return "\n".join(lines)


#: Packets of the model for each way to a rule that none of the kernel has hit.
SHOTS = 20


def missed_but_in_the_model(arena: Testbed) -> list[str]:
    """The rules that no packet has hit in the kernel, though one aimed at them can in the model."""
    missed = arena.hits().missed
    wanted, fitted = {id(rule) for _, rule in missed}, set[int]()

    def watch(rule: object, _live: object, fits: object) -> None:
        if fits:
            fitted.add(id(rule))

    ruleset = arena.before.rules
    for family in {table.family for table in ruleset.tables}:
        chains, pool = chains_of(ruleset, family), Pool.of(ruleset, family)
        for number, aim in enumerate(pool.aims, start=1):
            for seed in range(SHOTS):
                if id(aim.rule) not in wanted - fitted:
                    break
                run(chains, pool.packet(number, seed), watch)
    return [rule_line(chain, rule) for chain, rule in missed if id(rule) in fitted]


def translate(dump: str, allow: tuple[str, ...], ipset_save: str | None = None) -> str:
    return vpccni_nft.translate(dump, allow=allow, ipset_save=ipset_save).script()
