"""What the targets that translate addresses do to a packet at a hook."""

from __future__ import annotations

import pytest

from vpccni_nft.core.values import Family
from vpccni_nft.model.concrete import Concrete
from vpccni_nft.model.oracle import Oracle, OracleKind
from vpccni_nft.model.packet import (
    ACCEPT,
    DROP,
    STATE_BITS,
    STATUS_BITS,
    Binding,
    interface_word,
)

from ..support.meanings_of_targets import events, ip, send

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
