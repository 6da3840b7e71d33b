"""What the targets do that act on connections and on their tracking."""

from __future__ import annotations

import pytest

from vpccni_nft.core.values import Family
from vpccni_nft.model.hook import Outcome
from vpccni_nft.model.packet import (
    ACCEPT,
    DROP,
    STATE_BITS,
    Event,
)

from ..support.meanings_of_targets import (
    ESTABLISHED,
    INVALID,
    NEW,
    UNTRACKED,
    Probe,
    count,
    events,
    ip,
    send,
)

BEFORE, AFTER = -250, -170


def tracked(*rules: str, hook: str = "prerouting", **changes: int) -> tuple[Probe, Probe, Outcome]:
    """What chains see before and after conntrack, and what comes out."""
    before, after = Probe(hook, BEFORE), Probe(hook, AFTER)
    probes = (before, after)
    return before, after, send(hook, *rules, family=Family.IP, world=None, probes=probes, **changes)


@pytest.mark.parametrize("target", ["NOTRACK", "CT --notrack", "CT --notrack --zone 7"])
@pytest.mark.parametrize("hook", ["prerouting", "output"])
def test_a_packet_that_is_not_to_be_tracked_is_untracked_for_later_chains(
    target: str, hook: str
) -> None:
    rule = f"raw: -A {hook.upper()} -p tcp -j {target}"
    before, after, result = tracked(rule, hook=hook)
    assert before.seen["ct_state"] == after.seen["ct_state"] == UNTRACKED
    assert result.fields["ct_template"] == result.fields["ct_zone"] == 0
    _, after, _ = tracked(rule, hook=hook, protocol=17)
    assert after.seen["ct_state"] == NEW


def test_a_match_in_a_later_table_recognizes_untracked_packets() -> None:
    rules = (
        "raw: -A OUTPUT -s 10.0.0.1/32 -j NOTRACK",
        "mangle: -A OUTPUT -m conntrack --ctstate UNTRACKED -j DROP",
    )
    assert send("output", *rules).verdict == DROP
    assert send("output", *rules, saddr=ip("10.0.0.3")).verdict == ACCEPT


@pytest.mark.parametrize("target", ["NOTRACK", "CT --notrack"])
def test_an_untracked_packet_has_no_mark_of_a_connection_and_no_nat(target: str) -> None:
    rules = (
        f"raw: -A OUTPUT -s 10.0.0.1/32 -j {target}",
        "mangle: -A OUTPUT -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff",
        "nat: -A OUTPUT -d 10.0.0.2/32 -p tcp -j DNAT --to-destination 10.9.9.9:8080",
    )
    result = send("output", *rules, ct_mark=0x80)
    assert result.fields["mark"] == 0
    assert not result.bindings
    other = send("output", *rules, ct_mark=0x80, saddr=ip("10.0.0.3"))
    assert other.fields["mark"] == 0x80
    assert len(other.bindings) == 1


@pytest.mark.parametrize(
    ("options", "zone", "direction"),
    [
        ("", 0, 0),
        ("--zone 7", 7, 0),
        ("--zone 65535", 65535, 0),
        ("--zone-orig 7", 7, 1),
        ("--zone-reply 7", 7, 2),
        ("--zone mark", 0x8765, 0),
        ("--zone-orig mark", 0x8765, 1),
    ],
)
def test_ct_hangs_a_template_on_the_packet_which_is_new_until_conntrack_runs(
    options: str, zone: int, direction: int
) -> None:
    rule = f"raw: -A PREROUTING -p tcp -j CT {options}"
    before, after, result = tracked(rule, ct_state=ESTABLISHED, mark=0xFEDC8765)
    assert before.seen["ct_state"] == NEW
    assert after.seen["ct_state"] == ESTABLISHED
    for fields, has_template in ((before.seen, 1), (result.fields, 0)):
        assert fields["ct_template"] == has_template
        assert fields["ct_zone"] == zone
        assert fields["ct_zone_direction"] == direction
    assert result.fields["mark"] == 0xFEDC8765
    before, _, result = tracked(rule, protocol=17, mark=0xFEDC8765)
    assert before.seen["ct_state"] == INVALID
    assert result.fields["ct_template"] == result.fields["ct_zone"] == 0


