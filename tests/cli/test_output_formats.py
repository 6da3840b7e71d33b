"""What CI systems show: SARIF, JUnit and GitHub's commands; and the counts of codes."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from vpccni_nft.cli.formats import FORMATS, text_of
from vpccni_nft.cli.formats.findings import TITLES, of_fleet
from vpccni_nft.cli.render.fleet import lines_of_codes
from vpccni_nft.core.diagnostics import CATALOGUE
from vpccni_nft.core.exit_codes import ExitCode
from vpccni_nft.core.pages import page_of
from vpccni_nft.fleet.report import ANSWERS, SHOWN, new_report, of_node
from vpccni_nft.fleet.summary import Summary

from ..support.command import Run, run
from ..support.dumps import APPROXIMATE, DUMP, WRONG
from ..support.schemas import fits

CODES = {code.name: code for code in CATALOGUE}

#: What a SARIF log must have, of all that the standard has: the names and where they are.
_PLACES = {"artifactLocation", "region"}


def check_sarif(log: dict[str, Any]) -> list[dict[str, Any]]:
    """The results of a log that is as the standard has it."""
    assert log.keys() == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    (found,) = log["runs"]
    driver = found["tool"]["driver"]
    assert driver["name"] == "vpccni-nft"
    rules = [rule["id"] for rule in driver["rules"]]
    assert len(rules) == len(set(rules))
    for rule in driver["rules"]:
        if code := CODES.get(rule["id"]):
            assert rule["help"]["markdown"] == page_of(code)
            assert rule["shortDescription"]["text"] == code.title
        else:
            assert rule["shortDescription"]["text"] == TITLES[rule["id"]]
    results: list[dict[str, Any]] = found["results"]
    for one in results:
        assert rules[one["ruleIndex"]] == one["ruleId"]
        assert one["level"] in {"error", "warning", "note"}
        assert one["message"]["text"]
        for location in one["locations"]:
            place = location["physicalLocation"]
            assert place.keys() <= _PLACES
            assert re.fullmatch(r"[\w.~/%-]+", place["artifactLocation"]["uri"])
            if region := place.get("region"):
                assert region["startLine"] >= 1
                assert 1 <= region["startColumn"] < region.get("endColumn", 10**9)
    return results


def check_junit(text: str) -> dict[str, Xml.Element]:
    """The tests of a report, whose numbers are those of its tests."""
    root = Xml.fromstring(text)  # noqa: S314 - it is the command's own
    (suite,) = root
    tests = {test.attrib["name"]: test for test in suite}
    assert len(tests) == len(suite)
    for numbers in (root.attrib, suite.attrib):
        assert int(numbers["tests"]) == len(tests)
        assert int(numbers["failures"]) == len(suite.findall("testcase/failure"))
        assert int(numbers["errors"]) == len(suite.findall("testcase/error"))
    return tests


_COMMAND = re.compile(r"::(error|warning|notice) ((?:\w+=[^,:\n]*,?)+)::(?:[^%\n\r]|%25|%0A|%0D)+")


def check_github(text: str) -> list[dict[str, str]]:
    """The values of each command."""
    found = [_COMMAND.fullmatch(line) for line in text.splitlines()]
    assert all(found), text
    return [
        {"level": one[1]} | dict(pair.split("=", 1) for pair in one[2].split(","))
        for one in found
        if one
    ]


def check(text: str, *options: str) -> Run:
    return run("check", "-", *options, stdin=text)


# --- check ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [DUMP, WRONG, APPROXIMATE, "", "what\n"])
def test_every_format_has_every_problem_of_check(text: str) -> None:
    plain = check(text, "--json")
    assert fits("check", json.loads(plain.out))
    problems = json.loads(plain.out)["diagnostics"]
    codes = Counter(one["code"] for one in problems)
    refused = Counter(one["code"] for one in problems if one["refuses"])

    sarif = check(text, "--output-format", "sarif")
    results = check_sarif(json.loads(sarif.out))
    assert Counter(one["ruleId"] for one in results) == codes
    assert Counter(one["ruleId"] for one in results if one["level"] == "error") == refused

    junit = check(text, "--output-format", "junit")
    tests = check_junit(junit.out)
    assert "<stdin>" in tests
    failed = [one for one in tests.values() if one.find("failure") is not None]
    assert bool(failed) == bool(refused)
    shown = "".join(text for test in tests.values() for text in test.itertext())
    assert Counter(re.findall(r"\w+\[(\w+)\]: ", shown)) == codes

    github = check(text, "--output-format", "github")
    titles = [one["title"][:4] for one in check_github(github.out)]
    assert Counter(titles) == codes

    for done in (sarif, junit, github):
        assert (done.code, done.err) == (plain.code, "")


def test_places_are_those_of_the_diagnostics() -> None:
    first = json.loads(check(WRONG, "--json").out)["diagnostics"][0]
    (result, *_) = check_sarif(json.loads(check(WRONG, "--output-format", "sarif").out))
    region = result["locations"][0]["physicalLocation"]["region"]
    assert region == {
        "startLine": first["line"],
        "startColumn": first["column"],
        "endColumn": first["end_column"],
    }
    (command, *_) = check_github(check(WRONG, "--output-format", "github").out)
    assert (command["line"], command["col"]) == (str(first["line"]), str(first["column"]))
    assert command["endColumn"] == str(first["end_column"] - 1)


def test_nothing_of_the_input_ends_a_command_or_an_element(tmp_path: Path) -> None:
    hostile = 'x::error a,b%0A<]]>&"\x1b[0m\udcff'
    file = tmp_path / "a:b,c <&> %.save"
    file.write_text(WRONG.replace("nonsense", f"'{hostile}'"), errors="surrogateescape")
    for form in FORMATS:
        done = run("check", str(file), "--output-format", form)
        assert "\x1b" not in done.out
        match form:
            case "sarif":
                results = check_sarif(json.loads(done.out))
                uris = {
                    place["physicalLocation"]["artifactLocation"]["uri"]
                    for one in results
                    for place in one["locations"]
                }
                assert {uri.rsplit("/")[-1] for uri in uris} == {"a%3Ab%2Cc%20%3C%26%3E%20%25.save"}
            case "junit":
                assert str(file) in check_junit(done.out)
            case "github":
                assert len(check_github(done.out)) == len(results)


def test_statistics_count_each_code_and_leave_the_exit_code() -> None:
    rules = "".join(f"-A INPUT -s host{number} -j DROP\n" for number in range(80))
    text = WRONG.replace("COMMIT\n", f"{rules}COMMIT\n")
    plain, grouped = check(text), check(text, "--statistics")
    assert grouped.code == plain.code == 1
    assert re.search(
        r"^81 +error +P004 +a host name is given .* <stdin>:4:13$", grouped.err, re.MULTILINE
    )
    assert grouped.err.splitlines()[-1] == plain.err.splitlines()[-1] == "83 errors"
    assert "host7" not in grouped.err
    found = json.loads(check(text, "--statistics", "--json").out)
    assert fits("check", found)
    assert [(one["code"], one["count"]) for one in found["statistics"]] == [
        ("P004", 81),
        ("P005", 1),
        ("T003", 1),
    ]
    assert len(found["diagnostics"]) == 83
    translated = run("translate", "--statistics", stdin=text)
    assert (translated.code, translated.out) == (1, "")
    assert translated.err == grouped.err


def test_statistics_of_nothing_say_so() -> None:
    assert check(DUMP, "--statistics").err == check(DUMP).err


# --- verify ---------------------------------------------------------------------------------------

_FILES = {
    "before": DUMP,
    "same": DUMP.replace("10.0.0.0/8", "10.1.2.3/8"),
    "other": DUMP.replace("10.0.0.0/8", "10.0.0.0/9"),
}


def verify(folder: Path, after: str, *options: str) -> Run:
    for name, text in _FILES.items():
        (folder / name).write_text(text)
    sides = ("--before", str(folder / "before"), "--after", str(folder / after))
    return run("verify", *sides, *options)


def test_a_difference_is_shown_at_the_rule_that_decides(tmp_path: Path) -> None:
    found = verify(tmp_path, "other", "--json", "--statistics")
    assert found.code == 1
    answer = json.loads(found.out)
    assert fits("verify", answer)
    assert len(answer["classes"]) == len(answer["statistics"]) == 1
    deciding = answer["classes"][0]["deciding"]
    decides = (deciding["after"] or deciding["before"])[-1]["line"]

    done = verify(tmp_path, "other", "--output-format", "sarif")
    (result,) = check_sarif(json.loads(done.out))
    assert (done.code, result["ruleId"], result["level"]) == (1, "different", "error")
    (location,) = result["locations"]
    assert location["physicalLocation"]["region"]["startLine"] == decides

    done = verify(tmp_path, "other", "--output-format", "junit")
    tests = check_junit(done.out)
    assert [test.find("failure") is not None for test in tests.values()].count(True) >= 2
    assert any(name.startswith("class 1: ") for name in tests)

    counted = verify(tmp_path, "other", "--statistics").out.splitlines()
    assert counted[0].startswith("different: 1 class of packets")
    assert counted[2].split()[:3] == ["1", "error", "different"]


def test_what_is_equal_has_passed_and_what_is_not_known_has_not(tmp_path: Path) -> None:
    done = verify(tmp_path, "same", "--output-format", "junit")
    assert done.code == 0
    assert all(len(test) == 0 for test in check_junit(done.out).values())
    done = verify(tmp_path, "same", "--output-format", "sarif")
    assert not check_sarif(json.loads(done.out))
    done = verify(tmp_path, "other", "--output-format", "junit", "--timeout", "0.000001")
    assert done.code == 3
    tests = check_junit(done.out)
    assert any(test.find("error") is not None for test in tests.values())
    assert not any(test.find("failure") is not None for test in tests.values())


# --- fleet ----------------------------------------------------------------------------------------


def report(name: str, answer: str, codes: dict[str, int], **more: Any) -> dict[str, Any]:
    found = new_report(answer, *more.pop("reasons", ()))
    found["codes"] = codes
    found["diagnostics"] = [
        {
            "code": code,
            "kind": CODES[code].kind.value,
            "refuses": code[0] == "T",
            "allowed": False,
            "message": f"about {code}",
            "hint": "",
            "file": "iptables.save",
            "line": 3,
            "column": 2,
            "end_column": 5,
        }
        for code in codes
    ]
    return of_node(name, {"iptables.save": f"dumps/{name}.save"}, "key", None, found | more)


NODES = [
    report("a", "equivalent", {"M009": 1}),
    report("b", "refused", {"T101": 70, "T105": 1}, if_allowed={
        "T101": "refused", "T105": "refused", "T101 T105": "equivalent",
    }),
    report("c", "refused", {"T101": 1}, if_allowed={"T101": "unknown"}),
    report("d", "unknown", {"V002": 1}, reasons=["no iptables dump was given"]),
    report("e", "failed", {}),
]  # fmt: skip
FLEET = of_fleet(NODES, ["dumps/README"], ExitCode.REFUSED)


def test_a_node_is_a_test_and_a_node_that_is_not_known_has_not_passed() -> None:
    tests = check_junit(text_of(FLEET, "junit"))
    ends = {name: [one.tag for one in test] for name, test in tests.items()}
    assert ends == {
        "a": ["system-out"],
        "b": ["failure"],
        "c": ["failure"],
        "d": ["error"],
        "e": ["error"],
        "ignored files": ["system-out"],
    }
    shown = tests["b"].find("failure")
    assert shown is not None
    assert f"{71 - SHOWN} more are not listed" in str(shown.text)


def test_findings_of_a_node_are_in_its_files() -> None:
    results = check_sarif(json.loads(text_of(FLEET, "sarif")))
    uris = {
        place["physicalLocation"]["artifactLocation"]["uri"]
        for one in results
        for place in one["locations"]
    }
    assert uris == {"dumps/README", *(f"dumps/{name}.save" for name in "abcde")}
    github = check_github(text_of(FLEET, "github"))
    assert len(github) == len(results)
    levels = Counter(one["level"] for one in github)
    assert levels == {"error": 3, "warning": 3, "notice": 3}


def test_every_answer_of_a_node_has_a_title() -> None:
    assert {*ANSWERS} <= TITLES.keys()


def test_statistics_say_what_nodes_would_be() -> None:
    summary = Summary()
    for one in NODES:
        summary.add(one)
    rows = [re.split(r" {2,}", line) for line in lines_of_codes(summary)]
    assert rows[1:] == [
        ["1", "M009", CODES["M009"].title],
        ["2", "T101", CODES["T101"].title, "1 unknown, 1 refused"],
        ["1", "T105", CODES["T105"].title, "1 refused"],
        ["1", "V002", CODES["V002"].title],
        ["1", "T101 T105", "all of these", "1 equivalent"],
    ]
    found = summary.to_dict()
    assert found["if_allowed"]["T101"] == {"refused": 1, "unknown": 1}
    assert found["answer"] == {"equivalent": 1, "failed": 1, "refused": 2, "unknown": 1}


def test_the_fleet_is_examined_as_if_codes_were_allowed(tmp_path: Path) -> None:
    nodes = tmp_path / "nodes"
    nodes.mkdir()
    (nodes / "good.save").write_text(APPROXIMATE)
    (nodes / "README").write_text("not a node\n")
    lines = tmp_path / "lines"
    done = run("fleet", str(nodes), "--statistics", "-o", str(lines), "--output-format", "json")
    assert done.code == 1
    found = json.loads(done.out)
    assert found["ignored"] == [str(nodes / "README")]
    assert fits("fleet", found)
    ignored, node = map(json.loads, lines.read_text().splitlines())
    assert fits("fleet-line", ignored)
    assert fits("fleet-line", node)
    assert ignored == {"ignored": str(nodes / "README")}
    assert node["answer"] == "refused"
    assert node["if_allowed"].keys() == {"T105"}
    assert found["if_allowed"] == {"T105": {node["if_allowed"]["T105"]: 1}}
    assert node["if_allowed"]["T105"] in {"different", "unknown", "equivalent"}


def test_standard_output_is_one_thing(tmp_path: Path) -> None:
    (tmp_path / "node.save").write_text(DUMP)
    done = run("fleet", str(tmp_path), "-o", "-", "--output-format", "json")
    assert done.code == 2
    assert "-o -" in done.err
