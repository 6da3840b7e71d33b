"""What rules do is found once a shape, and is what it would be of each by itself."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

import vpccni_nft
from benchmarks.eks_node import eks_node
from vpccni_nft import Equivalent
from vpccni_nft.core.values import Family
from vpccni_nft.proof.chains import ChainComparison
from vpccni_nft.proof.context import ProofContext
from vpccni_nft.proof.part_summary import PartOutcome, PartSummaries, PartSummary
from vpccni_nft.proof.summary import ChainSummary
from vpccni_nft.proof.term import Term
from vpccni_nft.proof.terms import Terms

SETTING = ProofContext(Terms(), Family.IP, "forward", fragments=False, counters=False)
INSIDE, OUTSIDE = (0x0A000001, 0x0A000002, 0x0A000003), (0xC0000201, 0xC0000202, 0xC0000203)


def part(address: int) -> PartOutcome:
    """A rule that does something for one source, behind which 10.0.0.0/8 goes on."""
    terms, source = SETTING.terms, SETTING.fields["saddr"]
    reached = SETTING.reachable
    network = terms.equal(terms.bvand(source, terms.const(0xFF000000, 32)), _word(0x0A000000))
    return PartOutcome(
        {
            "next": terms.all(reached, network),
            "back": terms.false,
            "undecided": terms.all(SETTING.undecided, network),
        },
        (terms.all(reached, terms.equal(source, _word(address))),),
        {},
    )


def _word(value: int) -> Term:
    return SETTING.terms.const(value, 32)


def is_false(condition: Term, _given: Iterable[Term]) -> bool:
    return condition is SETTING.terms.false


def by_itself(address: int) -> PartSummary:
    return part(address).summary(SETTING, lambda condition: is_false(condition, ()))


def test_rules_of_a_shape_do_the_same_but_for_their_literals() -> None:
    summaries = PartSummaries()
    found = [summaries.of(SETTING, part(one), is_false) for one in INSIDE]
    assert found == list(map(by_itself, INSIDE))
    assert len({one.acts for one in found}) == 3


@pytest.mark.parametrize("before", [INSIDE, OUTSIDE, (INSIDE[0], OUTSIDE[0]), OUTSIDE[:1]])
@pytest.mark.parametrize("address", [INSIDE[2], OUTSIDE[2]])
def test_a_literal_that_decides_takes_nothing_away(before: Iterable[int], address: int) -> None:
    """Of packets that go on, the rule acts for a source of 10.0.0.0/8 alone."""
    summaries = PartSummaries()
    for one in before:
        summaries.of(SETTING, part(one), is_false)
    found = summaries.of(SETTING, part(address), is_false)
    assert set(found.acts) >= set(by_itself(address).acts)
    assert bool(by_itself(address).acts) == (address in INSIDE)


@pytest.mark.parametrize("optimize", [False, True])
def test_the_chains_of_a_node_are_known_as_well_as_one_by_one(
    monkeypatch: pytest.MonkeyPatch, optimize: bool
) -> None:
    dump = eks_node(5)
    script = vpccni_nft.translate(dump, optimize=optimize).script()
    shared = _chains(monkeypatch, dump, script)
    monkeypatch.setattr(
        PartSummaries,
        "of",
        lambda _, setting, one, never: one.summary(setting, lambda each: never(each, ())),
    )
    alone = _chains(monkeypatch, dump, script)
    assert len(shared) > 20
    assert [one for one in shared if one not in alone] == []


def _chains(monkeypatch: pytest.MonkeyPatch, dump: str, script: str) -> list[str]:
    """All that is known of the chains of two sides."""
    found: list[str] = []
    compare = ChainComparison._compare

    def note(*arguments: object) -> ChainSummary | None:
        summary: ChainSummary | None = compare(*arguments)  # type: ignore[arg-type]
        assert summary
        found.append(repr((summary.symbol, *_known(summary))))
        return summary

    with monkeypatch.context() as patched:
        patched.setattr(ChainComparison, "_compare", note)
        assert isinstance(vpccni_nft.verify(dump, script, per_hook=True), Equivalent)
    return found


def _known(summary: ChainSummary) -> Iterable[object]:
    yield from (summary.reads, summary.writes, summary.moves, sorted(summary.at_once))
    yield from (sorted(map(str, one)) for one in (summary.looks, summary.uses, summary.changes))
    yield from (summary.decides, summary.leaves, summary.returns, summary.acts, summary.shifts)
