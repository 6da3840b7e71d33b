"""NAT to a port: the rules that nft takes are those that are read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import vpccni_nft
from vpccni_nft import nft

from ..support.namespaces import LoadError, Namespace

pytestmark = pytest.mark.kernel

TAKEN = (
    "meta l4proto tcp dnat ip to 10.0.0.1:80",
    "meta l4proto { tcp, udp } redirect to :80-90",
    "ip protocol { tcp, udp } redirect to :80",
    "tcp dport != 5 counter redirect to :80",
    "icmp id 5 redirect to :80",
    "meta mark set tcp dport map { 5 : 0x1 } redirect to :80",
    "ip daddr . udp dport vmap { 1.2.3.4 . 5 : continue } redirect to :80",
    "dnat ip to ip saddr . tcp dport map { 1.2.3.4 . 5 : 10.0.0.1 . 80 }",
    "dnat ip to ip saddr . meta l4proto map { 1.2.3.4 . tcp : 10.0.0.1 . 80 }",
    "meta l4proto tcp dnat ip to ip saddr map @ports",
    "dnat ip to ip saddr map { 1.2.3.4 : 10.0.0.1 }",
)
REFUSED = (
    "redirect to :80",
    "dnat ip to 10.0.0.1-10.0.0.2:80",
    "th dport 5 redirect to :80",
    "meta l4proto != tcp redirect to :80",
    "meta l4proto 6-17 redirect to :80",
    "meta l4proto . th dport { tcp . 5 } redirect to :80",
    "meta l4proto vmap { tcp : continue } redirect to :80",
    "ip protocol @protocols redirect to :80",
    "tcp option maxseg size > 5 redirect to :80",
    "redirect to :th dport map { 5 : 6 }",
    "dnat ip to ip saddr map { 1.2.3.4 : 10.0.0.1 . 80 }",
    "dnat ip to ip saddr . th dport map { 1.2.3.4 . 5 : 10.0.0.1 . 80 }",
    "dnat ip to ip saddr map @ports",
)
#: What tables of one family take alone.
TAKEN_IN_IP = ("ct protocol tcp redirect to :80",)


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    with Namespace() as one:
        yield one


def script(family: str, rule: str) -> str:
    return (
        f"add table {family} t\ndelete table {family} t\ntable {family} t {{\n"
        "\tset protocols {\n\t\ttype inet_proto\n\t\telements = { tcp, udp }\n\t}\n"
        "\tmap ports {\n\t\ttype ipv4_addr : ipv4_addr . inet_service\n\t}\n"
        "\tchain c {\n\t\ttype nat hook prerouting priority -100; policy accept;\n"
        f"\t\t{rule}\n\t}}\n}}\n"
    )


CASES = [
    *((family, rule, rule in TAKEN) for family in ("ip", "inet") for rule in (*TAKEN, *REFUSED)),
    *((family, rule, family == "ip") for family in ("ip", "inet") for rule in TAKEN_IN_IP),
]


@pytest.mark.parametrize(("family", "rule", "taken"), CASES)
def test_ports_of_any_protocol_are_refused_as_by_nft(
    namespace: Namespace, family: str, rule: str, taken: bool
) -> None:
    text = script(family, rule)
    if taken:
        namespace.load(text)
        nft.parse(text)
        return
    with pytest.raises(LoadError, match="transport protocol"):
        namespace.load(text)
    with pytest.raises(vpccni_nft.Refused, match="transport protocol") as caught:
        nft.parse(text)
    (found,) = caught.value.diagnostics
    assert found.span
    assert found.span.line == 13
