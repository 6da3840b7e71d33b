"""kube-proxy's tables of all its nftables generations: each is read, and has a meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from vpccni_nft import nft

from ..support.corpus import FOLDER
from ..support.terms import has_meaning

LISTED = sorted([*(FOLDER / "modes").glob("*.list"), *(FOLDER / "modes").glob("*.nft")])


@pytest.mark.parametrize("path", LISTED, ids=lambda one: one.name)
def test_a_table_is_read_with_its_meaning(path: Path) -> None:
    ruleset = nft.parse(path.read_text())
    assert nft.parse(nft.serialize(ruleset)) == ruleset
    assert has_meaning(ruleset)
