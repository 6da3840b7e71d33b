"""What sets keep beside their elements, and named fields that are read from the bytes."""

from __future__ import annotations

import pytest

import vpccni_nft
from vpccni_nft.proof.answers import Different, Equivalent, Unknown

LIMIT = "add @s { ip saddr limit rate 1/second burst 5 packets } drop"


def ruleset(rules: str, listed: str = "", timeout: str = "") -> str:
    elements = f"elements = {{ {listed} }}" if listed else ""
    flags = "dynamic,timeout" if timeout else "dynamic"
    return f"""table ip t {{
    set s {{ type ipv4_addr; size 1024; flags {flags}; {timeout}
        {elements}
    }}
    chain c {{
        type filter hook forward priority 0; policy accept;
        {rules}
    }}
}}
"""


def test_an_element_that_is_listed_has_no_limit() -> None:
    with_one = ruleset(LIMIT, "10.0.0.1")
    assert isinstance(vpccni_nft.verify(with_one, with_one), Equivalent)
    assert isinstance(vpccni_nft.verify(with_one, ruleset(LIMIT)), Different)
    before_it = ruleset(f"ip saddr 10.0.0.1 drop\n{LIMIT}", "10.0.0.1")
    assert isinstance(vpccni_nft.verify(with_one, before_it), Equivalent)


@pytest.mark.parametrize(
    ("rules", "timeout"),
    [(LIMIT, "timeout 1m;"), (f"delete @s {{ ip saddr }}\n{LIMIT}", "")],
)
def test_whether_a_listed_element_is_still_there_is_not_known(rules: str, timeout: str) -> None:
    text = ruleset(rules, "10.0.0.1", timeout)
    assert isinstance(vpccni_nft.verify(text, text.replace("10.0.0.1", "10.0.0.2")), Unknown)


@pytest.mark.parametrize(
    ("named", "raw"),
    [
        ("ip id 5", "@nh,32,16 5"),
        ("ip protocol 6", "meta l4proto 6"),
        ("ip length 60", "meta length 60"),
        ("tcp window 5", "meta l4proto 6 @th,112,16 5"),
        ("udp length 8", "meta l4proto 17 @th,32,16 8"),
    ],
)
def test_a_field_without_a_word_of_its_own_is_its_bytes(named: str, raw: str) -> None:
    assert isinstance(
        vpccni_nft.verify(ruleset(f"{named} drop"), ruleset(f"{raw} drop")), Equivalent
    )
    other = raw[:-1] + "7"
    answer = vpccni_nft.verify(ruleset(f"{named} drop"), ruleset(f"{other} drop"))
    assert isinstance(answer, Different)
