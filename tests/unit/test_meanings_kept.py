"""What the matches mean that keep something from packet to packet."""

from __future__ import annotations

import pytest

from vpccni_nft.core.values import Family
from vpccni_nft.model.concrete import Question
from vpccni_nft.model.oracle import KeptSet, Oracle, OracleKind, Position, member
from vpccni_nft.model.packet import (
    DROP,
    Event,
)

from ..support.meanings_of_matches import DESTINATION, SOURCE, address, changes, fits, run

# nfacct, physdev


def test_an_accounting_object_counts_where_it_is_reached() -> None:
    counted = Event("count", ("object",))
    reached = run("-m nfacct --nfacct-name object -p tcp -j DROP")
    assert (reached.verdict, changes(reached)) == (DROP, (counted,))
    assert changes(run("-p udp -m nfacct --nfacct-name object -j DROP")) == ()


def test_an_accounting_object_counts_before_a_later_match_fails() -> None:
    match = "-m nfacct --nfacct-name object -m mark --mark 1"
    failed = run(f"{match} -j DROP")
    assert (failed.verdict == DROP, changes(failed)) == (False, (Event("count", ("object",)),))


def test_no_packet_crosses_a_bridge() -> None:
    assert not fits("-m physdev --physdev-in eth0")
    assert not fits("-m physdev --physdev-is-bridged")
    assert fits("-m physdev ! --physdev-is-bridged ! --physdev-in eth0")
    assert not fits("-m physdev ! --physdev-is-in --physdev-is-out")


# recent


#: A list whose rules take addresses of any age.
LIST = KeptSet("recent-x")


def listed(
    key: int, answer: int, of: KeptSet = LIST, age: int | None = None
) -> dict[Question, int]:
    return {(member(of, *([] if age is None else [age])), (key,)): answer}


def update(key: int, of: KeptSet = LIST) -> Event:
    return Event("update", (of,), (key,))


def delete(key: int) -> Event:
    return Event("delete", (LIST,), (key,))


def test_entering_an_address_always_fits() -> None:
    for negation, dropped in (("", True), ("! ", False)):
        found = run(f"-m recent {negation}--set --name x --rsource -j DROP")
        assert (found.verdict == DROP, changes(found)) == (dropped, (update(SOURCE),))


@pytest.mark.parametrize("known", [False, True])
def test_checking_an_address_changes_nothing(known: bool) -> None:
    for negation in ("", "! "):
        match = f"-m recent {negation}--rcheck --seconds 60 --reap --name x --rdest -j DROP"
        found = run(match, answers=listed(DESTINATION, known, KeptSet("recent-x", timeout=60)))
        assert (found.verdict == DROP) is (known is not bool(negation))
        assert changes(found) == ()


@pytest.mark.parametrize("known", [False, True])
def test_updating_an_address_renews_it_where_it_fits(known: bool) -> None:
    found = run("-m recent --update --name x --rsource -j DROP", answers=listed(SOURCE, known))
    assert found.verdict == DROP if known else found.verdict != DROP
    assert changes(found) == (update(SOURCE),) * known


@pytest.mark.parametrize("known", [False, True])
def test_updating_what_is_not_there_renews_nothing(known: bool) -> None:
    found = run("-m recent ! --update --name x --rsource -j DROP", answers=listed(SOURCE, known))
    assert (found.verdict == DROP) is not known
    assert changes(found) == ()


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_a_negated_update_renews_what_is_too_old(known: bool, old: bool) -> None:
    # What is older than nine seconds matters, too.
    kept = KeptSet("recent-x", policy=("ages", 9))
    oracle = Oracle(OracleKind.RECENT_LISTED, kept)
    answers = listed(SOURCE, known, kept, 9) | {(oracle, (SOURCE,)): old}
    found = run("-m recent ! --update --seconds 9 --name x --rsource -j DROP", answers=answers)
    assert (found.verdict == DROP) is not known
    assert changes(found) == (update(SOURCE, kept),) * (old and not known)


@pytest.mark.parametrize("known", [False, True])
def test_removing_an_address_takes_it_out_even_negated(known: bool) -> None:
    for negation in ("", "! "):
        match = f"-m recent {negation}--remove --name x --rsource -j DROP"
        found = run(match, answers=listed(SOURCE, known))
        assert (found.verdict == DROP) is (known is not bool(negation))
        assert changes(found) == (delete(SOURCE),) * known


def test_an_address_is_masked() -> None:
    key = address("10.0.0.0")
    found = run("-m recent --set --name x --mask 255.255.255.0 --rsource")
    assert changes(found) == (update(key),)


def test_an_ipv6_address_is_a_key_too() -> None:
    one = address("fd00::1")
    found = run("-m recent --set --name x --rsource", family=Family.IP6, saddr=one)
    assert changes(found) == (update(one),)


