"""The record of each match and target, by name: where it stands, how it is drawn and aimed at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import attrs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vpccni_nft import iptables, strategies
from vpccni_nft.core.diagnostics import BAD_PLACE
from vpccni_nft.core.values import Family, Negatable
from vpccni_nft.extensions import MATCHES, TARGETS, extension_of
from vpccni_nft.extensions.extension import Extension
from vpccni_nft.extensions.kinds import ValueKind
from vpccni_nft.extensions.placement import Place, Placement
from vpccni_nft.lowering.options import TranslateOptions
from vpccni_nft.lowering.ruleset import lower
from vpccni_nft.model.algebra import Bool
from vpccni_nft.model.concrete import Concrete
from vpccni_nft.model.effects import View
from vpccni_nft.model.hook import run_hook
from vpccni_nft.model.oracle import Oracle, Position
from vpccni_nft.model.packet import FIELDS, STATE_BITS, NoMeaning, State
from vpccni_nft.proof.context import ProofContext
from vpccni_nft.proof.symbolic import Solver, Undecided
from vpccni_nft.proof.terms import Terms
from vpccni_nft.simulate.aim import aims_of
from vpccni_nft.simulate.pool import Pool
from vpccni_nft.simulate.sample import Packet, chains_of, run

from ..support.profiles import FEW

RECORDS = (*MATCHES.values(), *TARGETS.values())
#: Those that become nft at all; ``test_vectors`` holds the others against their vectors.
TRANSLATABLE = tuple(record for record in RECORDS if not record.nft.startswith("none: "))


def name_of(record: Extension[Any]) -> str:
    """Of the room: ``mark`` the match and ``MARK`` the target."""
    return record.name


#: Of the packets aimed at a rule, so many fit it.
FLOOR = 0.9

#: Packets for each rule that is drawn, and seconds for the proof that none fits it.
SHOTS, SECONDS = 4, 10


@attrs.frozen
class RuleInPlace:
    """A rule alone in its table."""

    place: Place
    rule: iptables.Rule
    ruleset: iptables.Ruleset

    @property
    def hook(self) -> str:
        (chain,) = self.place.hooks
        return chain.lower()


def alone(place: Place, node: Any, protocol: int | None) -> RuleInPlace:
    """A rule with one node, behind a protocol."""
    rule = iptables.Rule(
        protocol=None if protocol is None else Negatable(protocol),
        matches=(node,) if isinstance(node, iptables.Match) else (),
        target=node if isinstance(node, iptables.Target) else None,
    )
    chains = tuple(
        iptables.Chain(
            name,
            iptables.Policy.ACCEPT,
            (rule,) if name in place.hooks else (),
            iptables.Counters(0, 0),
        )
        for name in strategies.BUILT_IN[place.table]
    )
    table = iptables.Table(place.family, place.table, chains)
    return RuleInPlace(place, rule, iptables.Ruleset((table,)))


@st.composite
def rules_with(draw: st.DrawFn, record: Extension[Any]) -> RuleInPlace:
    """Rules with a node of an extension, where the kernel takes it."""
    place = draw(st.sampled_from(strategies.places_of(record.node)))

    def protocols(node: Any) -> tuple[int | None, ...]:
        return record.protocols(node, place.family) or (None,)

    # No filter: each would be a strategy of its own, which hypothesis looks through first.
    node = draw(strategies.nodes_of_room(record.node, place.family))
    assume(not record.misplaced(node, place, protocols(node)[0]))
    return alone(place, node, draw(st.sampled_from(protocols(node))))


@pytest.mark.parametrize("record", RECORDS, ids=name_of)
def test_a_record_says_where_it_stands_and_how_it_is_drawn(record: Extension[Any]) -> None:
    assert isinstance(record.placement, Placement)
    assert isinstance(record.draw, ValueKind)
    assert callable(record.meaning)
    assert strategies.places_of(record.node)

    @given(st.sampled_from(Family).flatmap(lambda one: strategies.nodes_of_room(record.node, one)))
    @FEW
    def draws_its_own_nodes(node: object) -> None:
        assert type(node) is record.node

    draws_its_own_nodes()


@pytest.mark.parametrize("record", MATCHES.values(), ids=name_of)
def test_a_match_says_which_packets_fit_it(record: Extension[Any]) -> None:
    assert callable(record.aim)


@pytest.mark.parametrize("record", TRANSLATABLE, ids=name_of)
def test_packets_aimed_at_a_rule_hit_it(record: Extension[Any]) -> None:
    hits, shots = 0, 0

    @given(rules_with(record), st.integers(0, 2**32 - 1))
    @settings(FEW, max_examples=25, derandomize=True)  # few: a share of others might fall below
    def aim(one: RuleInPlace, seed: int) -> None:
        nonlocal hits, shots
        fitting = sum(fits(one, seed + number) for number in range(SHOTS))
        if fitting == SHOTS or can_fit(one):
            hits, shots = hits + fitting, shots + SHOTS

    aim()
    assert shots
    assert hits >= FLOOR * shots, f"{hits} of {shots}"


def fits(one: RuleInPlace, seed: int) -> bool:
    """Whether a packet that is aimed at a rule fits it."""
    packet = Pool.of(one.ruleset, one.place.family).packet(1, seed, edges=False)
    found = []
    chains = chains_of(one.ruleset, one.place.family)
    with suppress(NoMeaning):  # of a target's effect, which comes later
        run(chains, packet, lambda _rule, _reached, fitting: found.append(fitting))
    return found == [True]


def can_fit(one: RuleInPlace) -> bool:
    """Whether any packet fits a rule; a rule such as ``--mark 1/0`` takes none."""
    terms, family = Terms(), one.place.family
    setting = ProofContext(terms, family, one.hook, fragments=True, counters=False)
    found: list[Any] = []
    with suppress(NoMeaning):
        run_hook(
            terms,
            family,
            one.hook,
            chains_of(one.ruleset, family),
            setting.fields,
            lambda _rule, _reached, fitting: found.append(fitting),
        )
    with suppress(Undecided):
        return bool(found) and Solver(SECONDS).find(found[0], setting.invariants) is not None
    return True


@pytest.mark.parametrize("record", MATCHES.values(), ids=name_of)
def test_the_edges_of_a_match_are_of_fields_or_oracles(record: Extension[Any]) -> None:
    @given(rules_with(record))
    @FEW
    def look(one: RuleInPlace) -> None:
        (aim,) = aims_of(one.ruleset, one.place.family)
        for key, values in aim.path[-1].edges:
            assert key in FIELDS or isinstance(key, Oracle)
            assert all(value >= 0 for value in values)

    look()


def misplacements(record: Extension[Any], node: Any) -> Iterator[RuleInPlace]:
    """A node in every built-in chain where the kernel does not take it."""
    for family in Family:
        for table, chains in strategies.BUILT_IN.items():
            for chain in chains:
                place = Place(family, table, frozenset({chain}))
                protocol = (record.protocols(node, family) or (None,))[0]
                if record.misplaced(node, place, protocol):
                    yield alone(place, node, protocol)


@pytest.mark.parametrize("record", RECORDS, ids=name_of)
def test_a_rule_out_of_place_is_refused(record: Extension[Any]) -> None:
    @given(rules_with(record))
    @settings(FEW, max_examples=3)
    def misplace(one: RuleInPlace) -> None:
        node = (*one.rule.matches, one.rule.target)[0]
        for other in misplacements(record, node):
            _, diagnostics = lower(other.ruleset, TranslateOptions())
            assert BAD_PLACE in {one.code for one in diagnostics if one.refuses}

    misplace()


class WithoutEntry(State):
    """A packet in a state of connections whose entry a rule does not see, as nft's of templates."""

    @property
    def has_entry(self) -> Bool:
        return self.algebra.false


