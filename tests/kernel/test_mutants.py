"""Every mistake of ``mutants``, made in the script that the kernel gets, is told apart by packets.

The model says in which ruleset a packet can tell a mistake; there the kernel is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice

import attrs
import pytest

from vpccni_nft import iptables, nft
from vpccni_nft.core.span import Source
from vpccni_nft.extensions.matches.nfacct import Nfacct
from vpccni_nft.nft import statements as s
from vpccni_nft.replay.contents import Contents
from vpccni_nft.replay.side import ReplayError, ReplaySide
from vpccni_nft.replay.testbed import ReplaySettings, Testbed
from vpccni_nft.text.sources import parse_sources

from ..support.limits import alone_with_the_log
from ..support.mutants import REPLAYED, Mutant
from ..support.packets import Tally, contents
from ..support.profiles import SCALE
from ..support.specimens import SPECIMENS, Specimen

#: Rulesets in which a mistake is looked for, and conversations in each of them.
RULESETS = 20
CONVERSATIONS = 500 if SCALE > 1 else 150

pytestmark = pytest.mark.kernel


@attrs.define
class Arenas:
    """An arena for each of the last rulesets, so that most mutants find one that is there."""

    stack: ExitStack = attrs.Factory(ExitStack)
    open: dict[tuple[int, bool], Testbed] = attrs.Factory(dict)

    def of(self, specimen: Specimen, mutated: nft.Ruleset, *, log: bool) -> Testbed:
        before = contents(iptables.save(specimen.before), "dump", specimen.ipset_save)
        after = Contents.of([Source.of(nft.serialize(mutated), "mutated")])
        key = id(specimen), log
        if key in self.open:
            self.open[key].replace(before, after)
        else:
            arena = Testbed(before, after, ReplaySettings(kernel_log=log))
            self.open[key] = self.stack.enter_context(arena)
        return self.open[key]


@pytest.fixture(scope="module")
def arenas() -> Iterator[Arenas]:
    found = Arenas()
    with found.stack:
        yield found


@pytest.mark.parametrize("mutant", REPLAYED, ids=str)
def test_a_mutant_is_distinguished_by_packets(
    mutant: Mutant, arenas: Arenas, add: Callable[[Tally], None]
) -> None:
    tally = Tally()
    for specimen, mutated in islice(_told_apart_by_the_model(mutant), RULESETS):
        with alone_with_the_log() if "log" in mutant.name else ExitStack():
            try:
                arena = arenas.of(specimen, mutated, log="log" in mutant.name)
            except ReplayError:
                continue  # the kernel does not take it, which tells nothing of packets
            found = _tells_apart(arena)
            tally.packets += arena.duel.tally.packets
            tally.conversations += arena.duel.tally.conversations
        if found:
            add(tally)
            return
    pytest.fail("the mutant survives: no packet tells it apart")


def _told_apart_by_the_model(mutant: Mutant) -> Iterator[tuple[Specimen, nft.Ruleset]]:
    for specimen in SPECIMENS:
        mutated = mutant.apply(specimen.after)
        if mutated is not None and specimen.kills(mutated):
            yield specimen, mutated


def _tells_apart(arena: Testbed) -> bool:
    conversations = islice(arena.guide.stream(), CONVERSATIONS)
    if next(arena.duel.fight(conversations), None):
        return True
    if next(arena.duel.frequencies(arena.duel.several[:8]), None):
        return True
    return not arena.duel.several and _counts(arena, arena.sides[0]) != _counts(
        arena, arena.sides[1]
    )


def _counts(arena: Testbed, side: ReplaySide) -> Counter[str]:
    """How many packets the rules of each table have counted."""
    found: Counter[str] = Counter()
    if side is arena.sides[0]:
        for family in {table.family for table in arena.before.rules.tables}:
            program = "iptables" if family.value == "ip" else "ip6tables"
            text = side.run(f"{program}-legacy-save", "-c")
            for table in parse_sources([Source.of(text)])[0].tables:
                rules = [rule for chain in table.chains for rule in chain.rules]
                key = f"{family.value} vpccni-{table.name}"
                found[key] += sum(rule.counters.packets for rule in rules if rule.counters)
                found[f"{key} by name"] += sum(
                    rule.counters.packets
                    for rule in rules
                    if rule.counters and any(isinstance(one, Nfacct) for one in rule.matches)
                )
        return found
    for line in side.run("nft", "list", "tables").splitlines():
        _, family_name, name = line.split()
        if name.startswith("vpccni-") and name != "vpccni-replay":
            script = nft.parse(side.run("nft", "list", "table", family_name, name))
            named = sum(counter.packets for counter in script.tables[0].counters)
            found[f"{family_name} {name} by name"] += named
            for chain in script.tables[0].chains:
                for rule in chain.rules:
                    found[f"{family_name} {name}"] += sum(
                        step.packets for step in rule.statements if isinstance(step, s.Counter)
                    )
    return found
