"""Named fields and raw bytes are one memory."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpccni_nft import nft
from vpccni_nft.core.values import Family
from vpccni_nft.model.concrete import Concrete, Question
from vpccni_nft.model.headers import (
    NETWORK,
    TRANSPORT,
    network_bits,
    set_bits,
    transport_bits,
    transport_field,
)
from vpccni_nft.model.hook import run_hook
from vpccni_nft.model.packet import FIELDS, State, width
from vpccni_nft.simulate.sample import chains_of


def packet(**fields: int) -> dict[str, int]:
    return {**dict.fromkeys(FIELDS, 0), "length": 100, **fields}


def mark_after(rules: str, family: Family = Family.IP, **fields: int) -> int:
    text = (
        f"table {family.value} t {{\n chain c {{\n  type filter hook forward priority 0;\n"
        f"{rules}\n }}\n}}\n"
    )
    chains = chains_of(nft.parse(text), family)
    state = run_hook(Concrete(), family, "forward", chains, packet(**fields))
    mark: int = state.fields["mark"]
    return mark


@pytest.mark.parametrize(
    ("rules", "family", "fields"),
    [
        ("@nh,8,8 5", Family.IP, {"tos": 5}),
        ("@nh,64,8 5", Family.IP, {"ttl": 5}),
        ("ip ttl set 5 @nh,64,8 5", Family.IP, {}),
        ("@nh,72,8 17", Family.IP, {"protocol": 17}),
        ("@nh,96,32 0x0a000001", Family.IP, {"saddr": 0x0A000001}),
        ("@nh,128,8 10 @nh,152,8 1", Family.IP, {"daddr": 0x0A000001}),
        ("@nh,120,16 0x010b", Family.IP, {"saddr": 1, "daddr": 0x0B000000}),
        ("ip frag-off & 0x1fff == 7", Family.IP, {"fragment": 7, "fragmented": 1}),
        ("ip frag-off & 0x2000 == 0x2000", Family.IP, {"fragmented": 1}),
        ("ip frag-off & 0x2000 == 0", Family.IP, {}),
        ("@th,16,16 80", Family.IP, {"protocol": 6, "dport": 80}),
        ("th dport 80", Family.IP, {"protocol": 17, "dport": 80}),
        ("th sport 2048", Family.IP, {"protocol": 1, "icmp_type": 8}),
        ("@th,104,8 2", Family.IP, {"protocol": 6, "tcp_flags": 2}),
        ("@nh,4,8 5", Family.IP6, {"tos": 5}),
        ("@nh,32,16 60", Family.IP6, {}),
        ("@nh,56,8 5", Family.IP6, {"ttl": 5}),
        ("@nh,312,8 9", Family.IP6, {"daddr": 9}),
        ("@th,0,8 128", Family.IP6, {"protocol": 58, "icmp_type": 128}),
    ],
)
def test_raw_bits_are_the_fields_that_stand_there(
    rules: str, family: Family, fields: dict[str, int]
) -> None:
    assert mark_after(f"{rules} meta mark set 1", family, **fields) == 1


@pytest.mark.parametrize("offset", [0, 9])
def test_a_named_port_is_the_bits_that_stand_there(offset: int) -> None:
    fields = {"protocol": 6, "fragment": offset, "fragmented": 1, "sport": 1, "dport": 2}
    state = State.start(Concrete(), Family.IP, "forward", packet(**fields))
    named = transport_field(state, 6, "dport", 16)
    assert named == transport_bits(state, 16, 16)[0]
    assert (named == 2) is (offset == 0)


@given(st.data())
def test_what_is_written_is_read(data: st.DataObject) -> None:
    family = data.draw(st.sampled_from(Family))
    draw = data.draw(st.randoms(use_true_random=False))
    fields = {name: draw.getrandbits(width(name, family)) for name in FIELDS}
    fields |= {"protocol": draw.choice((6, 17, 1, 50, 51, 108, 33, 99)), "fragment": 0}
    first, length = draw.randrange(200), draw.randrange(1, 65)
    value = draw.getrandbits(length)
    answers: dict[Question, int] = {}
    kind: Any = draw.choice((NETWORK, TRANSPORT))
    set_bits(family, fields, answers, kind, first, length, value)
    state = State.start(Concrete(answers=answers), family, "forward", fields)
    read = network_bits if kind is NETWORK else transport_bits
    found, there = read(state, first, length)
    assert there
    # The version of the header stays what it is; whether there are more fragments is one bit.
    fixed = range(4) if kind is NETWORK else range(0)
    mask = sum(1 << first + length - 1 - bit for bit in fixed if first <= bit < first + length)
    assert found & ~mask == value & ~mask
