"""kube-proxy's two modes for the same Services: equal but for what is known, and no mistake hides.

Each proof takes seconds: what runs each time is a share of them, the nightly run has all.
"""

from __future__ import annotations

import re

import pytest

from benchmarks import kube_proxy
from benchmarks.modes import ORDER
from vpccni_nft.core.span import Source
from vpccni_nft.node.catalogues import acceptances
from vpccni_nft.proof.acceptance import Occurs
from vpccni_nft.proof.answers import Answer, Different, Equivalent
from vpccni_nft.proof.order import EVERY_ORDER, ChainOrder
from vpccni_nft.proof.side import Side
from vpccni_nft.proof.verify import ProofSettings, verify

from ..support.corpus import FOLDER
from ..support.mode_mutants import EQUAL, MUTANTS, NODE_MUTANTS, ModeMutant, sides_of
from ..support.profiles import NIGHTLY

#: Of so many mutants one is tried each time.
SHARE = 1 if NIGHTLY else 16


def answer(
    before: str, *after: str, catalogue: str = "kube-proxy-modes", order: str = ""
) -> Answer:
    """What a proof says under a catalogue; one packet on each path is enough."""
    one, other = (Side.of([Source.of(text) for text in side]) for side in ((before,), after))
    accept = acceptances([catalogue], one, other)
    turns = ChainOrder.of(order) if order else EVERY_ORDER
    return verify(one, other, ProofSettings(accept=accept, paths=True, first=True, order=turns))


def node(generation: str) -> tuple[str, str, str]:
    """A node with the CNI's rules, and four Services of which one has a port of the node."""
    every = kube_proxy.services(4)
    return kube_proxy.iptables_mode(every), *kube_proxy.nftables_mode(every, generation)


@pytest.mark.parametrize(("scenario", "generation"), EQUAL if NIGHTLY else EQUAL[:1], ids=str)
def test_the_modes_are_equal_but_for_what_is_known(scenario: str, generation: str) -> None:
    found = answer(*sides_of(scenario, generation))
    assert isinstance(found, Equivalent), found
    occurring = {one.acceptance.code for one in found.accepted if one.occurs is Occurs.YES}
    assert {"K001", "K002", "K003", "K004"} <= occurring


@pytest.mark.parametrize("mutant", MUTANTS[::SHARE], ids=str)
def test_a_mistake_is_found_beside_what_is_accepted(mutant: ModeMutant) -> None:
    assert isinstance(answer(*mutant.sides), Different)


@pytest.mark.skipif(not NIGHTLY, reason="half a minute each")
@pytest.mark.parametrize("generation", kube_proxy.GENERATIONS)
def test_the_modes_are_equal_on_a_whole_node(generation: str) -> None:
    found = answer(*node(generation), order=ORDER)
    assert isinstance(found, Equivalent), found
    occurring = {one.acceptance.code for one in found.accepted if one.occurs is Occurs.YES}
    assert {"K001", "K002", "K003", "K004", "K005", "K006"} <= occurring


@pytest.mark.skipif(not NIGHTLY, reason="ten seconds each")
@pytest.mark.parametrize("name", NODE_MUTANTS)
def test_a_mistake_is_found_on_a_whole_node(name: str) -> None:
    generation, pattern, wrong = NODE_MUTANTS[name]
    before, rest, after = node(generation)
    mutated, count = re.subn(pattern, wrong, after, flags=re.MULTILINE)
    assert count
    assert isinstance(answer(before, rest, mutated, order=ORDER), Different)


def test_there_are_mutants_enough() -> None:
    assert len(MUTANTS) >= 30
    assert len(set(map(str, MUTANTS))) == len(MUTANTS)
    for mutant in MUTANTS:
        assert mutant.sides[1] != sides_of(mutant.scenario, mutant.generation)[1]


def cni(old: str = "", new: str = "") -> Answer:
    """The CNI's rules with its own table, which may have a mistake, against iptables alone."""
    dumps = (FOLDER / f"vpccni/v1.23-{kind}-default.save" for kind in ("legacy", "nft"))
    legacy, rest = (path.read_text() for path in dumps)
    listed = (FOLDER / "native/v1.23-nft-default.nft").read_text()
    table = listed[listed.index("table ip aws-cni") :]
    assert old in table
    return answer(legacy, rest, table.replace(old, new), catalogue="vpc-cni-native")


def test_the_table_of_the_cni_is_equal_but_for_what_is_known() -> None:
    found = cni()
    assert isinstance(found, Equivalent), found
    assert {one.acceptance.code: one.occurs for one in found.accepted} == {
        "K101": Occurs.YES, "K102": Occurs.YES,
    }  # fmt: skip
    assert any("behind it is not compared" in sentence for sentence in found.assumptions)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ct mark | 0x00000080", "ct mark | 0x00000040"),
        ("ct mark & 0x00000080", "ct mark & 0x00000040"),
        ("ip daddr 10.0.0.0/16 return", "ip daddr 10.0.0.0/17 return"),
        ('iifname "eni*"', 'iifname "eth*"'),
        ("fib daddr type local return", "fib daddr type local drop"),
        ("fib daddr type local return", "fib daddr type unicast return"),
    ],
)
def test_a_mistake_in_the_table_of_the_cni_is_found(old: str, new: str) -> None:
    assert isinstance(cni(old, new), Different)
