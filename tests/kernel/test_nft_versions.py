"""Newer versions of nft: they load the script of each dump, and their listings are read as it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

import vpccni_nft
from vpccni_nft import nft

from ..support.agreement import ALIKE
from ..support.corpus import TRANSLATED, allowances, name_of
from ..support.namespaces import Namespace
from ..support.nft_versions import SUITES, nft_of
from ..support.profiles import share

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("path", share(TRANSLATED, 5), ids=name_of)
@pytest.mark.parametrize("suite", SUITES)
def test_the_listing_of_another_version_is_read(suite: str, path: Path) -> None:
    command = nft_of(suite)
    dump = path.read_text()
    sets = path.with_suffix(".ipset")
    script = vpccni_nft.translate(
        dump,
        allow={*ALIKE, *allowances(dump)},
        counters="zero",
        ipset_save=sets.read_text() if sets.exists() else None,
    ).script()
    with Namespace() as namespace, tempfile.NamedTemporaryFile("w") as file:
        file.write(script)
        file.flush()
        namespace.run(*command, "-f", file.name)
        listing = namespace.run(*command, "list", "ruleset")
        with_handles = namespace.run(*command, "-a", "list", "ruleset")
    found = nft.parse(listing)
    assert nft.parse(with_handles) == found
    if found != nft.parse(script):
        # Flags stand in another order, masks are in other forms: the same by proof.
        answer = vpccni_nft.verify(script, listing)
        assert isinstance(answer, vpccni_nft.Equivalent), answer
