"""What stands behind a verdict, and which packets a verdict takes."""

from __future__ import annotations

import pytest

from vpccni_nft import nft
from vpccni_nft.core.values import Family
from vpccni_nft.model.concrete import Concrete
from vpccni_nft.model.hook import outcome, run_hook
from vpccni_nft.model.packet import FIELDS
from vpccni_nft.simulate.sample import chains_of


def verdict_and_mark(rules: str, **fields: int) -> tuple[str, int]:
    text = f"table ip t {{\nchain c {{\ntype filter hook forward priority 0;\n{rules}\n}}\n}}\n"
    chains = chains_of(nft.parse(text), Family.IP)
    packet = {**dict.fromkeys(FIELDS, 0), **fields}
    found = outcome(run_hook(Concrete(), Family.IP, "forward", chains, packet))
    return found.verdict.kind, found.fields["mark"]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("ip saddr 10.0.0.1 continue drop", ("drop", 0)),
        ("ip saddr 10.0.0.2 continue drop", ("accept", 0)),
        ("continue meta mark set 7", ("accept", 7)),
        ("ip saddr vmap { 10.0.0.1 : continue } meta mark set 7", ("accept", 7)),
        ("ip saddr vmap { 10.0.0.1 : accept } meta mark set 7", ("accept", 0)),
        ("ip saddr vmap { 10.0.0.9 : continue } meta mark set 7", ("accept", 0)),
    ],
)
def test_only_continue_goes_on_to_the_statement_behind_it(
    rules: str, expected: tuple[str, int]
) -> None:
    assert verdict_and_mark(rules, saddr=0x0A000001) == expected


@pytest.mark.parametrize(("protocol", "expected"), [(6, ("reject", 0)), (17, ("accept", 7))])
def test_a_tcp_reset_takes_tcp_alone(protocol: int, expected: tuple[str, int]) -> None:
    rules = "reject with tcp reset\nmeta mark set 7"
    assert verdict_and_mark(rules, protocol=protocol) == expected
