"""What targets do to a packet at a hook, and how tables, chains and verdicts play together."""

from __future__ import annotations

import pytest

from vpccni_nft.core.values import Family
from vpccni_nft.model.packet import (
    ACCEPT,
    DROP,
    Event,
    Verdict,
)

from ..support.meanings_of_targets import INVALID, count, events, ip, kinds_of, send


def test_accept_ends_the_chain() -> None:
    rules = ("filter: -A FORWARD -j ACCEPT", "filter: -A FORWARD -j DROP")
    result = send("forward", *rules)
    assert result.verdict == ACCEPT
    assert count(result) == 1


def test_accept_in_a_nested_chain_ends_the_whole_table() -> None:
    rules = (
        "filter: -A FORWARD -j one", "filter: -A FORWARD -j DROP",
        "filter: -A one -j two", "filter: -A one -j DROP", "filter: -A two -j ACCEPT",
    )  # fmt: skip
    assert send("forward", *rules).verdict == ACCEPT


def test_accept_of_other_packets_leaves_this_one_to_the_policy() -> None:
    rules = ("filter: -P FORWARD DROP", "filter: -A FORWARD ! -s 10.0.0.1/32 -j ACCEPT")
    assert send("forward", *rules).verdict == DROP
    assert send("forward", *rules, saddr=ip("10.0.0.3")).verdict == ACCEPT


def test_accept_in_one_table_does_not_keep_a_later_table_from_dropping() -> None:
    rules = ("mangle: -A FORWARD -j ACCEPT", "filter: -A FORWARD -j DROP")
    assert send("forward", *rules).verdict == DROP


def test_drop_drops_the_packets_that_fit_and_no_others() -> None:
    rule = "filter: -A FORWARD -d 10.0.0.2/32 -j DROP"
    assert send("forward", rule).verdict == DROP
    assert send("forward", rule, daddr=ip("10.0.0.3")).verdict == ACCEPT


def test_drop_in_an_early_table_is_final() -> None:
    rules = (
        "raw: -A PREROUTING -j DROP",
        "mangle: -A PREROUTING -j MARK --set-xmark 0x1/0xffffffff",
        "nat: -A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.9",
    )
    result = send("prerouting", *rules)
    assert result.verdict == DROP
    assert count(result) == 1
    assert result.fields["mark"] == 0
    assert not result.bindings


def test_a_policy_that_drops_is_final_too() -> None:
    rules = ("mangle: -P FORWARD DROP", "filter: -A FORWARD -j LOG")
    result = send("forward", *rules)
    assert result.verdict == DROP
    assert not result.events


def test_return_in_a_built_in_chain_leads_to_the_policy() -> None:
    rules = ("filter: -A FORWARD -j RETURN", "filter: -A FORWARD -j ACCEPT")
    assert send("forward", "filter: -P FORWARD DROP", *rules).verdict == DROP
    assert send("forward", *rules).verdict == ACCEPT


def test_return_of_other_packets_does_nothing() -> None:
    rules = ("filter: -A FORWARD -s 10.0.0.3/32 -j RETURN", "filter: -A FORWARD -j DROP")
    assert send("forward", *rules).verdict == DROP
    assert send("forward", *rules, saddr=ip("10.0.0.3")).verdict == ACCEPT


def test_return_goes_back_behind_the_jump() -> None:
    rules = (
        "filter: -A FORWARD -j one", "filter: -A FORWARD -j LOG --log-prefix main",
        "filter: -A one -j two", "filter: -A one -j LOG --log-prefix one",
        "filter: -A two -s 10.0.0.1/32 -j RETURN", "filter: -A two -j DROP",
    )  # fmt: skip
    result = send("forward", *rules)
    assert result.verdict == ACCEPT
    assert [event.details[0] for event in events(result)] == ["one", "main"]
    assert send("forward", *rules, saddr=ip("10.0.0.3")).verdict == DROP


def test_the_end_of_a_chain_goes_back_behind_the_jump() -> None:
    rules = ("filter: -A FORWARD -j one", "filter: -A FORWARD -j DROP", "filter: -A one -j LOG")
    result = send("forward", *rules)
    assert result.verdict == DROP
    assert count(result) == 3