def test_later_rules_see_what_earlier_rules_changed() -> None:
    check = "-m recent --rcheck --name x --rsource -j DROP"
    enter, remove = (f"-m recent --{what} --name x --rsource" for what in ("set", "remove"))
    absent, present = listed(SOURCE, 0), listed(SOURCE, 1)
    assert run(enter, check, answers=absent).verdict == DROP
    assert run(remove, check, answers=present).verdict != DROP
    other = enter.replace("--rsource", "--rdest")
    assert run(other, check, answers=absent).verdict != DROP
    elsewhere = enter.replace("--name x", "--name y")
    assert run(elsewhere, check, answers=absent).verdict != DROP


@pytest.mark.parametrize("answer", [False, True])
def test_an_oracle_answers_how_often_and_with_which_ttl(answer: bool) -> None:
    for options, wanted in (
        ("--hitcount 4", "4 times"),
        ("--hitcount 4 --rttl", "4 times with this TTL"),
        ("--rttl", "1 times with this TTL"),
    ):
        oracle = Oracle(OracleKind.RECENT_SEEN, LIST, (wanted, 0))
        match = f"-m recent --rcheck {options} --name x --rsource"
        ttl = (0,) if "--rttl" in options else ()
        answers = {(oracle, (SOURCE, *ttl)): answer}
        assert fits(match, answers=answers | listed(SOURCE, 1)) is answer
        assert not fits(match, answers=answers | listed(SOURCE, 0))


def test_one_hit_is_no_more_than_being_there() -> None:
    assert fits("-m recent --rcheck --hitcount 1 --name x --rsource", answers=listed(SOURCE, 1))


# set


@pytest.mark.parametrize("answer", [False, True])
def test_an_address_is_in_a_set_or_not(answer: bool) -> None:
    for direction, key in (("src", SOURCE), ("dst", DESTINATION)):
        answers = listed(key, answer, KeptSet("hosts"))
        assert fits(f"-m set --match-set hosts {direction}", answers=answers) is answer
        assert fits(f"-m set ! --match-set hosts {direction}", answers=answers) is not answer


def test_a_set_of_several_dimensions_is_looked_up_with_all_of_them() -> None:
    answers = {(member(KeptSet("pairs")), (SOURCE, DESTINATION)): 1}
    assert fits("-m set --match-set pairs src,dst", answers=answers)


@pytest.mark.parametrize("answer", [False, True])
def test_counters_of_a_set_have_oracles_of_their_own(answer: bool) -> None:
    for options in ("--packets-gt 3", "! --bytes-eq 7", "--return-nomatch"):
        match = f"--match-set hosts src {options}"
        counted = Oracle(OracleKind.MEMBER_COUNTED, "hosts", (match,))
        answers = {(counted, (SOURCE,)): answer, (member(KeptSet("hosts")), (SOURCE,)): 1}
        assert fits(f"-m set {match}", answers=answers) is answer
        assert fits(f"-m set ! {match}", answers=answers) is not answer


# statistic


#: The first match of FORWARD that draws or counts, and the first one of its first rule.
DRAW, MATCH = Position("filter", "FORWARD", 0), Position("filter", "FORWARD", 0, 0)


def drawn(answer: int, place: Position = DRAW) -> dict[Question, int]:
    return {(Oracle(OracleKind.RANDOM, place), ()): answer}


def test_a_draw_is_less_than_the_probability() -> None:
    match = "-m statistic --mode random {}--probability 0.50000000000"
    half = 1 << 30
    for draw, expected in ((0, True), (half - 1, True), (half, False), (2 * half - 1, False)):
        assert fits(match.format(""), answers=drawn(draw)) is expected
        assert fits(match.format("! "), answers=drawn(draw)) is not expected


@pytest.mark.parametrize("draw", [0, (1 << 31) - 1])
def test_no_draw_changes_what_is_certain(draw: int) -> None:
    match = "-m statistic --mode random --probability {}"
    answers = drawn(draw, MATCH)
    assert fits(match.format("1.00000000000"), answers=answers)
    assert not fits(match.format("0.00000000000"), answers=answers)


def test_each_rule_draws_for_itself() -> None:
    rule = "-m statistic --mode random --probability 0.50000000000 -j DROP"
    answers = drawn((1 << 31) - 1) | drawn(0, Position("filter", "FORWARD", 1))
    assert run(rule, rule, answers=answers).verdict == DROP


def test_a_counter_stands_at_the_packet() -> None:
    match = "-m statistic --mode nth {}--every 3 --packet 1"
    for count, expected in ((0, False), (1, True), (2, False)):
        answers: dict[Question, int] = {(Oracle(OracleKind.COUNTER, DRAW, (3,)), ()): count}
        assert fits(match.format(""), answers=answers) is expected
        assert fits(match.format("! "), answers=answers) is not expected


def test_every_single_packet_is_chosen_without_counting() -> None:
    assert fits("-m statistic --mode nth --every 1 --packet 0")
    assert not fits("-m statistic --mode nth ! --every 1 --packet 0")
