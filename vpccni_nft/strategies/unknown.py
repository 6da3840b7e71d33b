"""Matches and targets that are not known."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..iptables import UnknownMatch, UnknownTarget
from .values import words

_names = st.one_of(
    st.sampled_from(("--foo", "--tos", "--set-mark")), words(9).map(lambda word: f"--{word}")
)
_arguments = st.lists(words(12).filter(lambda word: word[0] not in "-!"), max_size=2)
_foreign = st.builds(
    lambda option, arguments: (*option, *arguments),
    st.one_of(_names.map(lambda name: (name,)), _names.map(lambda name: ("!", name))),
    _arguments,
)


def _unknown(names: SearchStrategy[str], *, smallest: int) -> SearchStrategy[dict[str, Any]]:
    """Names and words as an unknown node keeps them."""
    several = st.lists(_foreign, min_size=smallest, max_size=3)
    together = several.map(lambda parts: tuple(word for part in parts for word in part))
    return st.fixed_dictionaries({"name": names, "words": together})


unknown_matches = _unknown(st.sampled_from(("geoip", "layer7", "set2")), smallest=0).map(
    lambda fields: UnknownMatch(**fields)
)
unknown_targets = _unknown(st.sampled_from(("CHAOS", "TARPIT", "MARKER")), smallest=1).map(
    lambda fields: UnknownTarget(**fields)
)
