"""No pair that one operator makes unequal is proved equivalent, whichever side comes first."""

from __future__ import annotations

from collections import Counter

import pytest

import vpccni_nft
from vpccni_nft import Different, Equivalent, Unknown

from .pairs import IPTABLES, NFT, PAIRS, Pair


def verify(pair: Pair, *, swapped: bool = False) -> object:
    sides = (pair.after, pair.before) if swapped else (pair.before, pair.after)
    return vpccni_nft.verify(*sides, seconds=10)


def test_there_are_operators_for_both_languages() -> None:
    assert len({pair.operator for pair in PAIRS}) == len(PAIRS)
    assert min(len(NFT), len(IPTABLES)) >= 40


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_what_an_operator_makes_unequal_is_not_proved(pair: Pair) -> None:
    assert pair.before != pair.after
    for swapped in (False, True):
        answer = verify(pair, swapped=swapped)
        assert isinstance(answer, Different | Unknown), f"{pair.before}\n---\n{pair.after}"


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_either_side_is_proved_against_itself_or_the_reason_is_given(pair: Pair) -> None:
    """A ruleset that is never equivalent to anything would pass every test above."""
    for text in (pair.before, pair.after):
        answer = vpccni_nft.verify(text, text, seconds=10)
        assert isinstance(answer, Equivalent | Unknown), text


def test_most_rulesets_here_are_proved_against_themselves() -> None:
    answers = Counter(
        type(vpccni_nft.verify(pair.before, pair.before, seconds=10)).__name__ for pair in PAIRS
    )
    assert answers["Equivalent"] >= 0.6 * len(PAIRS), answers
