"""kube-proxy's two modes for the same Services: equal but for what is known, and no mistake hides.

Each proof takes seconds: what runs each time is a share of them, the nightly run has all.
"""

from __future__ import annotations

import pytest

from vpccni_nft.core.span import Source
from vpccni_nft.node.catalogues import acceptances
from vpccni_nft.proof.acceptance import Occurs
from vpccni_nft.proof.answers import Answer, Different, Equivalent
from vpccni_nft.proof.side import Side
from vpccni_nft.proof.verify import ProofSettings, verify

from ..support.mode_mutants import EQUAL, MUTANTS, ModeMutant, sides_of
from ..support.profiles import NIGHTLY

#: Of so many mutants one is tried each time.
SHARE = 1 if NIGHTLY else 16


def answer(before: str, after: str) -> Answer:
    """What a proof says under the catalogue; one packet on each path is enough."""
    one, other = (Side.of([Source.of(text)]) for text in (before, after))
    accept = acceptances(["kube-proxy-modes"], one, other)
    settings = ProofSettings(accept=accept, paths=True, first=True)
    return verify(one, other, settings)


@pytest.mark.parametrize(("scenario", "generation"), EQUAL if NIGHTLY else EQUAL[:1], ids=str)
def test_the_modes_are_equal_but_for_what_is_known(scenario: str, generation: str) -> None:
    found = answer(*sides_of(scenario, generation))
    assert isinstance(found, Equivalent), found
    occurring = {one.acceptance.code for one in found.accepted if one.occurs is Occurs.YES}
    assert {"K001", "K002", "K003", "K004"} <= occurring


@pytest.mark.parametrize("mutant", MUTANTS[::SHARE], ids=str)
def test_a_mistake_is_found_beside_what_is_accepted(mutant: ModeMutant) -> None:
    assert isinstance(answer(*mutant.sides), Different)


def test_there_are_mutants_enough() -> None:
    assert len(MUTANTS) >= 30
    assert len(set(map(str, MUTANTS))) == len(MUTANTS)
    for mutant in MUTANTS:
        assert mutant.sides[1] != sides_of(mutant.scenario, mutant.generation)[1]
