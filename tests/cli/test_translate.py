"""What goes into ``translate``, and what comes out."""

from __future__ import annotations

import json
import re
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
