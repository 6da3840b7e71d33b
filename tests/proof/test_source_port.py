"""The source port behind NAT: another one where the packet's own is taken, whatever rules say."""

from __future__ import annotations

import pytest

from vpccni_nft import verify
from vpccni_nft.proof.answers import Different, Equivalent

NAT = """table ip t {{
\tchain n {{
\t\ttype nat hook {hook} priority 100; policy accept;
\t\tudp dport 53 {bind}
\t}}
\tchain f {{
\t\ttype filter hook {hook} priority {priority}; policy accept;
\t\tct state new ct status & confirmed == 0x0 udp sport 1000 {acts}
\t}}
}}
"""

BINDS = ("masquerade", "snat to 192.0.2.1")


def ruleset(priority: int, bind: str, hook: str = "postrouting", acts: str = "drop") -> str:
    return NAT.format(hook=hook, bind=bind, priority=priority, acts=acts)


@pytest.mark.parametrize("acts", ["meta mark set 0x00000001", "ct mark set 0x00000001"])
@pytest.mark.parametrize("bind", BINDS)
def test_a_port_ahead_of_nat_is_not_the_one_behind_it(bind: str, acts: str) -> None:
    ahead, behind = ruleset(50, bind, acts=acts), ruleset(150, bind, acts=acts)
    assert isinstance(verify(ahead, behind), Different)
    assert isinstance(verify(behind, ahead), Different)


def test_at_input_the_source_is_bound_too() -> None:
    ahead, behind = (ruleset(one, "snat to 192.0.2.1", "input") for one in (50, 150))
    assert isinstance(verify(ahead, behind), Different)


@pytest.mark.parametrize("bind", BINDS)
def test_both_sides_see_the_same_port_behind_nat(bind: str) -> None:
    one, other = ruleset(150, bind), ruleset(160, bind)
    assert isinstance(verify(one, other), Equivalent)


def test_a_port_that_the_rule_names_is_known() -> None:
    named = ruleset(150, "snat to 192.0.2.1:1000", acts="drop")
    every = named.replace("udp sport 1000 drop", "ct status snat udp sport 1000 drop")
    assert isinstance(verify(named, named), Equivalent)
    assert isinstance(verify(named, every), Different)