IN_RAW = tuple(
    record
    for record in RECORDS
    if any(place.table == "raw" for place in strategies.places_of(record.node))
)


@pytest.mark.parametrize("record", IN_RAW, ids=name_of)
def test_a_record_says_which_nodes_read_the_entry_of_a_connection(record: Extension[Any]) -> None:
    said, shown = set(), set()

    @given(rules_with(record), st.integers(0, 2**32 - 1))
    @FEW
    def look(one: RuleInPlace, seed: int) -> None:
        node = (*one.rule.matches, one.rule.target)[0]
        pool = Pool.of(one.ruleset, one.place.family)
        packets = [pool.packet(1, seed + number, edges=False) for number in range(SHOTS)]
        if record.reads_entry(node):
            said.add(node)
        if any(
            answer(State, node, packet) != answer(WithoutEntry, node, packet) for packet in packets
        ):
            shown.add(node)

    look()
    assert shown <= said
    assert bool(shown) is bool(said)


def answer(kind: type[State], node: Any, packet: Packet) -> object:
    """What the kernel does for a node where the packet has a template."""
    fields = {**packet.fields, "ct_state": STATE_BITS["new"], "ct_template": 1}
    algebra = Concrete(packet.seed, packet.answers)
    state = kind.start(algebra, packet.family, "prerouting", fields)
    with suppress(NoMeaning):
        return extension_of(node).meaning(node, View(state, Position("raw", "PREROUTING", 0), True))
    return None
