"""What a proof costs grows with the rules, and no faster: terms are counted, not seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vpccni_nft
from vpccni_nft import Equivalent
from vpccni_nft.proof.budget import Budget

if TYPE_CHECKING:
    from collections.abc import Callable


def node_ports(count: int) -> str:
    """A chain that sends each of some ports to a chain of its own."""
    chains = [f":EXT-{number} - [0:0]" for number in range(count)]
    rules = [f"-A PORTS -p tcp --dport {30000 + number} -j EXT-{number}" for number in range(count)]
    ends = [
        f"-A EXT-{number} -p tcp -j DNAT --to-destination 10.0.{number}.1:80"
        for number in range(count)
    ]
    return "\n".join(
        ("*nat", ":PREROUTING ACCEPT [0:0]", ":PORTS - [0:0]", *chains, "-A PREROUTING -j PORTS",
         *rules, *ends, "COMMIT", "")
    )  # fmt: skip


def logged(count: int) -> str:
    """A chain that logs packets to each of some ports before it accepts them."""
    rules = [
        f"-A FORWARD -s 10.0.0.0/8 -p tcp --dport {1000 + number} -j {target}"
        for number in range(count)
        for target in (f'LOG --log-prefix "{number}"', "ACCEPT")
    ]
    return "\n".join(("*filter", ":FORWARD ACCEPT [0:0]", *rules, "COMMIT", ""))


def terms_of(dump: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many terms it takes to prove what the optimizer makes of a dump."""
    made = 0

    def note(_self: Budget, count: int) -> None:
        nonlocal made
        made = max(made, count)

    with monkeypatch.context() as patched:
        patched.setattr(Budget, "check_terms", note)
        translation = vpccni_nft.translate(dump, optimize=True).script()
        assert isinstance(vpccni_nft.verify(dump, translation), Equivalent)
    return made


@pytest.mark.parametrize("make", [node_ports, logged])
def test_three_times_as_many_rules_take_no_more_than_three_times_as_many_terms(
    make: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = (terms_of(make(count), monkeypatch) for count in (20, 60))
    assert many < 3.2 * few, (few, many)
