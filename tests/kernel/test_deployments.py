"""The DaemonSet and the SSM command of docs/switching: what they run, with what they may do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from vpccni_nft.node.files import node_of
from vpccni_nft.node.record import script as record_script

from ..support.command import environment
from ..support.corpus import FOLDER
from ..support.namespaces import Namespace

PAGE = (Path(__file__).parents[2] / "docs/switching.md").read_text()
SERVICES = re.sub(
    r" -m nfacct --nfacct-name  \S+", "", (FOLDER / "modes/02-clusterip.save").read_text()
)

#: It stands for the AWS CLI: a bucket is a folder.
AWS = """#!/bin/sh
set -eu
[ "$1 $2" = "s3 cp" ]
shift 2
place() { case $1 in s3://BUCKET/*) echo "$BUCKET/${1#s3://BUCKET/}" ;; *) echo "$1" ;; esac; }
cp "$(place "$1")" "$(place "$2")"
"""


@pytest.fixture
def node() -> Iterator[Namespace]:
    with Namespace() as namespace:
        namespace.run("iptables-legacy-restore", script=SERVICES)
        yield namespace


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder of programs: this vpccni-nft, and one that stands for the AWS CLI."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (
        ("vpccni-nft", f'#!/bin/sh\nexec "{sys.executable}" -m vpccni_nft "$@"\n'),
        ("aws", AWS),
    ):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def daemon_set() -> dict[str, Any]:
    """The container of the DaemonSet."""
    block = next(one for one in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "kind:" in one)
    (container,) = yaml.safe_load(block)["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found


def run_with(
    node: Namespace, capabilities: list[str], programs: Path, script: str, **more: str
) -> subprocess.CompletedProcess[str]:
    """A script as root in the network namespace of a node, with these capabilities alone."""
    kept = ",".join(["-all", *(f"+{name.lower()}" for name in capabilities)])
    path = f"{programs}:{os.environ['PATH']}"
    return subprocess.run(
        (
            *("nsenter", f"--net=/run/netns/{node.name}"),
            *("setpriv", f"--bounding-set={kept}", f"--inh-caps={kept}", "--no-new-privs"),
            *("/bin/sh", "-c", script),
        ),
        capture_output=True,
        text=True,
        check=False,
        env=environment(PATH=path, **more),
        timeout=300,
    )


def test_the_daemon_set_records_and_watches(
    node: Namespace, programs: Path, tmp_path: Path
) -> None:
    container = daemon_set()
    (script,) = container["args"]
    assert container["command"] == ["/bin/sh", "-c"]
    assert {"/state", "/metrics"} <= {place["mountPath"] for place in container["volumeMounts"]}
    security = container["securityContext"]
    assert security["capabilities"]["drop"] == ["ALL"]
    once = script.replace("sleep 1800", "exit 0")
    assert once != script
    for name in ("state", "metrics"):
        (tmp_path / name).mkdir()
        once = once.replace(f"/{name}/", f"{tmp_path / name}/")
    done = run_with(node, security["capabilities"]["add"], programs, once)
    assert done.returncode == 0, done.stderr
    assert ": failed" not in (tmp_path / "state/record/record.txt").read_text()
    assert "KUBE-SERVICES" in node_of((tmp_path / "state/record",)).texts["iptables-legacy.save"]
    metrics = (tmp_path / "metrics/vpccni_nft.prom").read_text()
    assert "vpccni_nft_watch_ok 1" in metrics, done.stdout + done.stderr


@pytest.mark.parametrize("missing", ["NET_ADMIN", "NET_RAW"])
def test_the_daemon_set_has_no_capability_too_many(
    missing: str, node: Namespace, programs: Path, tmp_path: Path
) -> None:
    kept = [one for one in daemon_set()["securityContext"]["capabilities"]["add"] if one != missing]
    done = run_with(node, kept, programs, f"vpccni-nft record {tmp_path / 'record'}")
    assert done.returncode in {2, 3}, done.stdout + done.stderr


def test_the_ssm_command_leaves_a_record_in_the_bucket(
    node: Namespace, programs: Path, tmp_path: Path
) -> None:
    found = re.search(r"--parameters 'commands=(\[.*?\])'", PAGE)
    assert found
    commands = json.loads(found[1])
    bucket = tmp_path / "bucket"
    (bucket / "before").mkdir(parents=True)
    (bucket / "record.sh").write_text(record_script())
    script = "\n".join(commands)
    done = run_with(node, ["NET_ADMIN", "NET_RAW"], programs, script, BUCKET=str(bucket))
    assert done.returncode == 0, done.stderr
    (record,) = (bucket / "before").iterdir()
    assert record.name == f"{os.uname().nodename}.tar.gz"
    assert "KUBE-SERVICES" in node_of((record,)).texts["iptables-legacy.save"]
