"""What the kernel lists after loading a translation still means what the dump did."""

from __future__ import annotations

from pathlib import Path

import pytest

import vpccni_nft
from vpccni_nft import nft

from ..support.agreement import Sides
from ..support.corpus import NODES, allowances, name_of
from ..support.namespaces import Namespace

PACKETS = 60


@pytest.mark.kernel
@pytest.mark.parametrize("path", NODES, ids=name_of)
def test_the_listing_of_a_node_means_what_its_dump_does(path: Path, namespace: Namespace) -> None:
    dump = path.read_text()
    namespace.load(vpccni_nft.translate(dump, allow=allowances(dump)).script())
    listing = namespace.list_ruleset()
    Sides(vpccni_nft.parse(dump), listing, nft.parse(listing)).check(PACKETS)


@pytest.mark.kernel
def test_a_listing_that_means_something_else_is_distinguished(namespace: Namespace) -> None:
    dump = (Path(__file__).parent / "vpccni/v1.23-legacy-default.save").read_text()
    namespace.load(vpccni_nft.translate(dump).script())
    listing = namespace.list_ruleset()
    changed = listing.replace("ct mark | 0x00000080", "ct mark | 0x00000040")
    assert changed != listing
    sides = Sides(vpccni_nft.parse(dump), changed, nft.parse(changed))
    with pytest.raises(AssertionError, match="ct_mark"):
        sides.check(PACKETS)
