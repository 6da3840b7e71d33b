"""A group of nodes that changes its mode: which proofs are shared, and what stops it.

Most nodes here stay in their mode, which is proved at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ..support.command import Run, environment, run
from ..support.schemas import fits
from ..support.services import SERVICE_CIDR, kube_proxy

#: Rules of another program, in a table of their own.
DROP = "*mangle\n:FORWARD ACCEPT [0:0]\n-A FORWARD -s 192.0.2.7/32 -j DROP\nCOMMIT\n"

HERE, THERE = kube_proxy("10.180.0.1"), kube_proxy("10.180.0.9")
TWO = kube_proxy("10.180.0.1", "10.180.0.2")


def folder_of(root: Path, name: str, files: dict[str, str]) -> str:
    folder = root / name
    folder.mkdir()
    for node, text in files.items():
        (folder / f"{node}.save").write_text(text)
    return str(folder)


def gated(
    root: Path, before: dict[str, str], after: dict[str, str] | None = None, *options: str
) -> tuple[Run, dict[str, dict[str, Any]]]:
    """The command, and the reports by the names of the nodes, in their order."""
    arguments = [folder_of(root, "before", before)]
    if after is not None:
        arguments += ["--after", folder_of(root, "after", after)]
    lines = root / "nodes.jsonl"
    done = run("switch", "gate", *arguments, *options, "-o", str(lines))
    reports = [json.loads(line) for line in lines.read_text().splitlines()]
    assert all(fits("gate-line", report) for report in reports)
    return done, {report["node"]: report for report in reports}


def test_nodes_of_one_shape_share_a_proof_and_one_that_differs_stops_them(tmp_path: Path) -> None:
    before = {"a": HERE, "b": THERE, "c": TWO, "d": HERE, "e": THERE, "f": TWO}
    done, reports = gated(tmp_path, before, {**before, "e": THERE + DROP, "f": HERE})
    assert done.code == 1
    assert done.out.splitlines()[:2] == [
        "stop: not every node is equivalent",
        "6 nodes of 4 shapes",
    ]
    assert {name: (one["answer"], one["like"]) for name, one in reports.items()} == {
        "a": ("equivalent", None), "b": ("equivalent", "a"), "c": ("equivalent", None),
        "d": ("equivalent", "a"), "e": ("different", None), "f": ("unknown", None),
    }  # fmt: skip
    assert reports["a"]["shape"] == reports["b"]["shape"] != reports["c"]["shape"]
    assert reports["a"]["before"] == {"mode": "iptables", "form": None, "services": 1}
    packet = reports["e"]["classes"][0]
    assert "saddr=192.0.2.7" in packet
    assert f"e: different: {packet}" in done.err
    (reason,) = reports["f"]["reasons"]
    assert reason.startswith("ns1/svc1:p80 tcp (IPv4) has fewer endpoints than before")


def test_nothing_is_proved_where_the_canary_is_not_equivalent(tmp_path: Path) -> None:
    before = {"a": HERE, "c": TWO, "d": "nothing"}
    done, reports = gated(tmp_path, before, {**before, "c": HERE}, "--canary", "c")
    assert (done.code, next(iter(reports))) == (3, "c")
    assert reports["c"]["canary"]
    assert {name: one["answer"] for name, one in reports.items()} == {
        "c": "unknown", "a": "unknown", "d": "unreadable"
    }  # fmt: skip
    assert reports["a"]["reasons"] == ["not proved: the canary c is unknown"]
    assert reports["a"]["before"]["mode"] == "iptables"


def test_others_are_proved_behind_a_canary_and_share_its_proof(tmp_path: Path) -> None:
    nodes = {"a": HERE, "c": THERE}
    done, reports = gated(tmp_path, nodes, nodes, "--canary", "c")
    assert done.code == 0, done.out
    assert done.out.startswith("go on: every node is equivalent, but for what is accepted")
    assert (next(iter(reports)), reports["a"]["like"]) == ("c", "c")


def test_a_change_is_predicted_where_there_is_no_record_after_it(tmp_path: Path) -> None:
    done, reports = gated(
        tmp_path,
        {"a": HERE, "b": THERE, "c": HERE.replace("10.180.0.1/32", "10.180.0.3/32")},
        None,
        *("--kube-proxy", "nftables", "--service-cidr", SERVICE_CIDR),
        *("--accept", "kube-proxy-modes"),
    )
    assert done.code == 1
    assert {name: one["answer"] for name, one in reports.items()} == {
        "a": "equivalent", "b": "equivalent", "c": "refused"
    }  # fmt: skip
    assert reports["c"]["codes"] == {"M301": 1}
    assert (reports["b"]["like"], reports["b"]["accepted"]) == (
        "a", ["K001", "K002", "K003", "K004"]
    )  # fmt: skip
    assert reports["a"]["after"] == {"mode": "nftables", "form": "1.33", "services": 1}


def test_what_a_prediction_needs_is_named(tmp_path: Path) -> None:
    done, reports = gated(tmp_path, {"a": HERE}, None, "--kube-proxy", "nftables")
    assert (done.code, reports["a"]["answer"]) == (3, "unknown")
    assert reports["a"]["reasons"][0].endswith("give --service-cidr")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "there is no record of a after the change"),
        (("--kube-proxy", "nftables", "--canary", "x"), "--canary x: there is no such node"),
        (("--kube-proxy", "nftables", "--order", "a b c"), "--order: "),
    ],
)
def test_wrong_usage(options: tuple[str, ...], message: str, tmp_path: Path) -> None:
    done = run("switch", "gate", folder_of(tmp_path, "before", {"a": HERE}), *options)
    assert (done.code, message in done.err) == (2, True), done.err


def test_a_record_after_the_change_needs_one_before_it(tmp_path: Path) -> None:
    before, after = (
        folder_of(tmp_path, name, {node: HERE}) for name, node in (("before", "a"), ("after", "b"))
    )
    done = run("switch", "gate", before, "--after", after)
    assert (done.code, "of which there is no record before the change" in done.err) == (2, True)


#: Put into the process that examines: it ends where it is given such a step.
_ACCIDENT = """\
import json, os
loads = json.loads
def accident(text, **more):
    if '"step": "STEP"' in text: os._exit(7)
    return loads(text, **more)
json.loads = accident
"""


@pytest.mark.parametrize("step", ["look", "prove"])
def test_a_node_that_cannot_be_proved_is_still_detected(step: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(_ACCIDENT.replace("STEP", step))
    text = "# Generated by iptables-save v1.8.9 (nf_tables) on Mon Jun  1 00:00:00 2026\n" + HERE
    folder = folder_of(tmp_path, "before", {"a": text})
    lines = tmp_path / "nodes.jsonl"
    arguments = ("switch", "gate", folder, "--after", folder, "-o", str(lines))
    done = run(*arguments, env=environment(PYTHONPATH=str(tmp_path)))
    report = json.loads(lines.read_text())
    assert (done.code, report["answer"]) == (3, "failed")
    assert report["reasons"] == ["the process that examined it exited with 7"]
    assert report["detection"]["kube_proxy"] == ["iptables-nft"]
    assert (report["shape"] is None) is (step == "look")
