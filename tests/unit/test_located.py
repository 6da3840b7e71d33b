"""The ruleset that reading a script would give, without reading it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from vpccni_nft import nft, translate
from vpccni_nft.core.diagnostics import APPROXIMATIONS
from vpccni_nft.text.nft_script import rule_text

from ..support.corpus import NODES, ipsets_of
from ..support.profiles import share


def rules_of(ruleset: nft.Ruleset) -> Iterator[nft.Rule]:
    return (rule for table in ruleset.tables for one in table.chains for rule in one.rules)


@pytest.mark.parametrize("node", share(NODES, 4), ids=lambda path: path.stem)
def test_it_is_what_reading_the_script_gives(node: Path) -> None:
    sets = ipsets_of(node)
    found = translate(
        node.read_bytes(),
        allow=tuple(APPROXIMATIONS),
        ipset_save=sets,
    )
    script = nft.parse(found.script(), "it")
    located = found.read_back("it")
    assert located == script
    for mine, read in zip(rules_of(located), rules_of(script), strict=True):
        assert mine.origin
        assert read.origin is None or read.origin.line == mine.origin.line
        assert mine.origin.text.strip() == rule_text(mine)
    rules = [*map(id, rules_of(located))]
    assert len(rules) == len(set(rules))  # a rule is known by its identity
