"""Rules of other programs and of nft's manual: each is read, written back, and has a meaning."""

from __future__ import annotations

import json

import pytest

import vpccni_nft
from vpccni_nft import nft
from vpccni_nft.model.packet import NoMeaning
from vpccni_nft.nft import datatypes

from ..support.nft_constructs import CONSTRUCTS, Construct
from ..support.terms import has_meaning

every_construct = pytest.mark.parametrize("construct", CONSTRUCTS, ids=str)


@every_construct
def test_a_construct_is_read_and_written_back(construct: Construct) -> None:
    ruleset = construct.ruleset
    assert nft.parse(nft.serialize(ruleset)) == ruleset
    assert json.dumps(nft.as_json(ruleset))


@every_construct
def test_a_construct_has_a_meaning(construct: Construct) -> None:
    assert has_meaning(construct.ruleset)


@pytest.mark.parametrize(
    "rule",
    [
        "iif 3 accept",
        "iif > 1 accept",
        "iif & 1 == 1 accept",
        "ip dscp << 2 == 8 accept",
        "meta mark set iif",
        "dnat to numgen inc mod 7 offset 167772161",
        "udp dport 4789 vxlan ip saddr 10.141.11.2",
        "gre version 0",
        "vlan id 5",
        "@ll,0,16 5",
        "@ih,32,32 0x14",
        "reset tcp option mptcp",
        "ct event set new,related",
    ],
)
def test_what_is_not_known_has_no_meaning(rule: str) -> None:
    with pytest.raises(NoMeaning):
        has_meaning(Construct(rule).ruleset)


@pytest.mark.parametrize(
    "rule",
    [
        "meter m size 128 { ip saddr limit rate 5/second } accept",
        "meta mark set meta mark & 0xff | ct mark",
        'counter name tcp dport map { 443 : "one", 80 : "two" }',
        "meta secmark set ct secmark",
        "redirect to :ip saddr . tcp dport map { 10.0.0.1 . 22 : 8000 }",
        'xt match "recent"',
    ],
)
def test_what_is_not_read_is_refused(rule: str) -> None:
    with pytest.raises(vpccni_nft.Refused):
        Construct(rule).ruleset  # noqa: B018 - reading is what fails


TYPEOF = """table ip t {
	set lengths {
		typeof ip length . meta l4proto
		elements = { 60 . tcp }
	}
	map marks {
		typeof ip length : meta mark
		elements = { 60 : 0x00000005 }
	}
	map named {
		typeof ip saddr : meta mark
	}
	chain c {
		type filter hook input priority filter; policy accept;
		ip length . meta l4proto @lengths meta mark set ip length map @marks
	}
}
"""


def test_a_set_of_a_type_without_a_name_is_declared_by_what_has_it() -> None:
    ruleset = nft.parse(TYPEOF)
    script = nft.serialize(ruleset)
    assert "typeof ip length . meta l4proto" in script
    assert "typeof ip length : meta mark" in script
    assert "type ipv4_addr : mark" in script
    assert nft.parse(script) == ruleset
    assert has_meaning(ruleset)
    assert json.dumps(nft.as_json(ruleset))
    with pytest.raises(ValueError, match="declared"):
        nft.Set("s", (datatypes.integer(16),))


def _filter(rule: str) -> str:
    hook = "type filter hook input priority filter; policy drop;"
    return f"table ip t {{\n\tchain c {{\n\t\t{hook}\n\t\t{rule}\n\t}}\n}}\n"


def test_the_number_of_the_loopback_is_its_name() -> None:
    before, after = _filter('iif "lo" accept'), _filter('iifname "lo" accept')
    assert isinstance(vpccni_nft.verify(before, after), vpccni_nft.Equivalent)


@pytest.mark.parametrize("rule", ['iif "eth0" accept', 'iif vmap { "lo" : drop, "eth0" : accept }'])
def test_the_number_of_another_interface_is_an_approximation(rule: str) -> None:
    before, after = _filter(rule), _filter(rule.replace("iif", "iifname"))
    answer = vpccni_nft.verify(before, after)
    assert isinstance(answer, vpccni_nft.Unknown)
    assert [reason.code.name for reason in answer.reasons] == ["V002"]
    assert isinstance(vpccni_nft.verify(before, after, allow=["T115"]), vpccni_nft.Equivalent)
    # Both sides mean the same interface, whichever it is.
    assert isinstance(vpccni_nft.verify(before, before), vpccni_nft.Equivalent)
