"""kube-proxy changes its mode on a node in a namespace: recorded before and after, and proved."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from vpccni_nft import parse
from vpccni_nft.core.values import Family
from vpccni_nft.iptables import save
from vpccni_nft.node.kube_proxy.predict import without_kube_proxy

from ..support.command import Run, command, environment, run
from ..support.corpus import FOLDER
from ..support.namespaces import Namespace
from ..support.profiles import NIGHTLY

MODES = FOLDER / "modes"
CNI = FOLDER / "vpccni" / "v1.23-legacy-default.save"

#: This kernel has no nfacct, which only counts.
SERVICES = re.sub(r" -m nfacct --nfacct-name  \S+", "", (MODES / "02-clusterip.save").read_text())
TABLE = (MODES / "02-clusterip.1.33.nft").read_text()

ACCEPTED = ("--accept", "kube-proxy-modes")


@pytest.fixture
def node() -> Iterator[Namespace]:
    """A node with the CNI and with kube-proxy in iptables mode."""
    with Namespace() as namespace:
        namespace.run("iptables-legacy-restore", script=CNI.read_text())
        namespace.run("iptables-legacy-restore", "--noflush", script=SERVICES)
        yield namespace


def record(node: Namespace, target: Path) -> str:
    done = subprocess.run(
        ("nsenter", f"--net=/run/netns/{node.name}", *command("record", str(target))),
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    return str(target)


def to_nftables(node: Namespace, table: str) -> None:
    """What kube-proxy does when it starts in nftables mode: its other rules go, its table comes."""
    ruleset = parse(node.run("iptables-legacy-save"), family=Family.IP)
    node.run("iptables-legacy-restore", script=save(without_kube_proxy(ruleset)))
    node.load(table)


def to_iptables(node: Namespace) -> None:
    """The same the other way round."""
    node.load("delete table ip kube-proxy\n")
    node.run("iptables-legacy-restore", "--noflush", script=SERVICES)


#: In which order the base chains of iptables and of kube-proxy's table run.
NATIVE_LAST = (
    "nat PREROUTING, kube-proxy nat-prerouting, nat POSTROUTING, kube-proxy nat-postrouting,"
    " nat OUTPUT, kube-proxy nat-output"
)
NATIVE_FIRST = (
    "kube-proxy nat-prerouting, nat PREROUTING, kube-proxy nat-postrouting, nat POSTROUTING,"
    " kube-proxy nat-output, nat OUTPUT"
)


def prove(before: str, after: str, *options: str) -> Run:
    return run("switch", "prove", before, after, "--order", NATIVE_LAST, *options)


def test_a_node_is_switched_forward_and_back(node: Namespace, tmp_path: Path) -> None:
    before = record(node, tmp_path / "before.tar.gz")
    to_nftables(node, TABLE)
    after = record(node, tmp_path / "after.tar.gz")
    there = prove(before, after, *ACCEPTED)
    assert there.code == 0, there.out
    assert "nftables mode (as of Kubernetes 1.33) after" in there.out
    # NAT by the first chain ends NAT: the CNI's connection marks would not be restored.
    sides = ("--before", before, "--after", after, "--order", NATIVE_FIRST)
    other = run("verify", *sides, *ACCEPTED, "--first")
    assert other.code == 1, other.out
    to_iptables(node)
    again = record(node, tmp_path / "again.tar.gz")
    back = prove(before, again)
    assert back.code == 0, back.out
    assert "\nequivalent: " in back.out


def test_what_is_predicted_is_what_is_there(node: Namespace, tmp_path: Path) -> None:
    before = record(node, tmp_path / "before")
    predicted = tmp_path / "kube-proxy.nft"
    options = ("--service-cidr", "172.30.0.0/16", "--node-ip", "192.168.0.2")
    done = run("predict", before, "--kube-proxy", "nftables", *options, "--write", str(predicted),
               "--order", NATIVE_LAST, *ACCEPTED)  # fmt: skip
    assert done.code == 0, done.out
    assert predicted.read_text() == TABLE


#: What a kube-proxy with a fault writes.
FAULTS = {
    "endpoint": ("dnat to 10.180.0.1:80", "dnat to 10.180.0.2:80"),
    "masquerade": ("jump mark-for-masquerade", "counter"),
    "mark": ("mark set mark or 0x4000", "mark set 0x4000"),
    "exclusion": ("ip saddr != 10.0.0.0/8 ", ""),
}


#: Usually the one that is proved soonest: tests/cli/test_switch.py has others.
@pytest.mark.parametrize("fault", FAULTS if NIGHTLY else ["masquerade"])
def test_a_fault_of_the_new_mode_is_found(fault: str, node: Namespace, tmp_path: Path) -> None:
    before = record(node, tmp_path / "before")
    to_nftables(node, TABLE.replace(*FAULTS[fault]))
    done = prove(before, record(node, tmp_path / "after"), *ACCEPTED)
    assert done.code == 1, done.out


def test_rules_that_kube_proxy_did_not_remove_are_found(node: Namespace, tmp_path: Path) -> None:
    before = record(node, tmp_path / "before")
    node.load(TABLE)
    done = prove(before, record(node, tmp_path / "after"), *ACCEPTED)
    assert (done.code, "error[M302]" in done.err) == (1, True)
