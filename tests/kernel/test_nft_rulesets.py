"""nft rulesets that hypothesis draws: what the kernel does, and what the interpreter says of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from vpccni_nft import Refused, nft
from vpccni_nft import strategies as own
from vpccni_nft.model.packet import NoMeaning
from vpccni_nft.proof.answers import Equivalent
from vpccni_nft.proof.side import Side
from vpccni_nft.proof.verify import ProofSettings, verify
from vpccni_nft.replay.side import ReplayError
from vpccni_nft.replay.testbed import ReplaySettings, Testbed
from vpccni_nft.replay.topology import Topology

from ..support.drawn_nft import NftBed
from ..support.one_change import changes
from ..support.packets import Tally, contents, described
from ..support.profiles import NIGHTLY, SCALE

DRAWN = settings(
    derandomize=not NIGHTLY,
    database=None,
    deadline=None,
    max_examples=60 * SCALE if SCALE > 1 else 30,
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


#: Pairs of rulesets for each of which two nodes are made.
PAIRS = settings(DRAWN, max_examples=15 * SCALE if SCALE > 1 else 7)


def test_an_equivalent_changed_ruleset_does_the_same(add: Callable[[Tally], None]) -> None:
    total = Tally()

    @given(st.data())
    @PAIRS
    def one(data: st.DataObject) -> None:
        ruleset = data.draw(own.nft_rulesets())
        every = changes(ruleset)
        hypothesis.assume(every)
        try:
            changed = every[data.draw(st.integers(0, 2**30)) % len(every)]()
            answer = verify(Side((ruleset,)), Side((changed,)), ProofSettings(seconds=2, timeout=8))
        except (ValueError, Refused):
            return  # no such ruleset
        if not isinstance(answer, Equivalent):
            return
        scripts = nft.serialize(ruleset), nft.serialize(changed)
        # Each load draws a seed of its own, so that one text does this or that to a packet.
        hypothesis.assume(not re.search(r"jhash .*? mod \d+ (?!seed )", scripts[0]))
        hypothesis.note("\n--- and ---\n".join(scripts))
        before, after = map(contents, scripts)
        try:
            with Testbed(before, after, ReplaySettings(), Topology.of(())) as arena:
                found = list(arena.duel.fight(islice(arena.guide.stream(), 2 * CONVERSATIONS)))
                total.packets += arena.duel.tally.packets
        except ReplayError:
            return  # nft does not take it
        assert not found, "\n\n".join(map(described, found[:3]))

    one()
    assert total.packets > PAIRS.max_examples * CONVERSATIONS
    add(total)
