"""Difference classes: each packet that differs is of one, and a class says which ones are."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import click.testing
import pytest

import vpccni_nft
from vpccni_nft.cli.commands import cli
from vpccni_nft.core.values import Family
from vpccni_nft.model.packet import STATE_BITS
from vpccni_nft.proof.answers import Different
from vpccni_nft.proof.conditions import Condition
from vpccni_nft.proof.literals import Literal, literals_of, text_of, texts_of
from vpccni_nft.proof.term import Term
from vpccni_nft.proof.terms import Terms
from vpccni_nft.simulate.packet_text import parse_packet
from vpccni_nft.simulate.sample import chains_of, run
from vpccni_nft.text.nft_reader import parse

from ..support.schemas import fits as fits_schema


def in_chain(text: str) -> str:
    return (
        "table ip t { chain c { type filter hook forward priority 0; ct state untracked accept;"
        f" {text} }}; }}\n"
    )


def classes(before: str, after: str) -> set[tuple[str, ...]]:
    """The conditions of all classes."""
    answer = vpccni_nft.verify(before, after, per_hook=True)
    assert isinstance(answer, Different), answer
    assert not answer.reasons
    assert all(one.is_whole for one in answer.classes)
    return {one.texts for one in answer.classes}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("ip saddr 10.0.0.0/8 drop", "", {("saddr=10.0.0.0/8 ctstate!=untracked",)}),
        (
            "ip saddr 10.0.0.0/8 drop",
            "ip saddr 10.0.0.0/9 drop",
            {("saddr=10.0.0.0/8 saddr!=10.0.0.0/9 ctstate!=untracked",)},
        ),
        (
            "tcp dport 1000-2000 drop",
            "tcp dport 1000-1500 drop",
            {("proto=tcp dport=1501-2000 ctstate!=untracked",)},
        ),
        (
            "tcp dport 22 drop; udp dport 53 drop",
            "",
            {
                ("proto=tcp dport=22 ctstate!=untracked",),
                ("proto=udp dport=53 ctstate!=untracked",),
            },
        ),
        (
            'iifname "eni*" meta mark & 0x80 == 0x80 drop',
            "",
            {("iif=eni* mark=0x80/0x80 ctstate!=untracked",)},
        ),
        (
            "ct state established,related accept; drop",
            "ct state established accept; drop",
            {("ctstate=related",)},
        ),
        (
            "meta mark set 1",
            "meta mark set 1; tcp dport 22 meta mark set 2",
            {("proto=tcp dport=22 ctstate!=untracked",)},
        ),
    ],
)
def test_a_class_says_which_packets_are_of_it(
    before: str, after: str, expected: set[tuple[str, ...]]
) -> None:
    assert classes(in_chain(before), in_chain(after)) == expected


def test_a_mistake_behind_another_one_is_a_class_of_its_own() -> None:
    found = classes(
        in_chain("meta mark set 0"),
        in_chain("meta mark set 1; tcp dport 22 meta mark set 2"),
    )
    assert set(map(frozenset, found)) == {
        frozenset({"proto=tcp dport=22 ctstate!=untracked"}),
        frozenset({"proto!=tcp ctstate!=untracked", "dport!=22 ctstate!=untracked"}),
    }


def test_classes_that_differ_in_values_alone_are_one_with_a_list() -> None:
    one, other = (
        "; ".join(f"ip daddr 10.96.0.{last} tcp dport 80 meta mark set {mark}" for last in range(5))
        for mark in (1, 2)
    )
    (texts,) = classes(in_chain(one), in_chain(other))
    (text,) = texts
    assert text == (
        "daddr=10.96.0.0,10.96.0.1,10.96.0.2,10.96.0.3,10.96.0.4 proto=tcp dport=80"
        " ctstate!=untracked"
    )


def test_the_classes_are_all_packets_that_differ() -> None:
    """Every packet of a small space goes through both sides and through the conditions."""
    before = in_chain(
        "ip saddr 10.0.0.0/8 tcp dport 20-30 drop; meta mark 1 drop; tcp dport 25 meta mark set 7"
    )
    after = in_chain(
        "ip saddr 10.0.0.0/8 tcp dport 20-28 drop; tcp dport 25 meta mark set 8; meta mark 1 accept"
    )
    answer = vpccni_nft.verify(before, after, per_hook=True)
    assert isinstance(answer, Different)
    assert not answer.reasons
    sides = [chains_of(parse(text), Family.IP) for text in (before, after)]
    differing = 0
    for saddr, dport, mark, state in itertools.product(
        ("10.0.0.1", "192.0.2.1"), (19, 25, 28, 29, 30, 31), (0, 1, 7, 8), ("new", "untracked")
    ):
        text = f"hook=forward saddr={saddr} dport={dport} mark={mark} ctstate={state}"
        packet = parse_packet(text).packet
        one, other = (run(chains, packet) for chains in sides)
        differs = (one.verdict, one.fields) != (other.verdict, other.fields)
        differing += differs
        holds = [
            all(fits(literal, text) for literal in part)
            for found in answer.classes
            for part in found.conditions
        ]
        assert any(holds) == differs, text
    assert differing


def fits(literal: Literal, text: str) -> bool:
    """Whether a packet fits a literal, of those that the test above has."""
    has = dict(word.split("=") for word in text.split()) | {"proto": "tcp"}
    value = has[literal.key]
    match literal.key:
        case "saddr":
            holds = value.startswith("10.") and literal.value == "10.0.0.0/8"
        case "dport":
            first, _, last = literal.value.partition("-")
            holds = int(first) <= int(value) <= int(last or first)
        case "mark":
            number, _, mask = literal.value.partition("/")
            holds = int(value) & int(mask or "-1", 0) == int(number, 0)
        case _:
            holds = value in literal.value.split(",")
    return holds is not literal.negated


def test_one_packet_is_enough_where_that_is_said(tmp_path: Path) -> None:
    for name, rule in (("a", "tcp dport 22 drop; udp dport 53 drop"), ("b", "")):
        (tmp_path / name).write_text(in_chain(rule))
    sides = ["verify", "--before", str(tmp_path / "a"), "--after", str(tmp_path / "b"), "--json"]
    for options, count in (((), 2), (("--first",), 1), (("--most", "1"), 1)):
        done = click.testing.CliRunner().invoke(cli, [*sides, *options])
        found = json.loads(done.stdout)
        assert (done.exit_code, len(found["classes"])) == (1, count)
        assert bool(found["reasons"]) == (count < 2)


def test_the_answer_says_whether_no_other_packet_differs(tmp_path: Path) -> None:
    for name, rule in (("a", "tcp dport 22 drop; udp dport 53 drop"), ("b", "")):
        (tmp_path / name).write_text(in_chain(rule))
    sides = [
        "verify",
        "--before",
        str(tmp_path / "a"),
        "--after",
        str(tmp_path / "b"),
        "--per-hook",
    ]
    whole = click.testing.CliRunner().invoke(cli, sides).stdout
    assert whole.startswith("different: 2 classes of packets, and no other packet differs\n")
    assert "proto=udp dport=53 ctstate!=untracked" in whole
    part = click.testing.CliRunner().invoke(cli, [*sides, "--first"]).stdout
    assert part.startswith("different: 1 class of packets\n")


@pytest.mark.parametrize(
    "rule",
    [
        "ct state new ct direction reply drop",
        "ct state new tcp flags & (syn | rst) == syn | rst drop",
    ],
)
def test_no_packet_is_one_that_the_kernel_does_not_track_so(rule: str) -> None:
    """Where a rule rewrites headers nothing is known of what conntrack has seen."""
    assert isinstance(vpccni_nft.verify(in_chain(rule), in_chain("")), vpccni_nft.Equivalent)
    writes = "ip dscp set 0; "
    answer = vpccni_nft.verify(in_chain(writes + rule), in_chain(writes))
    assert isinstance(answer, Different)


def test_what_is_related_and_no_error_was_expected() -> None:
    rule = "ct state related icmp type echo-request drop"
    answer = vpccni_nft.verify(in_chain(rule), in_chain(""), per_hook=True)
    assert isinstance(answer, Different)
    (found,) = answer.classes
    assert found.texts == ("proto=icmp icmp-type=8 ctstate=related",)
    assert "ctstatus=expected" in found.example.plain.text


# --- conditions as text ---------------------------------------------------------------------------


def test_literals_are_written_as_packets_are() -> None:
    terms = Terms()
    port, state = terms.variable("dport", 16), terms.variable("ct_state", 8)
    address, flags = terms.variable("saddr", 32), terms.variable("tcp_flags", 8)

    def bits(word: Term, mask: int, value: int) -> Term:
        masked = terms.bvand(word, terms.const(mask, word.width))
        return terms.equal(masked, terms.const(value, word.width))

    some = [
        bits(address, 0xFF000000, 0x0A000000),
        terms.not_(bits(flags, 0x12, 0x02)),
        terms.ule(terms.const(1024, 16), port),
        terms.ule(port, terms.const(2000, 16)),
        terms.not_(bits(state, STATE_BITS["new"], STATE_BITS["new"])),
    ]
    text = text_of(literals_of(some, Family.IP))
    assert text == "saddr=10.0.0.0/8 dport=1024-2000 flags!=syn/syn,ack ctstate!=new"


def test_values_of_one_key_are_a_list_in_their_order() -> None:
    parts = [(Literal("dport", str(port)), Literal("proto", "tcp")) for port in (80, 443, 22)]
    assert texts_of(parts) == ("dport=22,80,443 proto=tcp",)
    assert texts_of([(Literal("dport", "1", negated=True),), (Literal("dport", "2"),)]) == (
        "dport!=1",
        "dport=2",
    )


# --- the schema -----------------------------------------------------------------------------------


def test_the_answer_is_as_its_schema_says(tmp_path: Path) -> None:
    for name, rule in (("a", "tcp dport 22 drop"), ("b", "")):
        (tmp_path / name).write_text(in_chain(rule))
    for after, answer in (("b", "different"), ("a", "equivalent")):
        sides = ["--before", str(tmp_path / "a"), "--after", str(tmp_path / after), "--json"]
        found = json.loads(click.testing.CliRunner().invoke(cli, ["verify", *sides]).stdout)
        assert found["answer"] == answer
        assert fits_schema("verify", found)


def test_a_condition_says_which_side_routes_a_packet_so(tmp_path: Path) -> None:
    """Each side shows routing another destination, so there are two routes."""
    nat = (
        "chain n { type nat hook prerouting priority -100; ip daddr 172.20.0.10 dnat to 10.0.3.4; }"
    )
    (tmp_path / "a").write_text(f"table ip t {{ {nat} }}\n")
    (tmp_path / "b").write_text("table ip t { chain n { ct state new } }\n")
    sides = ("--before", str(tmp_path / "a"), "--after", str(tmp_path / "b"))
    runner = click.testing.CliRunner()
    found = json.loads(runner.invoke(cli, ["verify", *sides, "--json"]).stdout)
    (one,) = found["classes"]
    keys = {literal["key"] for part in one["conditions"] for literal in part}
    assert {"path-before", "path-after"} <= keys
    assert "path" not in keys
    assert len(Condition.parse("path-before=forward path-after!=forward").alternatives[0]) == 2
