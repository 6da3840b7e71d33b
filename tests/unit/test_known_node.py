"""What is known of a node's routing says which answers can be: no more, and no less."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vpccni_nft.core.errors import CannotRead
from vpccni_nft.core.values import Address, Family
from vpccni_nft.model.concrete import Concrete
from vpccni_nft.model.hook import BY_DEVICE, ROUTED_BY, TO_THE_NODE
from vpccni_nft.model.known_node import KnownNode
from vpccni_nft.model.oracle import Oracle, OracleKind
from vpccni_nft.model.packet import ADDRESS_TYPES, interface_word
from vpccni_nft.node.facts import kind_of, known_node

from ..support.known_nodes import ADDRESSES, ROUTES, RULES

NOWHERE = 2


def node(rules: list[dict[str, Any]] = RULES, routes: list[dict[str, Any]] = ROUTES) -> KnownNode:
    found = {"addresses.json": ADDRESSES, "routes.json": routes, "policies.json": rules}
    off = "".join(f"net/ipv4/conf/{one}/route_localnet = 0\n" for one in ("all", "eth0"))
    facts = {name: json.dumps(one) for name, one in found.items()} | {"sysctl.txt": off}
    return known_node(facts, "node")


def answers(one: KnownNode, **packet: Any) -> tuple[set[int], set[str]]:
    """The ways and the devices that a received packet's route may have."""
    fields: dict[str, int] = dict.fromkeys(ROUTED_BY, 0)
    fields |= {"iif": interface_word(packet.pop("iif", "eth0")), "protocol": 6}
    for name, value in packet.items():
        fields[name] = Address.parse(value).value if isinstance(value, str) else value
    seen = tuple(fields.values())
    world = Concrete()

    def may_be(kind: OracleKind, answer: int) -> bool:
        return bool(one.allows(world, Family.IP, Oracle(kind), seen, answer))

    ways = {way for way in (BY_DEVICE, TO_THE_NODE, NOWHERE) if may_be(OracleKind.ROUTE, way)}
    names = ("lo", "eth0", "eth1", "eni1")
    devices = {name for name in names if may_be(OracleKind.ROUTE_DEVICE, interface_word(name))}
    return ways, devices


LEAVES, STAYS, LOST = {BY_DEVICE, NOWHERE}, {TO_THE_NODE, NOWHERE}, {NOWHERE}
EVERY_WAY, EVERY_DEVICE = {BY_DEVICE, TO_THE_NODE, NOWHERE}, {"lo", "eth0", "eth1", "eni1"}


@pytest.mark.parametrize(
    ("packet", "ways", "devices"),
    [
        ({"daddr": "10.0.12.34"}, STAYS, EVERY_DEVICE),
        ({"daddr": "10.0.13.21"}, LEAVES, {"eni1"}),
        ({"daddr": "10.0.13.22"}, LEAVES, {"eth0"}),
        ({"daddr": "10.0.13.22", "saddr": "10.0.13.9"}, LEAVES, {"eth1"}),
        ({"daddr": "10.0.13.22", "saddr": "10.0.13.9", "mark": 0x84}, LEAVES, {"eth0"}),
        ({"daddr": "10.7.0.1", "saddr": "10.0.13.9"}, LEAVES, {"eth0"}),
        ({"daddr": "10.8.0.1"}, LOST, EVERY_DEVICE),
        ({"daddr": "10.9.0.1"}, LEAVES, {"eth0", "eth1"}),
        ({"daddr": "8.8.8.8"}, LOST, EVERY_DEVICE),
        ({"daddr": "10.1.1.1", "protocol": 17, "dport": 54}, LEAVES, {"eth1"}),
        ({"daddr": "10.1.1.1", "protocol": 17, "dport": 55}, LEAVES, {"eth0"}),
        # What is not looked up so, or not understood, is open.
        ({"daddr": "10.10.0.1"}, EVERY_WAY, EVERY_DEVICE),
        ({"daddr": "10.0.15.255"}, EVERY_WAY, EVERY_DEVICE),
        ({"daddr": "224.0.0.1"}, EVERY_WAY, EVERY_DEVICE),
        # From a group no packet is; one of loopback is none where the sysctl says so.
        ({"daddr": "224.0.0.1", "saddr": "224.0.0.2"}, LOST, EVERY_DEVICE),
        ({"daddr": "10.0.12.34", "saddr": "127.0.0.1"}, LOST, EVERY_DEVICE),
        ({"daddr": "10.0.12.34", "saddr": "127.0.0.1", "iif": "eni1"}, STAYS, EVERY_DEVICE),
        ({"daddr": "10.0.12.34", "iif": "lo"}, STAYS, EVERY_DEVICE),
        ({"daddr": "10.0.13.22", "iif": "lo"}, LEAVES, {"eth0"}),
    ],
)  # fmt: skip
def test_a_packet_is_routed_as_rules_and_routes_say(
    packet: dict[str, Any], ways: set[int], devices: set[str]
) -> None:
    assert answers(node(), **packet) == (ways, devices)


