"""What the world answers about a shown packet is cut down to what matters, in few trials."""

from __future__ import annotations

import pytest

from vpccni_nft.core.values import Family
from vpccni_nft.model.oracle import Oracle, OracleKind
from vpccni_nft.simulate.packet_text import complete, default_world
from vpccni_nft.simulate.sample import Packet
from vpccni_nft.simulate.simplify import simplify
from vpccni_nft.simulate.world import Answers

QUEUE = Oracle(OracleKind.QUEUE_DROPS, "queue", (102, 102))

#: As many as one question has where a packet's addresses, ports and marks are all zero.
QUESTIONS = [(QUEUE, (number,)) for number in range(4096)]


@pytest.mark.parametrize("needed", [{0}, {7, 4000}, {1, 2, 3, 4095}])
def test_of_thousands_of_answers_those_that_matter_stay(needed: set[int]) -> None:
    fields = complete(Family.IP, "forward", {})
    usual = default_world(Family.IP, "forward", fields)
    packet = Packet(Family.IP, "forward", fields, Answers(dict.fromkeys(QUESTIONS, 1), usual))
    wanted = [QUESTIONS[number] for number in sorted(needed)]
    trials = 0

    def interesting(trial: Packet) -> bool:
        nonlocal trials
        trials += 1
        return all(trial.answers[question] for question in wanted)

    assert [*simplify(packet, interesting).answers] == wanted
    assert trials < 300
