"""Every mistake of ``mutants`` is told apart by packets, so that the agreement means something."""

from __future__ import annotations

import pytest

from ..support.mutants import MUTANTS, PROVED, REPLAYED, Mutant, applicable
from ..support.profiles import NIGHTLY
from ..support.specimens import NODES, PACKETS, SPECIMENS, Specimen


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_mutant_is_distinguished(mutant: Mutant) -> None:
    applies = False
    for specimen in SPECIMENS:
        mutated = mutant.apply(specimen.after)
        if mutated is not None:
            applies = True
            if specimen.kills(mutated):
                return
    assert applies, "the mutant applies to no ruleset"
    pytest.fail("the mutant survives: no packet tells it apart")


def test_many_mutants_go_through_the_proof_and_the_kernel_too() -> None:
    assert len(PROVED) >= (len(MUTANTS) if NIGHTLY else len(MUTANTS) // 4)
    assert len(REPLAYED) >= len(MUTANTS) // 8


@pytest.mark.parametrize("specimen", SPECIMENS, ids=str)
def test_without_a_mistake_no_packet_shows_a_difference(specimen: Specimen) -> None:
    assert not specimen.tells_apart(specimen.after, PACKETS if NIGHTLY else PACKETS // 32)


def test_there_are_mutants_enough() -> None:
    on_nodes = {
        mutant.name
        for specimen in SPECIMENS[: len(NODES)]
        for mutant, _ in applicable(specimen.after)
    }
    assert len(MUTANTS) >= 30
    assert len(on_nodes) >= 30