def test_behind_a_rule_that_is_not_read_routes_are_open_for_packets_that_it_may_match() -> None:
    strange = {"priority": 100, "src": "10.5.0.0", "srclen": 16, "l3mdev": None, "table": "7"}
    one = node([RULES[0], strange, *RULES[1:]])
    assert answers(one, daddr="10.0.13.21", saddr="10.5.0.1") == (LEAVES, EVERY_DEVICE)
    assert answers(one, daddr="10.0.12.34", saddr="10.5.0.1") == (STAYS, EVERY_DEVICE)
    assert answers(one, daddr="10.0.13.21", saddr="10.6.0.1") == (LEAVES, {"eni1"})
    assert answers(one, daddr="10.0.12.34", saddr="10.5.0.1") == (STAYS, EVERY_DEVICE)
    assert one.unseen_marks(Family.IP) == 0
    assert ["l3mdev" in doubt for doubt in one.doubts] == [True]
    turned = node([{**strange, "not": None}, *RULES])
    assert answers(turned, daddr="10.0.12.34", saddr="10.6.0.1") == (EVERY_WAY, EVERY_DEVICE)


def test_routing_sees_the_bits_that_rules_name() -> None:
    assert node().unseen_marks(Family.IP) == 0xFFFFFFFF & ~0x80
    assert node().unseen_marks(Family.IP6) == 0  # of which nothing is known


@pytest.mark.parametrize(
    ("address", "device", "kinds"),
    [
        ("10.0.12.34", "", {"local"}),
        ("10.0.12.34", "eni1", {"local", "unicast"}),
        ("10.0.13.21", "", {"unicast"}),
        ("10.0.15.255", "", {"broadcast"}),
        ("224.0.0.1", "", set()),
        ("0.0.0.7", "", {"broadcast"}),
    ],
)
def test_an_address_has_the_type_that_the_local_table_gives(
    address: str, device: str, kinds: set[str]
) -> None:
    asked = (Address.parse(address).value, interface_word(device))
    oracle, world, one = Oracle(OracleKind.FIB_TYPE), Concrete(), node()
    assert kinds == {
        kind
        for kind in ("local", "unicast", "broadcast")
        if one.allows(world, Family.IP, oracle, asked, ADDRESS_TYPES[kind])
    }


def test_the_output_of_ip_is_known_by_what_it_has() -> None:
    texts = [json.dumps(one) for one in (ADDRESSES, ROUTES, RULES)]
    assert list(map(kind_of, texts)) == ["addresses.json", "routes.json", "policies.json"]
    six = [{"dst": "fd00::/8", "dev": "eth0"}], [{"priority": 3, "src": "fd00::1", "table": "2"}]
    assert [kind_of(json.dumps(one)) for one in six] == ["routes6.json", "policies6.json"]
    assert {kind_of(text) for text in ("", "[]", "{}", "*filter", "[1]")} == {""}


@pytest.mark.parametrize("text", ["[", "{}", "[1]", '[{"dst": "nowhere"}]'])
def test_what_ip_does_not_print_is_refused(text: str) -> None:
    with pytest.raises(CannotRead):
        known_node({"routes.json": text, "policies.json": "[]"}, "node")


def test_ipv6_may_pass_over_a_route_that_cannot_be_reached() -> None:
    routes = [
        {"dst": "default", "dev": "eth0", "metric": 1024, "flags": []},
        {"dst": "fd00::/64", "dev": "eth1", "metric": 256, "flags": []},
        {"type": "local", "dst": "fd00::1", "dev": "eth1", "table": "local", "flags": []},
    ]
    rules = [{"priority": 0, "src": "all", "table": "local"},
             {"priority": 32766, "src": "all", "table": "main"}]  # fmt: skip
    one = known_node({"routes6.json": json.dumps(routes), "policies6.json": json.dumps(rules)}, "n")
    fields = dict.fromkeys(ROUTED_BY, 0) | {"iif": interface_word("eth0")}
    found = {}
    for daddr in ("fd00::1", "fd00::2", "2001:db8::1"):
        seen = tuple({**fields, "daddr": Address.parse(daddr).value}.values())
        found[daddr] = [
            one.allows(Concrete(), Family.IP6, Oracle(kind), seen, answer)
            for kind, answer in (
                (OracleKind.ROUTE, TO_THE_NODE),
                (OracleKind.ROUTE_DEVICE, interface_word("eth0")),
                (OracleKind.ROUTE_DEVICE, interface_word("eth1")),
            )
        ]
    assert found == {
        "fd00::1": [True, True, True],
        "fd00::2": [False, True, True],
        "2001:db8::1": [False, True, False],
    }
