"""No pair that something on a whole path tells apart is proved equivalent, either way round."""

from __future__ import annotations

import pytest

from vpccni_nft.core.span import Source
from vpccni_nft.proof.answers import Answer, Different, Equivalent, Unknown
from vpccni_nft.proof.side import Side
from vpccni_nft.proof.verify import ProofSettings, verify

from ..support.paths import EQUAL, UNEQUAL, PathPair


def answer_of(pair: PathPair, *, swapped: bool = False, paths: bool = True) -> Answer:
    texts = (pair.after, pair.before) if swapped else (pair.before, pair.after)
    before, after = (Side.of((Source.of(text, "side"),)) for text in texts)
    settings = ProofSettings(seconds=10, first=True, paths=paths, internal=pair.internal_mark)
    return verify(before, after, settings)


@pytest.mark.parametrize("number", range(len(UNEQUAL)), ids=[str(pair) for pair in UNEQUAL])
def test_what_differs_on_a_path_is_not_proved(number: int) -> None:
    # Half of them the other way round: nothing in a proof prefers a side.
    answer = answer_of(UNEQUAL[number], swapped=bool(number % 2))
    assert isinstance(answer, Different | Unknown)


@pytest.mark.parametrize("pair", EQUAL, ids=str)
def test_what_another_hook_of_the_path_makes_up_for_is_equal(pair: PathPair) -> None:
    answer = answer_of(pair)
    assert isinstance(answer, Equivalent), answer
    assert answer.unequal
    assert isinstance(answer_of(pair, paths=False), Different | Unknown)
