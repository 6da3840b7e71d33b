"""No pair that something on a whole path tells apart is proved equivalent, either way round."""

from __future__ import annotations

import pytest

import vpccni_nft
from vpccni_nft import Different, Equivalent, Unknown

from ..support.paths import EQUAL, UNEQUAL, PathPair


def verify(before: str, after: str, pair: PathPair, *, per_hook: bool = False) -> object:
    internal = 0 if per_hook else pair.internal_mark
    return vpccni_nft.verify(before, after, seconds=10, per_hook=per_hook, internal_mark=internal)


@pytest.mark.parametrize("pair", UNEQUAL, ids=str)
def test_what_differs_on_a_path_is_not_proved(pair: PathPair) -> None:
    for before, after in ((pair.before, pair.after), (pair.after, pair.before)):
        assert isinstance(verify(before, after, pair), Different | Unknown)


@pytest.mark.parametrize("pair", EQUAL, ids=str)
def test_what_another_hook_of_the_path_makes_up_for_is_equal(pair: PathPair) -> None:
    for before, after in ((pair.before, pair.after), (pair.after, pair.before)):
        answer = verify(before, after, pair)
        assert isinstance(answer, Equivalent), answer
        assert answer.unequal
        assert isinstance(verify(before, after, pair, per_hook=True), Different | Unknown)
