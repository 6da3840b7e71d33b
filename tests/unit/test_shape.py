"""Shapes of a change: what is renamed, and what is not."""

from __future__ import annotations

import pytest

from vpccni_nft.core.span import Source
from vpccni_nft.node.kube_proxy.on_node import Mode
from vpccni_nft.node.kube_proxy.predict import Given
from vpccni_nft.node.kube_proxy.shape import shape_of
from vpccni_nft.node.kube_proxy.switching import predicted, recorded
from vpccni_nft.node.kube_proxy.write_nftables import TableForm
from vpccni_nft.proof.side import Side

from ..support.services import SERVICE_CIDR, kube_proxy

GIVEN = Given(node_ips=("192.168.0.2",), service_cidrs=(SERVICE_CIDR,))


def others(*rules: str, chains: tuple[str, ...] = ()) -> str:
    declared = "".join(f":{chain} - [0:0]\n" for chain in chains)
    lines = "".join(f"-A {rule}\n" for rule in rules)
    return f"*mangle\n:FORWARD ACCEPT [0:0]\n{declared}{lines}COMMIT\n"


def shape(*texts: str) -> str:
    side = Side.of((Source.of("".join(texts), "node.save"),))
    return shape_of(predicted(side, Mode.NFTABLES, TableForm.V1_33, GIVEN))


#: Pairs of nodes that have one answer.
ALIKE = {
    "endpoints have other addresses": (
        kube_proxy("10.180.0.1", "10.180.0.2"), kube_proxy("10.180.7.9", "10.180.0.1"),
    ),
    "the node has another address": (
        kube_proxy("10.180.0.1") + others("FORWARD -s 192.168.0.7/32 -j DROP"),
        kube_proxy("10.180.0.1") + others("FORWARD -s 192.168.0.8/32 -j DROP"),
    ),
    "a rule is for another interface": (
        kube_proxy("10.180.0.1") + others("FORWARD -i eni1 -j DROP", "FORWARD -i eni+ -j ACCEPT"),
        kube_proxy("10.180.0.1") + others("FORWARD -i eni2 -j DROP", "FORWARD -i eni+ -j ACCEPT"),
    ),
    "a chain has another name, and a comment is another one": (
        kube_proxy("10.180.0.1")
        + others("FORWARD -m comment --comment a -j A", "A -j DROP", chains=("A", "B")),
        kube_proxy("10.180.0.1")
        + others("FORWARD -m comment --comment c -j C", "C -j DROP", chains=("B", "C")),
    ),
    "counters": (
        kube_proxy("10.180.0.1") + others("FORWARD -j DROP"),
        kube_proxy("10.180.0.1") + others("FORWARD -j DROP").replace("[0:0]", "[5:300]"),
    ),
}  # fmt: skip

_NETWORK = others("FORWARD -s 10.180.0.0/24 -j DROP")
_RANGE = others("FORWARD -m conntrack --ctorigdst 10.180.0.0/24 -j DROP")
_BITS = others('FORWARD -m u32 --u32 "0xc&0xff=0x1" -j DROP')

#: Pairs of nodes of which one may differ where the other does not.
APART = {
    "more endpoints": (kube_proxy("10.180.0.1"), kube_proxy("10.180.0.1", "10.180.0.2")),
    "another Service": (kube_proxy("10.180.0.1"), kube_proxy("10.180.0.1", service="svc2")),
    "an endpoint in a network that a rule names": (
        kube_proxy("10.180.0.1") + _NETWORK, kube_proxy("10.180.1.1") + _NETWORK,
    ),
    "an endpoint in a network that a match names": (
        kube_proxy("10.180.0.1") + _RANGE, kube_proxy("10.180.1.1") + _RANGE,
    ),
    "an endpoint that is the address of a rule": (
        kube_proxy("10.180.0.1") + others("FORWARD -d 10.180.0.1/32 -j DROP"),
        kube_proxy("10.180.0.2") + others("FORWARD -d 10.180.0.1/32 -j DROP"),
    ),
    "an endpoint that is the Service's address": (
        kube_proxy("10.180.0.1"), kube_proxy("172.30.0.41"),
    ),
    "an endpoint that is local to every host": (kube_proxy("10.180.0.1"), kube_proxy("127.0.0.9")),
    "an endpoint whose bits a rule reads": (
        kube_proxy("10.180.0.1") + _BITS, kube_proxy("10.180.0.2") + _BITS,
    ),
    "an interface that a pattern fits": (
        kube_proxy("10.180.0.1") + others("FORWARD -i eni1 -j DROP", "FORWARD -i eni+ -j ACCEPT"),
        kube_proxy("10.180.0.1") + others("FORWARD -i eth1 -j DROP", "FORWARD -i eni+ -j ACCEPT"),
    ),
    "the loopback device": (
        kube_proxy("10.180.0.1") + others("FORWARD -i eni1 -j DROP"),
        kube_proxy("10.180.0.1") + others("FORWARD -i lo -j DROP"),
    ),
    "chains that do the same in another order": (
        kube_proxy("10.180.0.1")
        + others("FORWARD -j A", "FORWARD -j B", "A -j DROP", "B -j ACCEPT", chains=("A", "B")),
        kube_proxy("10.180.0.1")
        + others("FORWARD -j B", "FORWARD -j A", "A -j DROP", "B -j ACCEPT", chains=("A", "B")),
    ),
    "a mark": (
        kube_proxy("10.180.0.1") + others("FORWARD -j MARK --set-xmark 0x1/0x1"),
        kube_proxy("10.180.0.1") + others("FORWARD -j MARK --set-xmark 0x2/0x2"),
    ),
    "a policy": (
        kube_proxy("10.180.0.1") + others(),
        kube_proxy("10.180.0.1") + others().replace("FORWARD ACCEPT", "FORWARD DROP"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ALIKE)
def test_what_only_has_other_names_is_of_one_shape(case: str) -> None:
    one, other = ALIKE[case]
    assert shape(one) == shape(other)


@pytest.mark.parametrize("case", APART)
def test_what_may_have_another_answer_is_of_another_shape(case: str) -> None:
    one, other = APART[case]
    assert shape(one) != shape(other)


def test_a_question_that_names_addresses_asks_for_the_content() -> None:
    sides = [
        Side.of((Source.of(kube_proxy(end), "node.save"),)) for end in ("10.180.0.1", "10.180.0.2")
    ]
    changes = [recorded(side, side) for side in sides]
    assert len({shape_of(one) for one in changes}) == 1
    assert len({shape_of(one, renames=False) for one in changes}) == 2


def test_native_tables_are_renamed_too_unless_they_read_bits() -> None:
    def native(rule: str) -> str:
        hook = "type filter hook forward priority 5; policy accept;"
        text = f"table ip own {{\n\tchain c {{\n\t\t{hook}\n\t\t{rule}\n\t}}\n}}\n"
        sources = Source.of(kube_proxy("10.180.0.1"), "a.save"), Source.of(text, "nft.txt")
        side = Side.of(sources)
        return shape_of(predicted(side, Mode.NFTABLES, TableForm.V1_33, GIVEN))

    assert native("ip saddr 192.0.2.1 drop") == native("ip saddr 192.0.2.2 drop")
    assert native("ip saddr 192.0.2.1 drop") != native("ip saddr 10.180.0.1 drop")
    bits = [
        native(f"ip saddr & 0.0.0.255 == 0.0.0.1 ip daddr 192.0.2.{end} drop") for end in (1, 2)
    ]
    assert bits[0] != bits[1]
