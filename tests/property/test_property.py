"""The promise itself: what happens to a packet at a hook is the same before and after."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpccni_nft import Family, extensions, iptables
from vpccni_nft import strategies as own

from ..support.agreement import Sides, sides_of
from ..support.corpus import NODES, ipsets_of, name_of
from ..support.profiles import ALL, FEW

PER_NODE = 3 * ALL.max_examples
PER_RULESET = 40

ROOMS = [room.node for room in (*extensions.MATCHES.values(), *extensions.TARGETS.values())]

seeds = st.integers(0, 2**16)


@functools.cache
def node(path: Path) -> Sides:
    return sides_of(path.read_text(), ipsets_of(path))


@pytest.mark.parametrize("path", NODES, ids=name_of)
def test_a_node_means_the_same(path: Path) -> None:
    node(path).check(PER_NODE)


def test_the_packets_for_the_nodes_hit_most_of_their_rules() -> None:
    hit = sum(node(path).hit(200) for path in NODES)
    rules = sum(node(path).reachable for path in NODES)
    print(f"200 packets a node hit {hit} of {rules} rules, {hit / rules:.0%}")  # noqa: T201
    assert hit / rules >= 0.75


def check_all(strategy: st.SearchStrategy[iptables.Ruleset], how: settings) -> None:
    """Check rulesets; most of the rules that are drawn must have a translation."""
    translated = refused = whole = 0

    @given(strategy, seeds)
    @how
    def check(ruleset: iptables.Ruleset, seed: int) -> None:
        nonlocal translated, refused, whole
        sides = Sides.of(iptables.save(ruleset))
        refused += sides is None
        hypothesis.assume(sides is not None)
        assert sides is not None
        translated += 1
        whole += not sides.left_out
        sides.check(PER_RULESET, seed)

    check()
    print(f"{translated} rulesets, {whole} of them whole; {refused} refused")  # noqa: T201
    assert translated > refused


def test_a_ruleset_means_the_same() -> None:
    check_all(own.rulesets(most_tables=2), ALL)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_a_rule_of_a_room_means_the_same(room: type[Any]) -> None:
    check_all(own.tables_of_room(room).map(lambda table: iptables.Ruleset((table,))), FEW)


@pytest.mark.parametrize("family", Family)
def test_a_short_cascade_means_the_same(family: Family) -> None:
    cascades = own.cascades(family, own.Order.SHORT)
    check_all(cascades.map(lambda table: iptables.Ruleset((table,))), FEW)


def test_a_long_cascade_means_the_same_where_it_has_a_translation() -> None:
    @given(own.cascades(Family.IP, own.Order.LONG), seeds)
    @FEW
    def check(table: iptables.Table, seed: int) -> None:
        sides = Sides.of(iptables.save(iptables.Ruleset((table,))))
        hypothesis.assume(sides is not None)
        assert sides is not None
        sides.check(PER_RULESET, seed)

    check()
