"""What nft's comparisons and settings mean where a literal and a value are not of one width."""

from __future__ import annotations

import pytest

import vpccni_nft
from vpccni_nft.core.values import Family
from vpccni_nft.model.concrete import Concrete
from vpccni_nft.model.hook import outcome, run_hook
from vpccni_nft.model.packet import DROP, FIELDS, NoMeaning, State
from vpccni_nft.proof.terms import Terms
from vpccni_nft.semantics.nft import base_chains

PACKET = dict.fromkeys(FIELDS, 0) | {
    "protocol": 6, "length": 0xFFFF, "ttl": 64, "tos": 0xBB, "ct_state": 8, "mark": 0xFFFFFFFF,
    "packet_type": 2,
}  # fmt: skip


def run(rule: str) -> State:
    text = f"table ip t {{\nchain c {{\ntype filter hook forward priority 0\n{rule}\n}}\n}}\n"
    chains = base_chains(vpccni_nft.nft.parse(text).tables[0])
    return run_hook(Concrete(), Family.IP, "forward", chains, PACKET)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("meta length > 65535", False),
        ("meta length >= 65536", False),
        ("meta length < 65536", True),
        ("meta length <= 4294967295", True),
        ("meta length 131071", False),
        ("meta length != 131071", True),
        ("meta length 65535-131071", True),
        ("meta length 65536-131071", False),
        ("meta length { 131071, 65536-70000 }", False),
        ("meta random & 2147483647 < 2147483648", True),
        ("meta random & 2147483647 >= 2147483648", False),
        ("fib daddr type 258", False),
        ("meta length & 0x1ffff == 0xffff", True),
        ("meta length & 0x1ffff == 0x1ffff", False),
        ("meta length | 0x10000 == 0x1ffff", True),
        ("meta length ^ 0x10000 == 0x1ffff", True),
    ],
)
def test_a_literal_wider_than_what_there_can_be(condition: str, holds: bool) -> None:
    assert (outcome(run(f"{condition} drop")).verdict == DROP) is holds


@pytest.mark.parametrize(
    ("value", "mark"),
    [
        ("ip dscp", 0x2E),
        ("ip ecn", 3),
        ("ip ttl", 64),
        ("meta length", 0xFFFF),
        ("ip dscp & 0x6", 6),
        ("meta pkttype", 2),
        ("ct state", 8),
    ],
)
def test_a_mark_is_set_to_a_narrower_value(value: str, mark: int) -> None:
    assert run(f"meta mark set {value}").fields["mark"] == mark


@pytest.mark.parametrize(
    "rule",
    [
        "ip ttl set meta mark",
        "ip dscp set ip ttl",
        "meta mark set ct bytes",
        'fib saddr . iif oifname "eth0" drop',
        "fib saddr . iif oif 1 drop",
    ],
)
def test_what_would_be_cut_has_no_meaning(rule: str) -> None:
    with pytest.raises(NoMeaning):
        run(rule)


@pytest.mark.parametrize(("value", "bits"), [(256, 8), (2, 1), (-1, 32), (1 << 128, 128)])
def test_no_constant_is_cut(value: int, bits: int) -> None:
    for algebra in (Concrete(), Terms()):
        with pytest.raises(ValueError, match="no word"):
            algebra.const(value, bits)
