"""nft rulesets that are drawn: read back, over terms and numbers, and beside changed ones."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import assume, given, note
from hypothesis import strategies as st

from vpccni_nft import Family, Refused, nft
from vpccni_nft import strategies as own
from vpccni_nft.model.hook import run_hook
from vpccni_nft.model.packet import FIELDS, NoMeaning, width
from vpccni_nft.nft import statements as s
from vpccni_nft.nft.statements import is_stateful
from vpccni_nft.proof.answers import Different, Equivalent
from vpccni_nft.proof.side import Side
from vpccni_nft.proof.terms import Terms
from vpccni_nft.proof.verify import ProofSettings, verify
from vpccni_nft.simulate.sample import chains_of, run
from vpccni_nft.simulate.trace import parts

from ..support.drawn_nft import packets
from ..support.one_change import changes
from ..support.profiles import ALL, FEW
from ..support.terms import InCase, outcome_of

QUICK = ProofSettings(seconds=2, timeout=10)


@given(own.nft_rulesets())
@ALL
def test_a_drawn_ruleset_is_read_back(ruleset: nft.Ruleset) -> None:
    assert nft.parse(nft.serialize(ruleset)) == ruleset


def families_of(ruleset: nft.Ruleset) -> list[Family]:
    """The families whose packets go through all of its tables."""
    return [one for one in Family if all(one in table.families for table in ruleset.tables)]


@given(own.nft_rulesets(), st.integers(0, 2**16))
@ALL
def test_the_terms_of_a_drawn_ruleset_say_what_the_interpreter_does(
    ruleset: nft.Ruleset, seed: int
) -> None:
    family = families_of(ruleset)[-1]
    chains, terms, states = chains_of(ruleset, family), Terms(), {}
    fields = {name: terms.variable(name, width(name, family)) for name in FIELDS}
    fragments = not Side((ruleset,)).tracks(family)
    for packet in islice(packets(ruleset, family, seed, fragments=fragments), 20):
        try:
            if packet.hook not in states:
                states[packet.hook] = run_hook(terms, family, packet.hook, chains, fields)
        except NoMeaning:
            # Whatever packet it is: a hook that has no meaning for all has one for some.
            continue
        assert outcome_of(states[packet.hook], InCase(packet)) == run(chains, packet)


@given(own.nft_rulesets())
@FEW
def test_a_drawn_ruleset_does_not_differ_from_itself(ruleset: nft.Ruleset) -> None:
    again = nft.parse(nft.serialize(ruleset))
    answer = verify(Side((ruleset,)), Side((again,)), QUICK)
    assert not isinstance(answer, Different)


def _keeps_state(ruleset: nft.Ruleset) -> bool:
    """Whether an answer hangs on a place, of which a proof may pair others than run does."""
    steps = [
        step
        for table in ruleset.tables
        for chain in table.chains
        for rule in chain.rules
        for step in rule.statements
    ]
    return any(isinstance(step, s.UpdateSet) or is_stateful(step) for step in steps)


@given(st.data())
@ALL
def test_an_equivalent_changed_ruleset_does_the_same_to_packets(data: st.DataObject) -> None:
    ruleset = data.draw(own.nft_rulesets(most_tables=1))
    assume(not _keeps_state(ruleset))
    every = changes(ruleset)
    family = families_of(ruleset)[-1]
    try:
        changed = every[data.draw(st.integers(0, len(every) - 1))]()
        sides = Side((ruleset,)), Side((changed,))
        answer = verify(*sides, QUICK)
    except (ValueError, Refused):
        assume(False)  # no such ruleset
    if not isinstance(answer, Equivalent):
        return
    before, after = (chains_of(one, family) for one in (ruleset, changed))
    fragments = not sides[0].tracks(family)
    for one in (ruleset, changed):
        for packet in islice(packets(one, family, 0, fragments=fragments), 100):
            differences = parts(run(before, packet), run(after, packet), counts=False)
            if differences:
                note(f"{nft.serialize(ruleset)}\n--- and ---\n{nft.serialize(changed)}")
                pytest.fail(f"equivalent, but {packet} differs: {differences}")
