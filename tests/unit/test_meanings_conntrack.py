"""What the matches of a connection mean, each on a packet at a hook."""

from __future__ import annotations

import pytest

from vpccni_nft.core.values import Family
from vpccni_nft.model.concrete import Question
from vpccni_nft.model.oracle import Oracle, OracleKind
from vpccni_nft.model.packet import (
    STATE_BITS,
    STATUS_BITS,
)

from ..support.meanings_of_matches import (
    DNAT,
    ESTABLISHED,
    INVALID,
    NEW,
    RELATED,
    SNAT,
    TCP,
    UDP,
    UNTRACKED,
    address,
    fits,
)

# conntrack and state


@pytest.mark.parametrize("option", ["-m conntrack {}--ctstate {}", "-m state {}--state {}"])
def test_a_state_is_in_the_list_or_not(option: str) -> None:
    for name, bit in STATE_BITS.items():
        for listed in ("NEW,INVALID", "RELATED,ESTABLISHED", "UNTRACKED"):
            inside = name.upper() in listed.split(",")
            assert fits(option.format("", listed), ct_state=bit) is inside
            assert fits(option.format("! ", listed), ct_state=bit) is not inside


def test_nat_is_a_state_besides() -> None:
    match = "-m conntrack {}--ctstate NEW,DNAT"
    for state, status, expected in (
        (NEW, 0, True),
        (NEW, DNAT, True),
        (ESTABLISHED, DNAT, True),
        (ESTABLISHED, SNAT, False),
        (ESTABLISHED, DNAT | SNAT, True),
        (ESTABLISHED, 0, False),
    ):
        assert fits(match.format(""), ct_state=state, ct_status=status) is expected
        assert fits(match.format("! "), ct_state=state, ct_status=status) is not expected


def test_source_nat_has_a_bit_of_its_own() -> None:
    assert fits("-m conntrack --ctstate SNAT", ct_status=SNAT)
    assert not fits("-m conntrack --ctstate SNAT", ct_status=DNAT)


@pytest.mark.parametrize("state", [INVALID, UNTRACKED])
def test_without_an_entry_there_is_no_nat(state: int) -> None:
    assert not fits("-m conntrack --ctstate DNAT,SNAT", ct_state=state, ct_status=DNAT | SNAT)
    assert fits("-m conntrack ! --ctstate ESTABLISHED,DNAT", ct_state=state, ct_status=DNAT)


@pytest.mark.parametrize("state", [INVALID, UNTRACKED])
def test_without_an_entry_only_the_state_is_looked_at(state: int) -> None:
    assert fits("-m conntrack ! --ctstate NEW --ctorigdst 1.2.3.4 --ctdir REPLY", ct_state=state)
    assert fits("-m conntrack ! --ctstate NEW --ctexpire 1", ct_state=state, answers=LEFT)
    assert not fits("-m conntrack --ctstate NEW --ctdir ORIGINAL", ct_state=state)


@pytest.mark.parametrize("state", [INVALID, UNTRACKED])
@pytest.mark.parametrize(
    "options",
    [
        "--ctproto 17", "--ctorigsrc 10.0.0.0/8", "--ctreplsrc 10.0.0.0/8", "--ctorigdstport 80",
        "--ctstatus NONE", "--ctstatus ASSURED", "--ctdir ORIGINAL", "--ctexpire 1:10",
    ],
)  # fmt: skip
def test_without_an_entry_and_without_a_state_nothing_fits(options: str, state: int) -> None:
    assert not fits(f"-m conntrack {options}", ct_state=state, answers=LEFT)
    if "--ctdir" not in options:
        assert not fits(f"-m conntrack ! {options}", ct_state=state, answers=LEFT)


