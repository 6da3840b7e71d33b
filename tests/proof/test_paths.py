"""Answers about whole paths: what they say, what they rest on, and where hooks are compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import vpccni_nft
from vpccni_nft import Different, Equivalent, Unknown
from vpccni_nft.cli.commands import cli
from vpccni_nft.proof.answers import Answer, HookStatus
from vpccni_nft.simulate.packet_text import parse_packet

from ..support.paths import EQUAL, UNEQUAL, rules

PAIRS = {pair.name: pair for pair in (*EQUAL, *UNEQUAL)}


def status(answer: Answer) -> dict[str, HookStatus]:
    return {one.hook: one.status for one in answer.paths}


def proved(name: str, **options: object) -> Answer:
    pair = PAIRS[name]
    return vpccni_nft.verify(pair.before, pair.after, **options)  # type: ignore[arg-type]


def command(tmp_path: Path, name: str, *options: str) -> Result:
    pair = PAIRS[name]
    for file, text in (("a.nft", pair.before), ("b.nft", pair.after)):
        (tmp_path / file).write_text(text)
    sides = ["--before", str(tmp_path / "a.nft"), "--after", str(tmp_path / "b.nft")]
    return CliRunner().invoke(cli, ["verify", *sides, *options])


def test_equal_hooks_are_equal_paths_and_nothing_more_is_assumed() -> None:
    script = rules(("mangle prerouting", "meta mark set 1"), ("filter forward", "drop"))
    answer = vpccni_nft.verify(script, script)
    assert isinstance(answer, Equivalent)
    assert status(answer) == {"received": HookStatus.EQUAL}
    assert not answer.unequal
    assert not any("routing answers" in one for one in answer.assumptions)


def test_an_equal_path_names_the_hooks_that_are_not(tmp_path: Path) -> None:
    done = command(tmp_path, "a drop in raw and in filter")
    assert done.exit_code == 0
    assert done.stdout.startswith("equivalent: every packet on its whole path, at IPv4 prerouting")
    assert "IPv4 forward by itself is not shown to be equal" in done.stdout
    assert "assumed: routing answers both sides the same" in done.stdout
    assert command(tmp_path, "a drop in raw and in filter", "--per-hook").exit_code == 1


def test_a_class_on_a_path_is_all_packets_of_it_and_explain_shows_it() -> None:
    answer = proved("input only")
    assert isinstance(answer, Different)
    assert not answer.reasons
    (found,) = answer.classes
    assert (found.is_whole, found.texts) == (True, ("saddr=10.0.0.1 ttl=2-255 path=forward",))
    packet = parse_packet(found.example.plain.text).packet
    assert (packet.on_path, packet.hook) == (True, "forward")
    assert found.example.in_text


def test_what_routing_sees_is_named(tmp_path: Path) -> None:
    done = command(tmp_path, "a bit that routing sees", "--json")
    (packet, *_) = json.loads(done.stdout)["packets"]
    assert packet["on_path"] is True
    assert packet["differences"] == {"mark at routing": ["0x1", "0x2"]}


@pytest.mark.parametrize(
    ("mask", "kind"), [("0x4000", Equivalent), ("0x8000", Different), ("0", Different)]
)
def test_internal_bits_are_those_that_are_vouched_for(mask: str, kind: type[Answer]) -> None:
    answer = proved("a mark on the way to one decision", internal_mark=int(mask, 0))
    assert isinstance(answer, kind)
    if isinstance(answer, Equivalent):
        assert any("mark bits 0x4000" in one for one in answer.assumptions)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--internal-mark", "0x100000000"), "--internal-mark"),
        (("--internal-mark", "0x4000", "--per-hook"), "leave --per-hook"),
    ],
)
def test_a_mask_that_does_not_fit_is_wrong_usage(
    tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    done = command(tmp_path, "input only", *options)
    assert done.exit_code == 2
    assert message in done.stderr


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("queue num 1", "a program that packets are queued to may change them"),
        ("rt mtu 1500 accept", "rt mtu may be another one at another hook"),
        ("meta ipsec exists accept", "a transformation may be another one at another hook"),
    ],
)
def test_what_may_change_on_the_way_is_compared_hook_by_hook(rule: str, why: str) -> None:
    pair = PAIRS["a drop in raw and in filter"]
    more = f"table ip u {{ chain c {{ type filter hook forward priority 9; {rule}; }}; }}\n"
    answer = vpccni_nft.verify(pair.before + more, pair.after + more)
    assert isinstance(answer, Different)
    assert {one.example.plain.packet.on_path for one in answer.classes} == {False}
    assert status(answer) == {"received": HookStatus.DIFFERENT}
    assert answer.paths[0].order == f"compared hook by hook: {why}"
    assert isinstance(vpccni_nft.verify(pair.before + more, pair.before + more), Equivalent)


def test_what_is_accepted_at_a_hook_is_so_where_a_path_is_compared_hook_by_hook() -> None:
    same = rules(("raw forward", "queue num 1"))
    drop = rules(("filter forward", "ct state new tcp dport 22 drop")).replace("ip t", "ip u")
    accept = (
        '[[accept]]\nname = "n"\nwhy = "w"\ncondition = "hook=forward proto=tcp dport=22"\n'
        'before = "drop"\nafter = "accept"\n'
    )
    answer = vpccni_nft.verify(same + drop, same, accept=(accept,))
    assert isinstance(answer, Equivalent)
    assert status(answer) == {"received": HookStatus.ACCEPTED}
    wrong = accept.replace("dport=22", "dport=23")
    assert status(vpccni_nft.verify(same + drop, same, accept=(wrong,))) == {
        "received": HookStatus.DIFFERENT
    }


def test_an_order_that_matters_on_a_path_makes_it_unknown() -> None:
    """Which of two base chains runs first shows at a later hook."""
    two = rules(("filter forward", "meta mark 1 drop")) + "".join(
        f"table ip {name} {{ chain c {{ type filter hook prerouting priority 5; {rule}; }}; }}\n"
        for name, rule in (("u", "meta mark set 1"), ("v", "meta mark set 2"))
    )
    other = two.replace("meta mark 1 drop", "meta mark 1 meta mark set 3 drop")
    answer = vpccni_nft.verify(two, other)
    assert isinstance(answer, Unknown)
    assert {one.code.name for one in answer.reasons} == {"V011"}
    assert isinstance(vpccni_nft.verify(two, other, order="same"), Equivalent)