def test_a_goto_comes_back_to_the_caller_of_its_chain() -> None:
    rules = (
        "filter: -A FORWARD -j one", "filter: -A FORWARD -j LOG --log-prefix main",
        "filter: -A one -s 10.0.0.1/32 -g two", "filter: -A one -j DROP",
        "filter: -A two -j LOG --log-prefix two",
    )  # fmt: skip
    result = send("forward", *rules)
    assert result.verdict == ACCEPT
    assert [event.details[0] for event in events(result)] == ["two", "main"]
    assert send("forward", *rules, saddr=ip("10.0.0.3")).verdict == DROP


def test_a_goto_in_a_built_in_chain_leads_to_the_policy() -> None:
    rules = (
        "filter: -A FORWARD -g one", "filter: -A FORWARD -j ACCEPT",
        "filter: -A one -j RETURN", "filter: -A one -j ACCEPT",
    )  # fmt: skip
    assert send("forward", "filter: -P FORWARD DROP", *rules).verdict == DROP


def test_a_rule_without_a_target_only_counts() -> None:
    result = send("forward", "filter: -A FORWARD", "filter: -A FORWARD -s 10.0.0.3/32")
    assert result.verdict == ACCEPT
    assert result.events == (Event("count"),)


@pytest.mark.parametrize(
    ("option", "before", "after"),
    [
        ("0x4000/0x4000", 0x1, 0x4001),
        ("0x4000/0x4000", 0x4001, 0x4001),
        ("0x0/0x4000", 0x4001, 0x1),
        ("0x7/0xffffffff", 0xABCD, 0x7),
        ("0x6/0x3", 0x7, 0x2),  # a bit outside the mask is flipped
        ("0xffffffff/0x0", 0x80000001, 0x7FFFFFFE),
        ("0x0/0x0", 0x5, 0x5),
    ],
)
def test_mark_clears_the_mask_and_flips_the_value(option: str, before: int, after: int) -> None:
    rule = f"mangle: -A FORWARD -d 10.0.0.2/32 -j MARK --set-xmark {option}"
    assert send("forward", rule, mark=before).fields["mark"] == after
    assert send("forward", rule, mark=before, daddr=ip("10.0.0.3")).fields["mark"] == before


def test_mark_goes_on_with_the_next_rule_which_sees_it() -> None:
    rules = (
        "mangle: -A FORWARD -j MARK --set-xmark 0x1/0x1",
        "mangle: -A FORWARD -j MARK --set-xmark 0x6/0x2",
    )
    assert send("forward", *rules).fields["mark"] == 7


def test_mark_needs_no_connection() -> None:
    rule = "raw: -A PREROUTING -j MARK --set-xmark 0x1/0xffffffff"
    assert send("prerouting", rule, ct_state=INVALID).fields["mark"] == 1


@pytest.mark.parametrize(
    ("options", "event"),
    [
        ("", Event("log", ("", "", ()))),
        ('--log-prefix "say: "', Event("log", ("say: ", "", ()))),
        ("--log-level 4", Event("log", ("", "", ()))),
        ("--log-level 0", Event("log", ("", "emerg", ()))),
        ("--log-level 3", Event("log", ("", "err", ()))),
        ("--log-level 7", Event("log", ("", "debug", ()))),
        (
            "--log-tcp-sequence --log-tcp-options --log-ip-options --log-uid --log-macdecode",
            Event("log", ("", "", ("ether", "ip options", "skuid", "tcp options", "tcp sequence"))),
        ),
    ],
)
def test_log_writes_a_line_and_goes_on(options: str, event: Event) -> None:
    rules = (f"filter: -A FORWARD -p tcp -j LOG {options}", "filter: -A FORWARD -j DROP")
    result = send("forward", *rules)
    (logged,) = events(result)
    assert (logged.kind, logged.details) == (event.kind, event.details)
    assert result.verdict == DROP
    assert events(send("forward", *rules, protocol=17)) == ()


