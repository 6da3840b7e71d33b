"""However much of something comes in, an answer comes out soon."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from vpccni_nft.lowering import depth
from vpccni_nft.node.sections import sections

from ..support.profiles import NIGHTLY
from ..support.robustness import check, codes, in_filter, outcome

# --- much of something --------------------------------------------------------------------------

#: The part of the nightly length that inputs have: what took the square of the time would take
#: more than ``PATIENCE`` at this length, too.
PART = 1 if NIGHTLY else 8

MEGABYTE = 1_000_000 // PART
CHAINS = 10_000 if NIGHTLY else 4000
QUOTED = 300 if NIGHTLY else 60


@pytest.mark.parametrize(
    "line",
    [
        "x" * 10 * MEGABYTE,
        '"' * 10 * MEGABYTE,
        '\\"' * 5 * MEGABYTE,
        "-m " * 3 * MEGABYTE,
        " " * 10 * MEGABYTE,
        "\0" * 10 * MEGABYTE,
        "# " + "x" * 10 * MEGABYTE,
        "-A INPUT -m comment --comment " + '"' + "x" * 10 * MEGABYTE + '"' + " -j DROP",
        "[" + "9" * 10 * MEGABYTE + ":0] -A INPUT -j DROP",
    ],
    ids=lambda line: f"{line[:12]!r}...",
)
def test_a_line_of_ten_megabytes_is_refused_soon(line: str, tmp_path: Path) -> None:
    alone = check(line, tmp_path)
    assert (alone.code, alone.codes) == (2, {"P001"})
    within = check(in_filter(line), tmp_path)
    assert len(json.dumps(within.diagnostics)) < 5000
    if line.startswith("#") or line.isspace():
        return
    assert (within.code, within.codes) == (1, {"P002"})
    assert [found["line"] for found in within.diagnostics] == [6]


@pytest.mark.parametrize(
    "line",
    [
        "lorem ipsum dolor sit amet",
        '-A INPUT -m comment --comment "never closed -j DROP',
        "-A INPUT -j",
    ],
)
def test_200_000_lines_of_garbage_are_refused_soon(line: str, tmp_path: Path) -> None:
    count = 200_000 // PART // (1 if NIGHTLY else 2)
    garbage = f"{line}\n" * count
    alone = check(garbage, tmp_path)
    assert (alone.code, alone.codes) == (2, {"P001"})
    within = check(in_filter(garbage.removesuffix("\n")), tmp_path)
    assert (within.code, within.codes) == (1, {"P002"})
    assert [found["line"] for found in within.diagnostics] == [*range(6, count + 6)]


@pytest.mark.parametrize(
    "words",
    [
        '"' * 9000,
        '"' * 9001,
        '\\"' * 4500,
        '"\\' * 4500,
        '""' * 4500 + "a",
        '"\\"' * 3000,
        "\\" * 9000,
        ("a" * 20 + '"') * 400,
    ],
    ids=lambda words: f"{words[:4]} times {len(words)}",
)
def test_very_many_quotes_are_read_or_refused_soon(words: str, tmp_path: Path) -> None:
    rules = [f"-A INPUT -m comment --comment {words} -j DROP", f"-A INPUT {words}", words]
    rules *= QUOTED // len(rules)
    found = check(in_filter(*rules), tmp_path)
    assert found.refused
    assert {one["line"] for one in found.diagnostics} <= set(range(6, 6 + QUOTED))


def test_a_long_text_is_divided_in_a_time_that_grows_with_its_lines() -> None:
    """Four seconds and more where it grows with their square."""
    lines = ["*filter", *["-A INPUT -j DROP"] * 40_000, "COMMIT"]
    start = time.process_time()
    assert list(sections(lines).values()) == [lines]
    assert time.process_time() - start < 2


def test_a_rule_with_very_many_matches_ends_soon(tmp_path: Path) -> None:
    match = "-m mark --mark 0x1/0x1 "
    found = check(in_filter("-A INPUT " + match * (10_000 // len(match)) + "-j DROP"), tmp_path)
    assert not found.refused


@pytest.mark.parametrize("target", ["ACCEPT", "RETURN", "LOG"])
@pytest.mark.parametrize(
    "match",
    [
        "-m multiport --ports 1,2 ",
        "-m conntrack --ctstate NEW,DNAT ",
        "-m conntrack ! --ctstate NEW,DNAT ",
        "-m conntrack ! --ctstate DNAT ",
    ],
)
def test_very_many_conditions_that_nft_cannot_say_in_one_line_end_soon(
    match: str, target: str, tmp_path: Path
) -> None:
    """Each can double the rules: forty of them would be 10**12."""
    for number in (40, 10_000 // len(match)):
        found = check(in_filter(f"-A INPUT -p tcp {match * number}-j {target}"), tmp_path)
        assert found.refused
        assert all(code.startswith("T") for code in found.codes)


# --- chains -------------------------------------------------------------------------------------


def chain_dump(calls: dict[str, list[str]], *conditions: str) -> str:
    """A dump of chains that jump to others; INPUT calls the first one."""
    rules = [
        f"-A {name} {' '.join(conditions)} -j {target}"
        for name, targets in calls.items()
        for target in targets
    ]
    first = next(iter(calls))
    return in_filter(f"-A INPUT -j {first}", *rules, chains=calls)


def line_of_chains(length: int) -> dict[str, list[str]]:
    return {f"C{number}": [f"C{number + 1}"] * (number < length - 1) for number in range(length)}


@pytest.mark.parametrize("condition", ["", "-d 10.0.0.0/8", "-p tcp", "-m state --state NEW"])
def test_10_000_chains_in_a_row_end_soon(condition: str, tmp_path: Path) -> None:
    found = check(chain_dump(line_of_chains(CHAINS), condition), tmp_path)
    assert found.codes <= {"T005"}
    assert max(len(one["message"]) for one in found.diagnostics) < 5000


@pytest.mark.parametrize("length", [1, 14, 15, 16, 17, 40])
def test_a_row_of_chains_is_refused_exactly_where_it_is_too_long_for_nft(length: int) -> None:
    # A condition without a value has no opposite, so these chains cannot become one.
    row = chain_dump(line_of_chains(length), "-m conntrack --ctstate DNAT")
    assert codes(outcome(row)) == (["T005"] if 1 + length > 16 else [])


@pytest.mark.parametrize("length", [1, 14, 15, 16, 17, 40, CHAINS])
def test_a_row_of_chains_that_can_become_one_is_never_too_long(length: int) -> None:
    translation = outcome(chain_dump(line_of_chains(length), "-d 10.0.0.0/8"))
    (table,) = translation.ruleset.tables
    called = {chain.name: set(depth.called(chain)) for chain in table.chains}
    path, reached = 0, {"INPUT"}
    while reached:
        reached = {target for name in reached for target in called[name]}
        path += 1
    assert path <= 16
    assert "C0" in called


def test_a_loop_of_10_000_chains_is_refused_soon(tmp_path: Path) -> None:
    loop = line_of_chains(CHAINS)
    loop[f"C{CHAINS - 1}"] = [f"C{CHAINS // 2}"]
    found = check(chain_dump(loop), tmp_path)
    assert found.codes == {"T004"}
    assert [one["line"] for one in found.diagnostics] == [6 + CHAINS + CHAINS]


@pytest.mark.parametrize("size", [1, 2, 3, 200 if NIGHTLY else 60])
def test_chains_that_all_jump_to_each_other_are_refused(size: int, tmp_path: Path) -> None:
    names = [f"C{number}" for number in range(size)]
    found = check(chain_dump(dict.fromkeys(names, names)), tmp_path)
    assert found.codes == {"T004"}


def diamond(layers: int) -> dict[str, list[str]]:
    """Each layer has two chains, and both lead to both of the next: 2**layers paths."""
    return {
        f"{side}{layer}": [f"L{layer + 1}", f"R{layer + 1}"] * (layer < layers - 1)
        for layer in range(layers)
        for side in "LR"
    }


def test_a_diamond_with_very_many_paths_is_walked_once(tmp_path: Path) -> None:
    # The longest path has the base chain and one chain a layer.
    assert not check(chain_dump(diamond(15)), tmp_path).refused
    assert check(chain_dump(diamond(16)), tmp_path).codes == {"T005"}
    assert check(chain_dump(diamond(2000 if NIGHTLY else 500)), tmp_path).codes == {"T005"}


def test_100_000_rules_that_jump_to_one_chain_end_soon(tmp_path: Path) -> None:
    rules = ["-A INPUT -j C"] * (100_000 // PART)
    assert not check(in_filter(*rules, chains=["C"]), tmp_path).refused


def test_20_000_rules_that_jump_nowhere_are_each_reported(tmp_path: Path) -> None:
    count = 20_000 if NIGHTLY else 5000
    found = check(in_filter(*["-A INPUT -j NOWHERE"] * count), tmp_path)
    assert found.codes == {"T003"}
    assert len(found.diagnostics) == count


def test_50_000_empty_chains_end_soon(tmp_path: Path) -> None:
    chains = [f"C{number}" for number in range(50_000 if NIGHTLY else 12_500)]
    assert not check(in_filter(chains=chains), tmp_path).refused


def test_50_000_tables_are_refused_soon(tmp_path: Path) -> None:
    found = check("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n" * (50_000 // PART), tmp_path)
    assert found.refused
