"""nft rulesets that hypothesis draws: what the kernel does, and what the interpreter says of it."""

from __future__ import annotations

from collections.abc import Callable

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from vpccni_nft import nft
from vpccni_nft import strategies as own
from vpccni_nft.model.packet import NoMeaning
from vpccni_nft.replay.side import ReplayError

from ..support.drawn_nft import NftBed
from ..support.packets import Tally
from ..support.profiles import NIGHTLY, SCALE

DRAWN = settings(
    derandomize=not NIGHTLY,
    database=None,
    deadline=None,
    max_examples=60 * SCALE,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),  # as of the dumps: to make it small takes minutes
)

#: Conversations for each ruleset.
CONVERSATIONS = 30

pytestmark = pytest.mark.kernel


def test_a_drawn_nft_ruleset_does_what_its_model_says(add: Callable[[Tally], None]) -> None:
    total = Tally()
    refused: list[str] = []
    meaningless: list[str] = []
    bed = NftBed()

    @given(own.nft_rulesets())
    @DRAWN
    def one(ruleset: nft.Ruleset) -> None:
        script = nft.serialize(ruleset)
        try:
            bed.load(script)
        except ReplayError as error:
            refused.append(str(error))
            return
        try:
            tally, found = bed.check(nft.parse(script), CONVERSATIONS, seed=total.conversations)
        except NoMeaning as error:
            meaningless.append(str(error))
            return
        hypothesis.note(script)
        assert not found, "\n\n".join(found[:3])
        total.add(tally)

    with bed:
        one()
    add(total)
    # Nearly all that is drawn must be loaded and compared, or little is shown.
    assert len(refused) <= DRAWN.max_examples / 10, refused[:3]
    assert len(meaningless) <= DRAWN.max_examples / 10, meaningless[:3]
    assert total.hooks > DRAWN.max_examples * CONVERSATIONS
    assert total.unseen < total.hooks / 10
