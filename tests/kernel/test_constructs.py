"""Rules of one construct each: what the kernel does, and what the interpreter says of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator

import pytest

from vpccni_nft import nft
from vpccni_nft.core import isolated

from ..support.drawn_nft import NftBed
from ..support.nft_constructs import CONSTRUCTS, Construct
from ..support.nft_versions import nft_of
from ..support.packets import Tally

pytestmark = pytest.mark.kernel

CONVERSATIONS = 15


@pytest.fixture(scope="module")
def bed() -> Iterator[NftBed]:
    with NftBed() as one:
        yield one


@pytest.fixture(scope="module")
def newer_bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NftBed]:
    """A node whose nft is a newer one."""
    script = tmp_path_factory.mktemp("newer") / "nft"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(nft_of("sid"))} "$@"\n')
    script.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch, NftBed() as one:
        patch.setattr(isolated, "PROGRAMS", f"{script.parent}:{isolated.PROGRAMS}")
        yield one


@pytest.mark.parametrize("construct", [one for one in CONSTRUCTS if one.is_seen], ids=str)
def test_a_construct_does_what_its_model_says(
    construct: Construct, request: pytest.FixtureRequest, add: Callable[[Tally], None]
) -> None:
    bed = request.getfixturevalue("newer_bed" if construct.newer else "bed")
    ruleset = construct.ruleset
    bed.load(nft.serialize(ruleset))
    tally, found = bed.check(ruleset, CONVERSATIONS)
    assert not found, found[0]
    assert tally.hooks > CONVERSATIONS
    add(tally)
