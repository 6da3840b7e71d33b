"""What is written is read back: scripts of nodes, of vectors, and of any objects at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpccni_nft import nft
from vpccni_nft.core.values import Family
from vpccni_nft.text.nft_script import rule_text

from ..support.corpus import NODES, name_of
from ..support.nft_objects import rules, rulesets
from ..support.nft_texts import translated
from ..support.vectors import VECTORS, Vector


@pytest.mark.parametrize("path", NODES, ids=name_of)
def test_the_script_of_a_node_is_read_back(path: Path) -> None:
    ruleset = translated(path)
    assert nft.parse(nft.serialize(ruleset, header="a header; with { signs")) == ruleset


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_what_a_vector_gives_is_read_back(vector: Vector) -> None:
    translation = vector.translate()
    if not translation.refused:
        assert nft.parse(translation.script()) == translation.ruleset


@given(rulesets())
def test_any_ruleset_is_read_back(ruleset: nft.Ruleset) -> None:
    assert nft.parse(nft.serialize(ruleset)) == ruleset


@given(rulesets())
def test_any_ruleset_has_a_form_in_json(ruleset: nft.Ruleset) -> None:
    assert json.loads(json.dumps(nft.as_json(ruleset)))


@given(st.sampled_from(Family).flatmap(rules))
def test_a_rule_is_one_line(rule: nft.Rule) -> None:
    assert len(rule_text(rule).splitlines()) == 1
