"""Tables whose rules are not read: what an answer says of them."""

from __future__ import annotations

import pytest

import vpccni_nft
from vpccni_nft.core.diagnostics import UNREAD_RULES
from vpccni_nft.core.span import Source
from vpccni_nft.proof.answers import Answer, Different, Equivalent, Unknown
from vpccni_nft.simulate.explain import explain

RULES = "table ip t {{\n chain c {{\n type filter hook input priority 0\n {}\n }}\n}}\n"
SAME, OTHER = RULES.format("tcp dport 22 drop"), RULES.format("tcp dport 23 drop")

AT = "type filter hook {} priority 0; policy accept;"
INGRESS = f"chain c {{\n{AT.format('ingress device eth0')}\ncounter packets 5 bytes 9 drop\n}}\n"
NETDEV = f"table netdev n {{\n{INGRESS}}}\n"
BRIDGE = f"table bridge b {{\nchain c {{\n{AT.format('forward')}\nvlan id 5 drop\n}}\n}}\n"
ARP = f"table arp a {{\nchain c {{\n{AT.format('input')}\narp operation 1 drop\n}}\n}}\n"
INET = f"table inet i {{\n{INGRESS}}}\n"


def answer(before: str, after: str) -> Answer:
    return vpccni_nft.verify(before, after)


@pytest.mark.parametrize("table", [NETDEV, BRIDGE, INET], ids=["netdev", "bridge", "ingress"])
def test_what_is_not_read_is_unknown_on_one_side_and_a_sentence_on_both(table: str) -> None:
    for sides in ((SAME, SAME + table), (SAME + table, SAME)):
        found = answer(*sides)
        assert isinstance(found, Unknown)
        assert {one.code for one in found.reasons} == {UNREAD_RULES}
    both = answer(SAME + table, table.replace("5 bytes 9", "6 bytes 8") + SAME)
    if "packets" in table and "inet" in table:
        return  # counters of rules that are read are part of them
    assert isinstance(both, Equivalent)
    assert any(
        "is the same on both sides: its rules are not read" in one for one in both.assumptions
    )


def test_a_difference_is_shown_although_a_packet_may_not_come_there() -> None:
    found = answer(SAME + NETDEV, OTHER + NETDEV)
    assert isinstance(found, Different)
    assert [one.code for one in found.reasons] == [UNREAD_RULES]
    found = answer(SAME, OTHER + NETDEV)
    assert isinstance(found, Different)
    assert [one.code for one in found.reasons] == [UNREAD_RULES]


@pytest.mark.parametrize("table", [ARP, "table bridge b {\n chain c {\n drop\n }\n}\n"])
def test_what_no_packet_comes_to_is_said(table: str) -> None:
    found = answer(SAME, SAME + table)
    assert isinstance(found, Equivalent)
    assert any(
        "no packet of IPv4 or IPv6 comes to the rules of" in one for one in found.assumptions
    )


FLOW = "flowtable f {\nhook ingress priority 0\ndevices = { eth0, eth1 }\n}\n"
FLOWS = f"table ip t {{\n{FLOW}chain c {{\n{AT.format('forward')}\n"
FLOWS += "ip protocol tcp flow add @f\n}\n}\n"


def test_a_flowtable_is_unknown_on_one_side_and_a_sentence_on_both() -> None:
    found = answer(FLOWS, FLOWS)
    assert isinstance(found, Equivalent)
    assert any("packets that belong to its connections by eth0" in one for one in found.assumptions)
    unused = FLOWS.replace("ip protocol tcp flow add @f\n", "")
    found = answer(unused, unused.replace(FLOW, ""))
    assert isinstance(found, Unknown)
    assert isinstance(answer(FLOWS, FLOWS.replace("protocol tcp", "protocol udp")), Different)


def test_the_devices_are_named() -> None:
    table = NETDEV.replace("device eth0", 'devices = { "eth0", eth1 }').replace("ingress", "egress")
    found = answer(SAME, SAME + table)
    assert isinstance(found, Unknown)
    assert "that leave by eth0, eth1" in found.reasons[0].message


@pytest.mark.parametrize(
    ("table", "packet", "line"),
    [
        (NETDEV, "hook=input iif=eth0", "packets that come in by eth0 may be dropped or changed"),
        (NETDEV, "hook=input iif=eth1", "this packet does not come to it"),
        (NETDEV, "hook=output", "this packet does not come to it"),
        (NETDEV.replace("ingress", "egress"), "hook=output oif=eth0", "packets that leave by eth0"),
        (NETDEV.replace("ingress", "egress"), "hook=output oif=e1", "does not come to it"),
        (INET, "hook=input iif=eth0", "packets that come in by eth0 may be dropped or changed"),
        (BRIDGE, "hook=input iif=eth0", "packets that cross a bridge may be dropped or changed"),
        (ARP, "hook=input iif=eth0", "this packet does not come to it"),
    ],
)
def test_explain_says_whether_a_packet_comes_to_what_is_not_read(
    table: str, packet: str, line: str
) -> None:
    source = Source.of(table + SAME, "node.nft")
    (found,) = explain([source], f"{packet} saddr=10.0.0.1 daddr=10.0.0.2").not_read
    assert line in found


def test_a_dormant_table_does_nothing() -> None:
    dormant = OTHER.replace("table ip t {", "table ip u {\nflags dormant")
    found = answer(SAME, SAME + dormant)
    assert isinstance(found, Equivalent)
    woken = f"{dormant}add table ip u {{ flags dormant; }}\n".replace("flags dormant\n", "", 1)
    assert isinstance(answer(SAME, SAME + woken), Equivalent)
    assert isinstance(answer(SAME, SAME + dormant.replace("flags dormant", "")), Different)