@pytest.mark.parametrize(
    ("family", "options", "reason"),
    [
        (Family.IP, "", "icmp port-unreachable"),
        (Family.IP6, "", "icmpv6 port-unreachable"),
        (Family.IP, "icmp-net-unreachable", "icmp net-unreachable"),
        (Family.IP, "icmp-host-unreachable", "icmp host-unreachable"),
        (Family.IP, "icmp-proto-unreachable", "icmp prot-unreachable"),
        (Family.IP, "icmp-port-unreachable", "icmp port-unreachable"),
        (Family.IP, "icmp-net-prohibited", "icmp net-prohibited"),
        (Family.IP, "icmp-host-prohibited", "icmp host-prohibited"),
        (Family.IP, "icmp-admin-prohibited", "icmp admin-prohibited"),
        (Family.IP6, "icmp6-no-route", "icmpv6 no-route"),
        (Family.IP6, "icmp6-adm-prohibited", "icmpv6 admin-prohibited"),
        (Family.IP6, "icmp6-addr-unreachable", "icmpv6 addr-unreachable"),
        (Family.IP6, "icmp6-port-unreachable", "icmpv6 port-unreachable"),
        (Family.IP6, "icmp6-policy-fail", "icmpv6 policy-fail"),
        (Family.IP6, "icmp6-reject-route", "icmpv6 reject-route"),
        (Family.IP, "tcp-reset", "tcp reset"),
        (Family.IP6, "tcp-reset", "tcp reset"),
    ],
)
def test_reject_ends_the_hook_with_its_answer(family: Family, options: str, reason: str) -> None:
    option = f" --reject-with {options}" if options else ""
    rules = (
        f"filter: -A FORWARD -p tcp -j REJECT{option}",
        "filter: -A FORWARD -j LOG",
        "security: -A FORWARD -j LOG",
    )
    result = send("forward", *rules, family=family)
    assert result.verdict == Verdict("reject", reason)
    assert not events(result)
    other = send("forward", *rules, family=family, protocol=17)
    assert other.verdict == ACCEPT
    assert len(events(other)) == 2


REMARK = "mangle: -A OUTPUT -d 10.0.0.2/32 -j MARK --set-xmark 0x4000/0x4000"


def test_a_changed_mark_in_mangle_output_asks_the_routing_anew() -> None:
    assert "reroute" in kinds_of(send("output", REMARK))


def test_an_unchanged_mark_does_not() -> None:
    assert "reroute" not in kinds_of(send("output", REMARK, daddr=ip("10.0.0.3")))
    assert "reroute" not in kinds_of(send("output", REMARK, mark=0x4000))
    there_and_back = (REMARK, "mangle: -A OUTPUT -j MARK --set-xmark 0x0/0x4000")
    assert "reroute" not in kinds_of(send("output", *there_and_back))


def test_a_packet_that_is_dropped_is_not_routed_anew() -> None:
    result = send("output", REMARK, "mangle: -A OUTPUT -j DROP")
    assert result.verdict == DROP
    assert "reroute" not in kinds_of(result)
    result = send("output", REMARK, "mangle: -P OUTPUT DROP")
    assert "reroute" not in kinds_of(result)


@pytest.mark.parametrize(
    ("hook", "rule"),
    [
        ("output", "raw: -A OUTPUT -j MARK --set-xmark 0x1/0xffffffff"),
        ("output", "filter: -A OUTPUT -j MARK --set-xmark 0x1/0xffffffff"),
        ("prerouting", "mangle: -A PREROUTING -j MARK --set-xmark 0x1/0xffffffff"),
        ("postrouting", "mangle: -A POSTROUTING -j MARK --set-xmark 0x1/0xffffffff"),
    ],
)
def test_a_changed_mark_elsewhere_does_not_ask_the_routing(hook: str, rule: str) -> None:
    result = send(hook, rule)
    assert result.fields["mark"] == 1
    assert "reroute" not in kinds_of(result)


def test_tables_run_in_the_kernels_order_whatever_the_dumps_order() -> None:
    tables = ("filter", "nat", "raw", "security", "mangle")
    rules = [f"{table}: -A OUTPUT -j LOG --log-prefix {table}" for table in tables]
    found = [event.details[0] for event in events(send("output", *rules))]
    assert found == ["raw", "mangle", "nat", "filter", "security"]


def test_a_packet_that_no_chain_is_for_is_accepted() -> None:
    result = send("forward", "filter: -P INPUT DROP", "filter: -A INPUT -j DROP")
    assert result.verdict == ACCEPT
    assert not result.events


def test_what_is_logged_is_the_packet_as_it_is_then() -> None:
    rules = "mangle: -A FORWARD -j LOG", "mangle: -A FORWARD -j MARK --set-xmark 0x7/0xffffffff"
    before, after = (events(send("forward", *order)) for order in (rules, rules[::-1]))
    assert before != after
    assert [logged.details for logged in before] == [logged.details for logged in after]
