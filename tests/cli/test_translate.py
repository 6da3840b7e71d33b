"""What goes into ``translate``, and what comes out."""

from __future__ import annotations

import json
import re
from itertools import takewhile
from pathlib import Path

import pytest

import vpccni_nft

from ..support.command import run
from ..support.dumps import APPROXIMATE, DUMP, DUMP6, UNMARKED, WRONG


def script_of(*dumps: str) -> str:
    return vpccni_nft.translate("".join(dumps)).script()


@pytest.mark.parametrize("arguments", [(), ("-",)], ids=["no file", "a dash"])
def test_translate_reads_standard_input(arguments: tuple[str, ...]) -> None:
    done = run("translate", *arguments, stdin=DUMP)
    assert (done.code, done.err) == (0, "")
    assert done.out == script_of(DUMP)
    assert "ip saddr 10.0.0.0/8" in done.out


def test_translate_reads_a_file(tmp_path: Path) -> None:
    file = tmp_path / "node.save"
    file.write_text(DUMP)
    done = run("translate", str(file))
    assert (done.code, done.out, done.err) == (0, script_of(DUMP), "")


def test_several_files_become_one_script(tmp_path: Path) -> None:
    v4, v6 = tmp_path / "v4.save", tmp_path / "v6.save"
    v4.write_text(DUMP)
    v6.write_text(DUMP6)
    done = run("translate", str(v4), str(v6))
    assert (done.code, done.err) == (0, "")
    assert done.out == script_of(DUMP, DUMP6)
    assert re.findall(r"^table (\S+ \S+) {$", done.out, re.MULTILINE) == [
        "ip vpccni-filter",
        "ip6 vpccni-filter",
    ]


def test_standard_input_can_be_one_of_several_files(tmp_path: Path) -> None:
    v6 = tmp_path / "v6.save"
    v6.write_text(DUMP6)
    done = run("translate", "-", str(v6), stdin=DUMP)
    assert (done.code, done.out) == (0, script_of(DUMP, DUMP6))


def test_problems_name_the_file_that_they_are_in(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.save", tmp_path / "bad.save"
    good.write_text(DUMP6)
    bad.write_text(WRONG)
    done = run("translate", str(good), str(bad))
    assert (done.code, done.out) == (1, "")
    assert f"{bad}:4:13: error[P004]" in done.err
    assert str(good) not in done.err


def test_the_same_table_in_two_files_is_refused(tmp_path: Path) -> None:
    first, second = tmp_path / "first.save", tmp_path / "second.save"
    first.write_text(DUMP)
    second.write_text(DUMP)
    done = run("translate", str(first), str(second))
    assert (done.code, done.out) == (1, "")
    assert f"{second}:2:1: error[P011]" in done.err


def test_the_family_can_be_given_where_the_text_does_not_show_it() -> None:
    refused = run("translate", stdin=UNMARKED)
    assert (refused.code, refused.out) == (1, "")
    assert "error[P012]" in refused.err
    for family in ("ip", "ip6"):
        done = run("translate", "--family", family, stdin=UNMARKED)
        assert (done.code, done.err) == (0, "")
        assert f"\ntable {family} vpccni-filter {{\n" in done.out


def test_the_family_of_the_text_wins_over_the_option() -> None:
    done = run("translate", "--family", "ip6", stdin=DUMP)
    assert (done.code, done.out) == (0, script_of(DUMP))


def test_format_json_writes_the_same_ruleset_as_json() -> None:
    done = run("translate", "--format", "json", stdin=DUMP)
    assert (done.code, done.err) == (0, "")
    ruleset = vpccni_nft.translate(DUMP).ruleset
    assert json.loads(done.out) == vpccni_nft.nft.as_json(ruleset)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("keep", "ip saddr 10.0.0.0/8 meta l4proto tcp counter packets 7 bytes 420 accept"),
        ("zero", "ip saddr 10.0.0.0/8 meta l4proto tcp counter accept"),
        ("none", "ip saddr 10.0.0.0/8 meta l4proto tcp accept"),
    ],
)
def test_counters_go_on_or_begin_at_zero_or_are_left_out(mode: str, expected: str) -> None:
    done = run("translate", "--counters", mode, stdin=DUMP)
    assert done.code == 0
    assert expected in [line.strip() for line in done.out.splitlines()]
    assert ("counter" in done.out) is (mode != "none")


def test_counters_are_kept_where_nothing_is_said() -> None:
    by_default = run("translate", stdin=DUMP)
    assert by_default.out == run("translate", "--counters", "keep", stdin=DUMP).out


def test_an_approximation_is_refused_until_it_is_allowed() -> None:
    refused = run("translate", stdin=APPROXIMATE)
    assert (refused.code, refused.out) == (1, "")
    assert "approximation[T105]:" in refused.err
    assert "--allow T105" in refused.err
    allowed = run("translate", "--allow", "T105", stdin=APPROXIMATE)
    assert allowed.code == 0
    assert 'log prefix "say ?hi?"' in allowed.out
    assert "approximation[T105] (allowed):" in allowed.err


def test_allowing_one_approximation_allows_no_other() -> None:
    assert run("translate", "--allow", "T101", stdin=APPROXIMATE).code == 1


