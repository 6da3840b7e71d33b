"""Whether what was proved of a node is still so."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from ..support.command import Run, run
from ..support.schemas import fits
from ..support.services import kube_proxy

DROP = "*mangle\n:FORWARD ACCEPT [0:0]\n-A FORWARD -s 192.0.2.7/32 -j DROP\nCOMMIT\n"
HERE, THERE = kube_proxy("10.180.0.1"), kube_proxy("10.180.0.9")


def watch(folder: Path, now: str, *options: str) -> Run:
    (folder / "record.save").write_text(HERE)
    (folder / "now.save").write_text(now)
    kept = ("--state", str(folder / "state"), "--textfile", str(folder / "vpccni_nft.prom"))
    record, there = (str(folder / f"{name}.save") for name in ("record", "now"))
    return run("watch", record, "--now", there, *kept, *options)


def metrics(folder: Path) -> dict[str, float]:
    lines = (folder / "vpccni_nft.prom").read_text().splitlines()
    values = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name.removeprefix("vpccni_nft_watch_"): float(value) for name, value in values}


def test_endpoints_that_changed_are_no_alarm_and_need_no_other_proof(tmp_path: Path) -> None:
    before = time.time()
    assert watch(tmp_path, THERE).code == 0
    assert (tmp_path / "state").exists()
    first = metrics(tmp_path)
    assert (first["ok"], first["services"], first["service_changes"], first["classes"]) == (
        1, 1, 1, 0
    )  # fmt: skip
    assert first['kube_proxy{mode="iptables",form=""}'] == 1
    assert before <= first["proved_timestamp_seconds"] == first["checked_timestamp_seconds"]
    # Of another endpoint in place of this one the same is known.
    again = watch(tmp_path, kube_proxy("10.180.0.77"), "--json")
    assert again.code == 0
    second = metrics(tmp_path)
    assert second["proved_timestamp_seconds"] == first["proved_timestamp_seconds"]
    assert second["checked_timestamp_seconds"] > first["checked_timestamp_seconds"]
    found = json.loads(again.out)
    assert fits("watch", found)
    assert (found["answer"], found["mode"], found["changes"]) == ("equivalent", "iptables", 1)


def test_a_new_class_is_an_alarm_and_not_kept_for_a_proof(tmp_path: Path) -> None:
    done = watch(tmp_path, HERE + DROP)
    assert (done.code, "saddr=192.0.2.7" in done.out) == (1, True)
    assert done.out.startswith("not so: different")
    assert json.loads((tmp_path / "state").read_text())["answer"] == "different"
    found = metrics(tmp_path)
    assert (found["ok"], found['answer{answer="different"}'], found["classes"] > 0) == (0, 1, True)


@pytest.mark.parametrize("kept", ["[]", "\udcff"])
def test_a_state_of_something_else_is_not_believed(kept: str, tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(kept.encode("utf-8", "surrogateescape"))
    assert watch(tmp_path, HERE).code == 0
    assert json.loads((tmp_path / "state").read_text())["answer"] == "equivalent"


def test_what_is_not_understood_is_said_in_the_metrics(tmp_path: Path) -> None:
    done = watch(tmp_path, HERE.replace("10.180.0.1/32", "10.180.0.2/32"))
    assert done.code == 1
    found = metrics(tmp_path)
    assert (found["ok"], found['answer{answer="refused"}']) == (0, 1)
    assert found['kube_proxy{mode="",form=""}'] == found["proved_timestamp_seconds"] == 0


def test_metrics_have_the_form_of_prometheus(tmp_path: Path) -> None:
    watch(tmp_path, "*nat\nCOMMIT\n")
    name = r"vpccni_nft_watch_[a-z_]+"
    label = r'[a-z_]+="[^"\\]*"'
    form = re.compile(
        rf"# HELP {name} .+|# TYPE {name} gauge|{name}(?:\{{{label}(?:,{label})*\}})? [\d.e+]+"
    )
    lines = (tmp_path / "vpccni_nft.prom").read_text().splitlines()
    assert [line for line in lines if not form.fullmatch(line)] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "now.save", "record.save", "vpccni_nft.prom"
    ]  # fmt: skip
