"""What targets do to a packet at a hook, and how tables, chains and verdicts play together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import attrs
import pytest

import vpccni_nft
from vpccni_nft.core.values import Address, Family
from vpccni_nft.model.algebra import Bool
from vpccni_nft.model.concrete import Concrete
from vpccni_nft.model.hook import BaseChain, Outcome, outcome, run_hook
from vpccni_nft.model.lookup import Indices
from vpccni_nft.model.oracle import Oracle, OracleKind
from vpccni_nft.model.packet import (
    ACCEPT,
    ADDRESSES,
    DROP,
    FIELDS,
    STATE_BITS,
    STATUS_BITS,
    Binding,
    Event,
    State,
    Verdict,
    interface_word,
)
from vpccni_nft.semantics.iptables import PLACES, base_chains

INVALID, UNTRACKED, NEW = (STATE_BITS[name] for name in ("invalid", "untracked", "new"))
ESTABLISHED = STATE_BITS["established"]


def kinds_of(result: Outcome) -> list[str]:
    return [event.kind for event in result.events]


def ip(text: str) -> int:
    return Address.parse(text).value


def packet(family: Family, **changes: int) -> dict[str, int]:
    """The first packet of a TCP connection from 10.0.0.1:40000 to 10.0.0.2:80."""
    source, destination = (
        ("10.0.0.1", "10.0.0.2") if family is Family.IP else ("fd00::1", "fd00::2")
    )
    fields = dict.fromkeys(FIELDS, 0) | {
        "iif": interface_word("eni1"),
        "oif": interface_word("eth0"),
        "protocol": 6,
        "length": 60,
        "sport": 40000,
        "dport": 80,
        "tcp_flags": 2,
        "ct_state": NEW,
        "ct_protocol": 6,
    }
    for field in ADDRESSES:
        fields[field] = ip(source if field.endswith("saddr") else destination)
    assert fields.keys() >= changes.keys()
    return fields | changes


def chains_of(rules: Iterable[str], family: Family) -> Iterator[BaseChain]:
    """Base chains of rules and policies that are written ``TABLE: -A ...`` or ``TABLE: -P ...``."""
    tables: dict[str, list[str]] = {}
    for rule in rules:
        table, _, words = rule.partition(": ")
        tables.setdefault(table, []).append(words)
    for table, lines in tables.items():
        own = sorted({name for line in lines for name in re.findall(r"-[Ajg] ([a-z]\S*)", line)})
        policies = {chain: "ACCEPT" for place, chain in PLACES if place == table}
        policies |= dict(line.split()[1:] for line in lines if line.startswith("-P "))
        dump = [
            f"*{table}",
            *(f":{chain} {policy} [0:0]" for chain, policy in policies.items()),
            *(f":{chain} - [0:0]" for chain in own),
            *(line for line in lines if line.startswith("-A ")),
            "COMMIT",
            "",
        ]
        (parsed,) = vpccni_nft.parse("\n".join(dump), family=family).tables
        yield from base_chains(parsed)


@attrs.define
class Probe:
    """A chain of one rule that notes what it sees of a packet, or changes it."""

    hook: str
    priority: int
    changes: dict[str, int] = attrs.Factory(dict)
    seen: dict[str, int] = attrs.Factory(dict)

    table = "probe"
    other = ""
    names = {"probe": "probe"}  # noqa: RUF012
    indices = Indices()

    def rules(self, _chain: str) -> tuple[str]:
        return ("probe",)

    def rule(self, _chain: str, _number: int, state: State, live: Bool) -> tuple[Bool, Bool]:
        self.seen.update(state.fields)
        state.fields.update(self.changes)
        return live, False

    @property
    def chain(self) -> BaseChain:
        return BaseChain(self.hook, self.priority, "filter", False, self, "probe")


def send(
    hook: str,
    *rules: str,
    family: Family = Family.IP,
    world: Concrete | None = None,
    probes: Iterable[Probe] = (),
    **changes: int,
) -> Outcome:
    """What becomes of a packet at a hook."""
    chains = [*(probe.chain for probe in probes), *chains_of(rules, family)]
    fields = packet(family, **changes)
    return outcome(run_hook(world or Concrete(), family, hook, chains, fields))


def events(result: Outcome) -> tuple[Event, ...]:
    """What happened besides that rules counted."""
    return tuple(event for event in result.events if event.kind != "count")


def count(result: Outcome) -> int:
    """How many rules fitted."""
    return sum(event.kind == "count" for event in result.events)


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


DNAT = "nat: -A OUTPUT -d 10.0.0.2/32 -p tcp -j DNAT --to-destination 10.9.9.9:8080"


def test_dnat_rewrites_the_destination_for_later_chains() -> None:
    rules = (DNAT, "filter: -A OUTPUT -d 10.9.9.9/32 -j DROP")
    assert send("output", *rules).verdict == DROP
    assert send("output", *rules, daddr=ip("10.0.0.3")).verdict == ACCEPT
    result = send("output", DNAT, "filter: -A OUTPUT -d 10.0.0.2/32 -j DROP")
    assert result.verdict == ACCEPT
    assert result.bindings == (Binding("dnat", (ip("10.9.9.9"),) * 2, (8080, 8080)),)
    assert (result.fields["daddr"], result.fields["dport"]) == (ip("10.9.9.9"), 8080)
    assert (result.fields["saddr"], result.fields["sport"]) == (ip("10.0.0.1"), 40000)
    assert result.fields["dnat_done"] == 1
    assert result.fields["ct_status"] == STATUS_BITS["dnat"]


def test_chains_before_nat_see_the_old_destination() -> None:
    result = send("output", DNAT, "mangle: -A OUTPUT -d 10.0.0.2/32 -j DROP")
    assert result.verdict == DROP
    assert not result.bindings


def test_a_binding_ends_the_table_as_accept_does() -> None:
    rules = (
        "nat: -A OUTPUT -j one", "nat: -A OUTPUT -j LOG",
        "nat: -A one -p tcp -j DNAT --to-destination 10.9.9.9",
        "nat: -A one -p tcp -j DNAT --to-destination 10.8.8.8",
    )  # fmt: skip
    result = send("output", *rules)
    assert result.bindings == (Binding("dnat", (ip("10.9.9.9"),) * 2),)
    assert result.fields["dport"] == 80
    assert not events(result)


def test_accept_in_nat_binds_nothing() -> None:
    result = send("output", "nat: -A OUTPUT -j ACCEPT", DNAT)
    assert not result.bindings
    assert result.fields["daddr"] == ip("10.0.0.2")


def test_a_binding_to_what_is_there_already_is_no_translation() -> None:
    rule = "nat: -A OUTPUT -p tcp -j DNAT --to-destination 10.0.0.2:80"
    result = send("output", rule)
    assert len(result.bindings) == 1
    assert result.fields["ct_status"] == 0


@pytest.mark.parametrize("state", ["established", "invalid", "untracked"])
def test_nat_chains_are_skipped_unless_a_connection_begins(state: str) -> None:
    result = send("output", DNAT, ct_state=STATE_BITS[state])
    assert not result.bindings
    assert not result.events


def test_nat_chains_see_related_packets() -> None:
    assert len(send("output", DNAT, ct_state=STATE_BITS["related"]).bindings) == 1


def test_nat_chains_are_skipped_where_the_end_is_bound_already() -> None:
    assert not send("output", DNAT, dnat_done=1).bindings
    assert len(send("output", DNAT, snat_done=1).bindings) == 1


@pytest.mark.parametrize(
    ("target", "binding"),
    [
        ("10.9.9.9", Binding("dnat", (ip("10.9.9.9"), ip("10.9.9.9")))),
        ("10.9.9.1-10.9.9.9", Binding("dnat", (ip("10.9.9.1"), ip("10.9.9.9")))),
        (":8080", Binding("dnat", None, (8080, 8080))),
        (":8080-8090", Binding("dnat", None, (8080, 8090))),
        (":8080-8090/80", Binding("dnat", None, (8080, 8090), frozenset({"base 80"}))),
        (
            "10.9.9.9:80 --random --persistent",
            Binding("dnat", (ip("10.9.9.9"),) * 2, (80, 80), frozenset({"random", "persistent"})),
        ),
    ],
)
def test_dnat_binds_to_its_ranges_and_flags(target: str, binding: Binding) -> None:
    rule = f"nat: -A PREROUTING -p tcp -j DNAT --to-destination {target}"
    assert send("prerouting", rule).bindings == (binding,)
    assert not send("prerouting", rule, protocol=17).bindings


def test_dnat_binds_to_addresses_of_ipv6() -> None:
    rule = "nat: -A PREROUTING -p tcp -j DNAT --to-destination [fd00::9]:81"
    result = send("prerouting", rule, family=Family.IP6)
    assert result.bindings == (Binding("dnat", (ip("fd00::9"), ip("fd00::9")), (81, 81)),)
    assert result.fields["daddr"] == ip("fd00::9")


def test_the_kernel_chooses_among_the_addresses_of_a_range() -> None:
    world = Concrete()
    rule = "nat: -A PREROUTING -p tcp -j DNAT --to-destination 10.9.9.1-10.9.9.9"
    result = send("prerouting", rule, world=world)
    (answer,) = world.asked.values()
    assert result.fields["daddr"] == answer
    assert result.fields["dport"] == 80


@pytest.mark.parametrize(
    ("options", "binding"),
    [
        ("10.9.9.9", Binding("snat", (ip("10.9.9.9"), ip("10.9.9.9")))),
        ("10.9.9.9:1024-1024", Binding("snat", (ip("10.9.9.9"),) * 2, (1024, 1024))),
        (":1024-65535", Binding("snat", None, (1024, 65535))),
        (
            "10.9.9.1-10.9.9.9 --random-fully --persistent",
            Binding(
                "snat",
                (ip("10.9.9.1"), ip("10.9.9.9")),
                None,
                frozenset({"fully-random", "persistent"}),
            ),
        ),
    ],
)
def test_snat_binds_to_its_ranges_and_flags(options: str, binding: Binding) -> None:
    rule = f"nat: -A POSTROUTING -o eth0 -p tcp -j SNAT --to-source {options}"
    assert send("postrouting", rule).bindings == (binding,)
    assert not send("postrouting", rule, oif=interface_word("eth1")).bindings


@pytest.mark.parametrize(("hook", "chain"), [("input", "INPUT"), ("postrouting", "POSTROUTING")])
def test_snat_rewrites_the_source_and_not_the_destination(hook: str, chain: str) -> None:
    rule = f"nat: -A {chain} -j SNAT --to-source 10.9.9.9"
    result = send(hook, rule, dnat_done=1, ct_status=STATUS_BITS["dnat"])
    assert (result.fields["saddr"], result.fields["sport"]) == (ip("10.9.9.9"), 40000)
    assert result.fields["daddr"] == ip("10.0.0.2")
    assert result.fields["snat_done"] == 1
    assert result.fields["ct_status"] == STATUS_BITS["snat"] | STATUS_BITS["dnat"]
    assert not send(hook, rule, snat_done=1).bindings


def test_masquerade_binds_to_an_address_of_the_outgoing_interface() -> None:
    world = Concrete(
        answers={(Oracle(OracleKind.PRIMARY_ADDRESS), (interface_word("eth0"),)): ip("192.0.2.1")}
    )
    rule = "nat: -A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE --random-fully"
    result = send("postrouting", rule, world=world)
    assert result.bindings == (Binding("masquerade", None, None, frozenset({"fully-random"})),)
    assert result.fields["saddr"] == ip("192.0.2.1")
    assert result.fields["daddr"] == ip("10.0.0.2")
    assert not send("postrouting", rule, saddr=ip("172.16.0.1")).bindings


def test_masquerade_binds_to_ports() -> None:
    rule = "nat: -A POSTROUTING -p tcp -j MASQUERADE --to-ports 1024-1024"
    result = send("postrouting", rule)
    assert result.bindings == (Binding("masquerade", None, (1024, 1024)),)
    assert result.fields["sport"] == 1024


def test_redirect_of_what_comes_in_leads_to_an_address_of_its_interface() -> None:
    world = Concrete(
        answers={(Oracle(OracleKind.PRIMARY_ADDRESS), (interface_word("eni1"),)): ip("192.0.2.1")}
    )
    rule = "nat: -A PREROUTING -p tcp -j REDIRECT --to-ports 15001 --random"
    result = send("prerouting", rule, world=world)
    assert result.bindings == (Binding("redirect", None, (15001, 15001), frozenset({"random"})),)
    assert (result.fields["daddr"], result.fields["dport"]) == (ip("192.0.2.1"), 15001)
    assert not send("prerouting", rule, protocol=17).bindings


@pytest.mark.parametrize(("family", "host"), [(Family.IP, "127.0.0.1"), (Family.IP6, "::1")])
def test_redirect_of_what_this_host_sends_leads_to_its_loopback(family: Family, host: str) -> None:
    result = send("output", "nat: -A OUTPUT -j REDIRECT", family=family)
    assert result.bindings == (Binding("redirect"),)
    assert (result.fields["daddr"], result.fields["dport"]) == (ip(host), 80)


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
        DNAT,
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