def test_ct_goes_on_with_the_next_rule_and_only_the_first_one_works() -> None:
    rules = (
        "raw: -A PREROUTING -j CT --zone-orig 7", "raw: -A PREROUTING -j CT --zone 8",
        "raw: -A PREROUTING -j CT --notrack", "raw: -A PREROUTING -j NOTRACK",
    )  # fmt: skip
    before, after, result = tracked(*rules)
    assert before.seen["ct_state"] == after.seen["ct_state"] == NEW
    assert (result.fields["ct_zone"], result.fields["ct_zone_direction"]) == (7, 1)
    assert count(result) == 4


@pytest.mark.parametrize("first", ["NOTRACK", "CT --notrack"])
def test_ct_leaves_untracked_packets_alone(first: str) -> None:
    rules = (f"raw: -A PREROUTING -j {first}", "raw: -A PREROUTING -j CT --zone 8")
    _, after, result = tracked(*rules)
    assert after.seen["ct_state"] == UNTRACKED
    assert result.fields["ct_template"] == result.fields["ct_zone"] == 0


@pytest.mark.parametrize("target", ["NOTRACK", "CT --notrack", "CT --zone 7"])
def test_a_packet_that_has_its_connection_already_is_left_alone(target: str) -> None:
    loopback = Probe("prerouting", -400, changes={"ct_state": ESTABLISHED})
    before = Probe("prerouting", BEFORE)
    rule = f"raw: -A PREROUTING -j {target}"
    result = send("prerouting", rule, probes=(loopback, before), ct_state=ESTABLISHED)
    assert before.seen["ct_state"] == result.fields["ct_state"] == ESTABLISHED
    assert result.fields["ct_template"] == result.fields["ct_zone"] == 0


def test_ct_says_what_else_it_asks_of_conntrack_and_whether_that_counts() -> None:
    rules = (
        "raw: -A PREROUTING -p tcp -j CT --helper ftp --ctevents new,destroy",
        "raw: -A PREROUTING -p tcp -j CT --timeout short",
    )
    first, second = events(send("prerouting", *rules))
    assert first == Event("ct", ("ftp", "", "new,destroy", ""), (1,))
    assert second == Event("ct", ("", "short", "", ""), (0,))
    assert not events(send("prerouting", *rules, protocol=17))


@pytest.mark.parametrize("state", ["invalid", "untracked"])
@pytest.mark.parametrize("mode", ["set-xmark 0x1/0x1", "save-mark", "restore-mark"])
def test_connmark_does_nothing_without_an_entry(mode: str, state: str) -> None:
    rule = f"mangle: -A FORWARD -j CONNMARK --{mode}"
    result = send("forward", rule, mark=6, ct_mark=8, ct_state=STATE_BITS[state])
    assert (result.fields["mark"], result.fields["ct_mark"]) == (6, 8)


@pytest.mark.parametrize(
    ("mode", "mark", "ct_mark"),
    [
        ("set-xmark 0x1/0x9", 0xF6, 0x81),
        ("save-mark --nfmask 0x6 --ctmask 0x88", 0xF6, 0x06),
        ("restore-mark --nfmask 0x86 --ctmask 0x80", 0xF0, 0x88),
        ("save-mark --nfmask 0xffffffff --ctmask 0xffffffff", 0xF6, 0xF6),
        ("restore-mark --nfmask 0xffffffff --ctmask 0xffffffff", 0x88, 0x88),
    ],
)
def test_connmark_with_an_entry_clears_a_mask_and_flips(mode: str, mark: int, ct_mark: int) -> None:
    rule = f"mangle: -A FORWARD -p tcp -j CONNMARK --{mode}"
    result = send("forward", rule, mark=0xF6, ct_mark=0x88)
    assert (result.fields["mark"], result.fields["ct_mark"]) == (mark, ct_mark)
    other = send("forward", rule, mark=0xF6, ct_mark=0x88, protocol=17)
    assert (other.fields["mark"], other.fields["ct_mark"]) == (0xF6, 0x88)


def test_connmark_before_conntrack_does_nothing() -> None:
    rule = "raw: -A PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff"
    assert send("prerouting", rule, ct_mark=0x80).fields["mark"] == 0