LEFT: dict[Question, int] = {(Oracle(OracleKind.SECONDS_LEFT), ()): 30}


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ("--ctorigsrc", "ct_original_saddr"),
        ("--ctorigdst", "ct_original_daddr"),
        ("--ctreplsrc", "ct_reply_saddr"),
        ("--ctrepldst", "ct_reply_daddr"),
    ],
)
def test_addresses_of_the_entry_are_compared_under_their_mask(option: str, field: str) -> None:
    for text, expected in (("10.1.2.3", True), ("11.1.2.3", False)):
        packet = {field: address(text)}
        assert fits(f"-m conntrack {option} 10.0.0.0/8", **packet) is expected
        assert fits(f"-m conntrack ! {option} 10.0.0.0/8", **packet) is not expected


def test_addresses_of_an_entry_may_be_of_ipv6() -> None:
    match = "-m conntrack --ctorigdst fd00::/8"
    assert fits(match, family=Family.IP6, ct_original_daddr=address("fd12::1"))
    assert not fits(match, family=Family.IP6, ct_original_daddr=address("fe80::1"))


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ("--ctorigsrcport", "ct_original_sport"),
        ("--ctorigdstport", "ct_original_dport"),
        ("--ctreplsrcport", "ct_reply_sport"),
        ("--ctrepldstport", "ct_reply_dport"),
    ],
)
def test_ports_of_the_entry_are_in_the_range_or_not(option: str, field: str) -> None:
    for port, expected in ((99, False), (100, True), (200, True), (201, False)):
        packet = {field: port}
        assert fits(f"-m conntrack {option} 100:200", **packet) is expected
        assert fits(f"-m conntrack ! {option} 100:200", **packet) is not expected


def test_ports_of_the_entry_are_known_even_of_a_fragment() -> None:
    assert fits("-m conntrack --ctorigdstport 80", ct_original_dport=80, fragment=185)


def test_the_protocol_of_the_entry_is_its_own() -> None:
    assert fits("-m conntrack --ctproto 17", ct_protocol=UDP)
    assert not fits("-m conntrack --ctproto 17", ct_protocol=TCP)
    assert fits("-m conntrack ! --ctproto 17", ct_protocol=TCP)


def test_a_status_is_in_the_list_or_not() -> None:
    seen = STATUS_BITS["seen-reply"]
    assert fits("-m conntrack --ctstatus SEEN_REPLY,ASSURED", ct_status=seen | SNAT)
    assert not fits("-m conntrack --ctstatus EXPECTED,CONFIRMED", ct_status=seen)
    assert fits("-m conntrack ! --ctstatus EXPECTED,CONFIRMED", ct_status=seen)


def test_no_status_is_a_status_that_nothing_has() -> None:
    assert not fits("-m conntrack --ctstatus NONE", ct_status=0)
    assert fits("-m conntrack ! --ctstatus NONE", ct_status=2)


def test_the_direction_is_one_of_two() -> None:
    assert fits("-m conntrack --ctdir ORIGINAL", ct_reply=0)
    assert not fits("-m conntrack --ctdir ORIGINAL", ct_reply=1)
    assert fits("-m conntrack --ctdir REPLY", ct_reply=1)
    assert fits("-m conntrack ! --ctdir REPLY", ct_reply=0)


def test_an_oracle_answers_how_long_an_entry_lives() -> None:
    for text, expected in (("30", True), ("29", False), ("10:30", True), ("31:", False)):
        assert fits(f"-m conntrack --ctexpire {text}", answers=LEFT) is expected
        assert fits(f"-m conntrack ! --ctexpire {text}", answers=LEFT) is not expected


def test_all_options_of_conntrack_are_wanted() -> None:
    match = "-m conntrack --ctstate NEW --ctproto 6 --ctdir ORIGINAL"
    assert fits(match, ct_protocol=TCP)
    assert not fits(match, ct_protocol=UDP)
    assert not fits(match, ct_protocol=TCP, ct_reply=1)
    assert not fits(match, ct_protocol=TCP, ct_state=RELATED)


def test_before_conntrack_no_packet_has_an_entry() -> None:
    raw = {"table": "raw", "chain": "PREROUTING"}
    assert fits("-m conntrack --ctstate INVALID", **raw)
    assert not fits("-m conntrack --ctproto 0", **raw)
