"""Rules of other programs and of nft's manual: each is read, written back, and has a meaning."""

from __future__ import annotations

import json

import pytest

import vpccni_nft
from vpccni_nft import nft
from vpccni_nft.model.packet import NoMeaning

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
    ],
)
def test_what_is_not_known_has_no_meaning(rule: str) -> None:
    with pytest.raises(NoMeaning):
        has_meaning(Construct(rule).ruleset)


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
