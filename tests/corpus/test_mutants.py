"""Every mistake of ``mutants`` is told apart by packets, so that the agreement means something."""

from __future__ import annotations

import pytest

from ..support.mutants import MUTANTS, Mutant, applicable
from ..support.specimens import NODES, specimens


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_mutant_is_told_apart(mutant: Mutant) -> None:
    applies = False
    for specimen in specimens():
        mutated = mutant.apply(specimen.after)
        if mutated is not None:
            applies = True
            if specimen.tells_apart(mutated):
                return
    assert applies, "the mutant applies to no ruleset"
    pytest.fail("the mutant survives: no packet tells it apart")


def test_without_a_mistake_no_packet_tells_the_two_sides_apart() -> None:
    for specimen in specimens():
        assert not specimen.tells_apart(specimen.after)


def test_there_are_mutants_enough() -> None:
    on_nodes = {
        mutant.name
        for specimen in specimens()[: len(NODES)]
        for mutant, _ in applicable(specimen.after)
    }
    print(f"{len(MUTANTS)} mutants, {len(on_nodes)} of them in nodes")  # noqa: T201
    assert len(MUTANTS) >= 30
    assert len(on_nodes) >= 30
