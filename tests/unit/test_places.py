"""Moved rules go back between the rules that they stood between, in tables as they are now."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpccni_nft.core.errors import CannotRead
from vpccni_nft.core.values import Family
from vpccni_nft.migration.edits import Edit, InTheWay, taking
from vpccni_nft.migration.moves import TableMove
from vpccni_nft.migration.netlink import Protocol
from vpccni_nft.migration.nftables import protocol_of
from vpccni_nft.migration.places import putting_back
from vpccni_nft.migration.saved import SavedTable

from ..support.profiles import ALL


def table(*rules: str, policy: str = "ACCEPT", chains: Sequence[str] = ()) -> SavedTable:
    """The table filter with rules of INPUT, given by what they mark, and of other chains."""
    lines = ["*filter", f":INPUT {policy} [0:0]", *(f":{name} - [0:0]" for name in chains)]
    for rule in rules:
        chain, _, mark = rule.rpartition(" ")
        lines.append(f"[7:70] -A {chain or 'INPUT'} -j MARK --set-mark {mark}")
    return SavedTable.of("filter", [*lines, "COMMIT"])


def move(before: SavedTable, after: SavedTable) -> TableMove:
    return TableMove(
        name="iptables-legacy.filter", program="iptables-legacy", family=Family.IP,
        table="filter", nft_table="vpccni-filter", before=before, after=after,
    )  # fmt: skip


def marks(edit: Edit) -> str:
    """What the rules of INPUT mark after an edit."""
    chain = edit.result.chain("INPUT")
    return "".join(rule.text.rpartition(" ")[2] for rule in chain.rules) if chain else ""


def back(old: str, moved: str, now: str) -> list[str]:
    """Where rules come to stand: each letter is a rule."""
    before, after = table(*old), table(*(one for one in old if one not in moved))
    return [marks(edit) for edit in putting_back(move(before, after), before, table(*now))]


@pytest.mark.parametrize(
    ("old", "moved", "now", "places"),
    [
        ("aMb", "M", "ab", ["aMb"]),
        ("aMb", "M", "xaby", ["xaMby"]),
        ("aMb", "M", "axb", ["aMxb", "axMb"]),
        ("aMb", "M", "ax", ["aMx"]),
        ("aMb", "M", "xb", ["xMb"]),
        ("Mab", "M", "xab", ["xMab", "Mxab"]),
        ("abM", "M", "abx", ["abMx", "abxM"]),
        ("M", "M", "", ["M"]),
        ("M", "M", "xy", ["Mxy", "xyM"]),
        ("aMbNc", "MN", "abc", ["aMbNc"]),
        ("aMNb", "MN", "axb", ["aMNxb", "axMNb"]),
        ("aMNb", "MN", "aNb", ["aMNb"]),
        ("aMb", "M", "aMb", ["aMb"]),
        ("aMb", "M", "Mab", ["Mab"]),
        ("aMaMa", "M", "aaa", ["aMaMa"]),
    ],
)
def test_rules_go_back_where_they_stood(old: str, moved: str, now: str, places: list[str]) -> None:
    assert back(old, moved, now) == places


@pytest.mark.parametrize(
    ("old", "moved", "now", "why"),
    [
        ("aMb", "M", "xy", "the rules that a moved rule stood between are gone"),
        ("aaMbb", "M", "xy", "the rules that a moved rule stood between are gone"),
        ("aMb", "M", "ba", "in another order"),
    ],
)
def test_without_an_anchor_nothing_goes_back(old: str, moved: str, now: str, why: str) -> None:
    with pytest.raises(InTheWay, match=why):
        back(old, moved, now)


LETTERS = st.text("abcdefgh", max_size=6)


@given(LETTERS, st.sets(st.integers(0, 8), max_size=3), LETTERS)
@ALL
def test_whatever_others_have_done_stays_as_it_is(kept: str, at: set[int], now: str) -> None:
    old = kept
    for number, place in enumerate(sorted(at)):
        old = old[:place] + "XYZ"[number] + old[place:]
    try:
        found = back(old, "XYZ", now)
    except InTheWay:
        assert now != kept
        return
    for one in found:
        assert "".join(mark for mark in one if mark not in "XYZ") == now
        assert "".join(mark for mark in one if mark in "XYZ") == "".join(
            mark for mark in old if mark in "XYZ"
        )
    if now == kept:
        assert found[0] == old or len(set(kept)) < len(kept)


def test_counters_and_the_policy_go_back_and_the_chain_of_the_move_too() -> None:
    before = table("a", "M", "MINE n", policy="DROP", chains=["MINE"])
    moving = move(before, table("a"))
    now = taking(moving, before).result
    assert list(now.lines()) == list(table("a").lines())
    (edit,) = putting_back(moving, before, now)
    assert edit.result == before
    assert edit.script().splitlines() == [
        "*filter", "-N MINE",
        "[7:70] -I MINE 1 -j MARK --set-mark n",
        "[7:70] -I INPUT 2 -j MARK --set-mark M",
        ":INPUT DROP [0:0]", "COMMIT",
    ]  # fmt: skip


def test_a_chain_that_its_owner_has_written_again_is_in_the_way() -> None:
    before = table("a", "MINE n", chains=["MINE"])
    moving = move(before, table("a"))
    with pytest.raises(InTheWay, match="its owner has written it"):
        putting_back(moving, before, table("a", "MINE x", chains=["MINE"]))
    (edit,) = putting_back(moving, before, before)
    assert not edit.chains


def test_a_rule_does_not_go_back_where_the_chain_that_it_jumps_to_is_gone() -> None:
    text = "*filter\n:INPUT ACCEPT\n:OTHER -\n-A INPUT -j OTHER\n-A OTHER -j DROP\nCOMMIT"
    before = SavedTable.of("filter", text.split("\n"))
    after = SavedTable.of("filter", [line for line in text.split("\n") if "-j OTHER" not in line])
    with pytest.raises(InTheWay, match="the chain OTHER is gone"):
        putting_back(move(before, after), before, table())


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (table("a"), "not in iptables: -A MINE"),
        (table("a", chains=["MINE"]), "not in iptables: -A MINE"),
        (table("a", "MINE n", "MINE x", chains=["MINE"]), "a rule that is not in the plan"),
        (table("a", "MINE n", "MINE n", chains=["MINE"]), "more often than in the plan"),
    ],
)
def test_only_what_is_as_planned_is_taken_out(now: SavedTable, why: str) -> None:
    moving = move(table("a", "M", "MINE n", chains=["MINE"]), table("a"))
    lines = [line for line in now.lines() if line != "COMMIT"]
    with_rule = SavedTable.of("filter", [*lines, "-A INPUT -j MARK --set-mark M"])
    with pytest.raises(InTheWay, match=why):
        taking(moving, with_rule)


def test_a_table_that_iptables_cannot_show_is_none_to_edit() -> None:
    said = "Table `filter' is incompatible, use 'nft' tool."
    with pytest.raises(CannotRead, match=said):
        SavedTable.printed("filter", f"# {said}\n")
    assert not SavedTable.printed("filter", "# Generated\n").chains


def test_nothing_is_taken_out_twice() -> None:
    moving = move(table("a", "M", "MINE n", chains=["MINE"]), table("a"))
    assert not taking(moving, table("a", "x")).chains


def test_a_chain_that_others_jump_to_is_not_taken_out() -> None:
    text = "*filter\n:INPUT ACCEPT\n:MINE -\n-A INPUT -j MINE\n-A MINE -j DROP\nCOMMIT"
    before = SavedTable.of("filter", text.split("\n"))
    now = SavedTable.of(
        "filter", text.replace("COMMIT", "-A INPUT -s 10.0.0.1 -j MINE").split("\n")
    )
    with pytest.raises(InTheWay, match="a rule that stays jumps to it"):
        taking(move(before, table()), now)


@pytest.mark.parametrize(
    ("specification", "protocol"),
    [
        ("-p tcp -m tcp --dport 80 -j ACCEPT", Protocol(6)),
        ("! -p udp -j ACCEPT", Protocol(17, inverted=True)),
        ("-s 10.0.0.1/32 ! -i eth0 -p 200 -j ACCEPT", Protocol(200)),
        ('-m comment --comment "-p tcp" -j ACCEPT', None),
        ("-j DROP", None),
    ],
)
def test_the_protocol_of_a_rule_is_what_p_says(
    specification: str, protocol: Protocol | None
) -> None:
    assert protocol_of(specification) == protocol
