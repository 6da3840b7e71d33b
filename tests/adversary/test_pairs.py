"""No pair that one operator makes unequal is proved equivalent, whichever side comes first.

Usually each pair is tried one way round, half of them the other one: a proof prefers no side.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

import pytest

import vpccni_nft
from vpccni_nft import Different, Equivalent, Unknown
from vpccni_nft.lowering.layout import PRIORITIES

from ..support.profiles import NIGHTLY, in_turn, share
from ..support.vectors import FOLDER, Vector, read_vectors
from .iptables_pairs import IPTABLES
from .nft_pairs import NFT
from .pairs import Pair

PAIRS = (*NFT, *IPTABLES)

#: Usually half of those of iptables, of which there are several for each match and target.
TRIED = (*NFT, *share(IPTABLES, 2))


def verify(pair: Pair, *, swapped: bool = False) -> object:
    sides = (pair.after, pair.before) if swapped else (pair.before, pair.after)
    return vpccni_nft.verify(*sides, seconds=10, first=True)


@cache
def verify_itself(text: str) -> object:
    """Kept: many pairs change the same ruleset."""
    return vpccni_nft.verify(text, text, seconds=10)


def test_there_are_operators_for_both_languages() -> None:
    assert len({pair.operator for pair in PAIRS}) == len(PAIRS)
    assert min(len(NFT), len(IPTABLES)) >= 40


@pytest.mark.parametrize("pair", TRIED, ids=str)
def test_what_an_operator_makes_unequal_is_not_proved(pair: Pair) -> None:
    assert pair.before != pair.after
    for swapped in in_turn(pair, (False, True)):
        answer = verify(pair, swapped=swapped)
        assert isinstance(answer, Different | Unknown), f"{pair.before}\n---\n{pair.after}"


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_either_side_is_proved_against_itself_or_the_reason_is_given(pair: Pair) -> None:
    """A ruleset that is never equivalent to anything would pass every test above."""
    for text in (pair.before, pair.after):
        answer = verify_itself(text)
        assert isinstance(answer, Equivalent | Unknown), text


def test_most_rulesets_here_are_proved_against_themselves() -> None:
    answers = Counter(type(verify_itself(pair.before)).__name__ for pair in PAIRS)
    assert answers["Equivalent"] >= 0.6 * len(PAIRS), answers


#: Rules that no packet matches: no list fails to be set, and no length is both above and below 8.
NEVER = ("-m recent ! --set", "--srh-hdr-len-gt 8 --srh-hdr-len-lt 8")


def flipped(vector: Vector) -> str:
    """The vector's dump with the opposite verdict."""
    verdict = "DROP" if " -j ACCEPT" in vector.rule else "ACCEPT"
    return vector.dump.replace(vector.rule, re.sub(r" -j (ACCEPT|DROP)\b", f" -j {verdict}",
                                                   vector.rule))  # fmt: skip


def with_a_verdict() -> list[Vector]:
    """Vectors of each match whose rules some packet reaches and matches: one, or two nightly."""
    found: dict[str, list[Vector]] = {}
    for vector in read_vectors(FOLDER / "matches"):
        first = vector.expected[0]
        never = first.startswith("refused") or "meta length 0" in first
        never = never or any(words in vector.rule for words in NEVER)
        reached = vector.chain in PRIORITIES[vector.table] and vector.table != "nat"
        if reached and not never and re.search(r" -j (ACCEPT|DROP)$", vector.rule):
            found.setdefault(vector.path.stem, []).append(vector)
    return [vector for vectors in found.values() for vector in vectors[: 1 + NIGHTLY]]


@pytest.mark.parametrize("vector", share(with_a_verdict(), 3), ids=str)
def test_the_opposite_verdict_is_not_proved_in_either_language(vector: Vector) -> None:
    script = vector.translate().script()
    for before in in_turn(vector, (vector.dump, script)):
        answer = vpccni_nft.verify(
            before,
            flipped(vector),
            ipset_save=vector.ipset_save,
            allow=vector.allow,
            seconds=10,
            first=True,
        )
        assert isinstance(answer, Different | Unknown), flipped(vector)


def test_nearly_every_match_has_such_a_vector() -> None:
    assert len({vector.path.stem for vector in with_a_verdict()}) >= 45