@pytest.mark.parametrize("code", ["T999", "", "t105", "P001", "T001", "T201"])
def test_allowing_what_is_no_approximation_is_wrong_usage(code: str) -> None:
    done = run("translate", "--allow", code, stdin=DUMP)
    assert (done.code, done.out) == (2, "")
    assert "--allow" in done.err


@pytest.mark.parametrize("version", ["nft=1.0.1", "nft=1.0.6", "nft=1.1", "nft=2.0.0"])
def test_a_target_at_or_above_the_floor_is_taken(version: str) -> None:
    done = run("translate", "--target", version, stdin=DUMP)
    assert (done.code, done.out) == (0, script_of(DUMP))


@pytest.mark.parametrize(
    "version",
    [
        "nft=1.0.0",
        "nft=0.9.9",
        "nft=1",
        "nft",
        "1.0.6",
        "nft=1.0.6x",
        "nft=",
        "nft=९.०",
        "nft=-1.0",
    ],
)
def test_another_target_is_wrong_usage(version: str) -> None:
    done = run("translate", "--target", version, stdin=DUMP)
    assert (done.code, done.out) == (2, "")
    assert "--target" in done.err


MANY_WAYS = """\
# Generated by iptables-save v1.8.9
*filter
:INPUT DROP [0:0]
:X - [0:0]
-A INPUT -s 10.0.0.0/8 -p tcp -m multiport --ports 1,2 -j X
-A INPUT -m recent --name a --set -j DROP
-A X -m nonsense -j DROP
-A X -s host.example.com -j DROP
-A X -s 10.1.0.0/16 -j RETURN
what is this
COMMIT
"""


def test_diff_shows_each_rule_with_what_it_becomes_or_why_it_is_refused() -> None:
    done = run("translate", "--diff", stdin=MANY_WAYS)
    assert done.code == 1
    lines = done.out.splitlines()

    def below(old: str) -> list[str]:
        start = lines.index(f"- {old}") + 1
        return list(takewhile(lambda line: line.startswith(("+", "!", "~")), lines[start:]))

    assert below("table ip filter")[0] == "+ table ip vpccni-filter"
    assert below("chain INPUT policy DROP") == [
        "+ chain INPUT type filter hook input priority 0; policy drop;"
    ]
    assert below("chain X") == ["+ chain X"]
    several = below("-A INPUT -s 10.0.0.0/8 -p tcp -m multiport --ports 1,2 -j X")
    assert several[0].endswith(" jump .INPUT-1")
    assert "+ .INPUT-1-then: meta l4proto tcp counter jump X" in several
    (refused,) = below("-A INPUT -m recent --name a --set -j DROP")
    assert refused.startswith("! T101: the list a becomes a set")
    assert below("-A X -m nonsense -j DROP") == ["! P005: nonsense is not known"]
    assert below("-A X -s host.example.com -j DROP")[0].startswith("! P004: ")
    assert below("what is this")[0].startswith("! P0")
    assert below("-A X -s 10.1.0.0/16 -j RETURN") == ["+ ip saddr 10.1.0.0/16 counter return"]


def test_diff_shows_every_rule_of_a_node_and_every_rule_of_its_script() -> None:
    node = Path("docs/demo/node.save").read_text()
    for options in ((), ("-O",)):
        done = run("translate", "--diff", "--allow", "T101", *options, stdin=node)
        assert done.code == 0
        old = {line for line in node.splitlines() if line.startswith("-A")}
        assert {line[2:] for line in done.out.splitlines() if line.startswith("- -A")} == old
        script = run("translate", "--allow", "T101", *options, stdin=node).out
        rules = re.findall(
            r"^\t\t(?!type |elements )(.* (?:counter|jump|goto).*)$", script, re.MULTILINE
        )
        new = {line[2:].split(": ", 1)[-1] for line in done.out.splitlines() if line[:1] == "+"}
        assert len(rules) > 20
        assert {rule.split(": ", 1)[-1] for rule in rules} <= new
        assert done.out.count("\n~ T101 (allowed): ") == 4


def test_diff_shows_elements_and_rules_that_are_gone() -> None:
    rows = "".join(f"-A INPUT -s 10.0.0.{n}/32 -j DROP\n" for n in range(9))
    dump = f"*filter\n:INPUT ACCEPT [0:0]\n{rows}-A INPUT -j ACCEPT\n-A INPUT -j DROP\nCOMMIT\n"
    done = run("translate", "--diff", "-O", "--counters", "none", stdin=dump)
    assert done.code == 0
    lines = done.out.splitlines()
    after_last = lines[lines.index(f"- {rows.splitlines()[-1]}") + 1]
    assert re.match(r"\+ (set|map) \S+: 10\.0\.0\.8\b", after_last)
    assert lines[lines.index("- -A INPUT -j DROP") + 1] == (
        "+ (no rule: without it the same happens)"
    )


def test_diff_has_colours_on_request() -> None:
    plain = run("translate", "--diff", stdin=DUMP).out
    coloured = run("translate", "--diff", "--color", "always", stdin=DUMP).out
    assert "\x1b[31m\x1b[22m- table" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


@pytest.mark.parametrize(
    "other", ["-o x.nft", "--format json", "--map x.json", "--owner vpc-cni", "--verify"]
)
def test_diff_is_not_for_what_writes_a_script(other: str) -> None:
    done = run("translate", "--diff", *other.split(), stdin=DUMP)
    assert (done.code, done.out) == (2, "")
    assert "--diff shows rules and writes no script" in done.err
