"""``report``: what stands in the page, and that nothing of the input becomes a part of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from vpccni_nft import parse, translate

from ..support.command import run
from ..support.corpus import FOLDER
from ..support.schemas import fits

NODE = FOLDER / "node" / "eks-1.29-cni-1.18-imds-block.save"
LISTING = FOLDER / "beside" / "firewalld.nft"
HOSTILE = "</script><script>alert(1)</script><!-- '\" &"
DUMP = f"""*filter
:INPUT ACCEPT [0:0]
-A INPUT -s 10.0.0.0/8 -p tcp -m comment --comment "{HOSTILE.replace('"', "")}" -j DROP
COMMIT
"""


def report(*arguments: str, stdin: str = "") -> dict[str, Any]:
    done = run("report", *arguments, "--json", stdin=stdin)
    assert (done.code, done.err) == (0, "")
    found: dict[str, Any] = json.loads(done.out)
    assert fits("report", found)
    return found


def page(*arguments: str, stdin: str = "") -> str:
    done = run("report", *arguments, stdin=stdin)
    assert (done.code, done.err) == (0, "")
    return done.out


class Parts(HTMLParser):
    """The scripts and styles of a page, and all the attributes of its tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": [], "title": []}
        self._tag = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - html.parser calls it so
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag in self.texts:
            self.texts[self._tag].append(data)


def test_each_rule_has_its_owner_and_its_translation() -> None:
    found = report(str(NODE))["node"]
    rows = [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]
    dump = parse(NODE.read_text())
    rules = [rule for table in dump.tables for chain in table.chains for rule in chain.rules]
    assert [row["line"] for row in rows] == [rule.span.line for rule in rules if rule.span]
    script = translate(NODE.read_text()).script()
    assert all(text in script for row in rows for text in row["translation"].splitlines())
    assert all(row["translation"] and row["owner"] for row in rows)
    lines = NODE.read_text().splitlines()
    assert all(row["rule"] == lines[row["line"] - 1] for row in rows)


def test_the_base_chains_are_in_the_order_of_the_kernel() -> None:
    hooks = {one["hook"]: one["chains"] for one in report(str(NODE))["node"]["hooks"]}
    assert [one["table"] for one in hooks["output"]] == ["mangle", "nat", "filter"]
    assert [one["table"] for one in hooks["input"]] == ["mangle", "filter", "nat"]


def test_a_listing_of_nft_stands_beside_a_dump(tmp_path: Path) -> None:
    (tmp_path / "iptables-legacy.save").write_text(NODE.read_text())
    (tmp_path / "nft.txt").write_text(LISTING.read_text())
    found = report(str(tmp_path))["node"]
    native = [row for row in found["rows"] if not row[found["columns"].index("rule")]]
    assert {row[found["columns"].index("owner")] for row in native} == {"firewalld"}
    chains = [chain for hook in found["hooks"] for chain in hook["chains"]]
    assert {chain["language"] for chain in chains} == {"iptables", "nft"}
    priorities = [[chain["priority"] for chain in hook["chains"]] for hook in found["hooks"]]
    assert priorities == [sorted(of_hook) for of_hook in priorities]


def test_a_node_with_refused_rules_has_their_codes_and_no_part_of_a_translation() -> None:
    dump = (
        "*raw\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -m nosuch --x 1 -j DROP\n-A OUTPUT -j DROP\nCOMMIT\n"
    )
    found = report("-", "--family", "ip", stdin=dump)["node"]
    rows = [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]
    assert not found["translated"]
    assert [row["translation"] for row in rows] == ["", ""]
    assert [bool(row["codes"]) for row in rows] == [True, False]
    assert any(one["refuses"] and one["line"] == 3 for one in found["diagnostics"])


def test_nothing_of_the_input_becomes_markup() -> None:
    parts = Parts(page("-", "--title", HOSTILE, stdin=DUMP))
    data, program = parts.texts["script"]
    assert json.loads(data)["title"] == HOSTILE
    assert "<" not in data
    assert "alert(1)" not in program
    assert parts.texts["title"] == [f"{HOSTILE} · vpccni-nft"]


def test_the_page_needs_no_network_and_allows_only_its_own_program() -> None:
    text = page(str(NODE))
    parts = Parts(text)
    links = [value for name, value in parts.attributes if name in {"src", "href", "action"}]
    assert links == ["#main"]
    policy = next(value for name, value in parts.attributes if value and "default-src" in value)
    assert policy.startswith("default-src 'none'; ")
    for kind, (*_, content) in (("script", parts.texts["script"]), ("style", parts.texts["style"])):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert not re.search(r"\s(on\w+|style)=", text.split("<script", 1)[0])


def test_the_same_data_is_in_the_page_and_in_json() -> None:
    data = Parts(page("-", stdin=DUMP)).texts["script"][0]
    assert json.loads(data) == report("-", stdin=DUMP)


def test_answers_and_explanations_are_taken_as_they_are_printed(tmp_path: Path) -> None:
    (tmp_path / "a.save").write_text(DUMP)
    (tmp_path / "b.save").write_text(DUMP.replace("/8", "/9"))
    sides = ("--before", str(tmp_path / "a.save"), "--after", str(tmp_path / "b.save"))
    answer = run("verify", *sides, "--json").out
    explained = run("explain", str(tmp_path / "a.save"), "--packet", "hook=input", "--json").out
    (tmp_path / "explained.json").write_text(explained)
    found = report("-", str(tmp_path / "explained.json"), stdin=answer)
    assert found["answers"] == [json.loads(answer)]
    assert found["explanations"] == [json.loads(explained)]
    assert found["node"] is None


def test_the_packets_of_the_command_line_are_walked() -> None:
    packet = "path=forward iif=eni1 saddr=10.0.3.4 daddr=8.8.8.8 dport=443"
    (found,) = report(str(NODE), "--packet", packet)["explanations"]
    assert found == json.loads(run("explain", str(NODE), "--packet", packet, "--json").out)


def test_all_files_of_a_node_are_one_side(tmp_path: Path) -> None:
    (tmp_path / "iptables-legacy.save").write_text(NODE.read_text())
    (tmp_path / "nft.txt").write_text(
        "table ip mine {\n\tchain input {\n\t\ttype filter hook input priority 1; policy accept;\n"
        "\t\ttcp dport 22 drop\n\t}\n}\n"
    )
    packet = "path=input iif=eth0 saddr=10.0.3.4 daddr=10.0.12.34 dport=22"
    (found,) = report(str(tmp_path), "--packet", packet)["explanations"]
    (side,) = found["sides"]
    tables = [step["table"] for step in side["steps"] if step["kind"] == "chain"]
    assert {"filter", "mine"} <= set(tables)
    assert side["outcome"]["verdict"] == "drop"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1}\n', "no page is made of this JSON"),
        ('{"node": 1}\n{"node"', "<stdin>:2: this is no JSON, or it is cut"),
    ],
)
def test_json_of_another_kind_is_wrong_usage(text: str, said: str) -> None:
    done = run("report", "-", stdin=text)
    assert done.code == 2
    assert said in " ".join(done.err.split())


def test_without_jinja2_the_command_says_what_to_install() -> None:
    with mock.patch.dict(sys.modules, {"jinja2": None}):
        done = run("report", "-", stdin=DUMP)
    assert (done.code, done.out) == (2, "")
    assert "pip install 'vpccni-nft[report]'" in " ".join(done.err.split())
