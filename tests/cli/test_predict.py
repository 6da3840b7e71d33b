"""A change of kube-proxy's mode, predicted: from a dump to the classes of packets that differ."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ..support.command import run
from ..support.corpus import FOLDER
from ..support.profiles import NIGHTLY
from ..support.schemas import fits

MODES = FOLDER / "modes"
SERVICE = str(MODES / "02-clusterip.save")
NFTABLES = ("--kube-proxy", "nftables")
CIDR = ("--service-cidr", "172.30.0.0/16")


def test_a_change_is_equivalent_but_for_what_is_accepted() -> None:
    done = run("predict", SERVICE, *NFTABLES, *CIDR, "--accept", "kube-proxy-modes")
    assert done.code == 0, done.out
    assert done.out.startswith("equivalent, but for 4 accepted classes of packets")
    assert "unused ports of ClusterIPs" in done.out


def test_a_change_that_is_not_accepted_is_different() -> None:
    done = run("predict", SERVICE, *NFTABLES, *CIDR, *(() if NIGHTLY else ("--first",)))
    assert done.code == 1
    assert done.out.startswith("different: ")


def test_what_is_written_is_the_table_of_kube_proxy(tmp_path: Path) -> None:
    written = tmp_path / "kube-proxy.nft"
    options = (*NFTABLES, *CIDR, "--kubernetes", "1.37", "--write", str(written))
    found = json.loads(run("predict", SERVICE, *options, "--json", "--first").out)
    assert fits("predict", found)
    assert written.read_text() == found["script"]
    assert (found["services"], found["answer"]) == (1, "different")
    listed = (MODES / "02-clusterip.1.37.nft").read_text()
    # Which addresses take NodePort packets is not asked for, where no Service has one.
    assert written.read_text() == "".join(
        line for line in listed.splitlines(keepends=True) if "{ 192.168.0.2 }" not in line
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            (*NFTABLES, *CIDR),
            "the IPv4 address of the node, which takes NodePort packets, is not known: give",
        ),
        (
            (*NFTABLES, "--node-ip", "192.168.0.2"),
            "it is not known where Services get their IPv4 addresses from: give --service-cidr",
        ),
        ((*NFTABLES, *CIDR, "--service-cidr", "none"), "either none or CIDRs"),
        ((*NFTABLES, "--service-cidr", "10.1.2.3/8"), "10.1.2.3/8 has host bits set"),
        ((*NFTABLES, *CIDR, "--node-ip", "node7"), "'node7' does not appear to be an IPv4 or"),
        (
            (*NFTABLES, *CIDR, "--node-ip", "192.168.0.2", "--cluster-cidr", "10.9.0.0/16"),
            "pods have 10.0.0.0/8, and not 10.9.0.0/16",
        ),
    ],
)
def test_what_is_not_given_is_named(options: tuple[str, ...], message: str) -> None:
    done = run("predict", str(MODES / "04-nodeport.save"), *options)
    assert (done.code, message in done.err) == (2, True), done.err


def test_a_node_in_nftables_mode_has_nothing_to_predict(tmp_path: Path) -> None:
    done = run("predict", str(MODES / "02-clusterip.1.33.nft"), *NFTABLES, *CIDR)
    assert done.code == 1
    assert "there are no rules of kube-proxy in iptables mode" in done.err


def test_a_node_without_kube_proxy_has_nothing_to_predict() -> None:
    dump = FOLDER / "vpccni" / "v1.23-legacy-default.save"
    done = run("predict", str(dump), *NFTABLES, *CIDR)
    assert (done.code, "there are no rules of kube-proxy" in done.err) == (1, True)


def test_a_record_shows_the_address_of_the_node(tmp_path: Path) -> None:
    record = tmp_path / "node"
    assert run("record", "--from", str(MODES / "04-nodeport.save"), str(record)).code == 0
    (record / "routes.json").write_text('[{"dst":"default","dev":"ens5","prefsrc":"192.0.2.9"}]')
    (record / "addresses.json").write_text("[]")
    written = tmp_path / "out.nft"
    done = run("predict", str(record), *NFTABLES, *CIDR, "--first", "--write", str(written))
    assert done.code == 1, done.err
    assert "add element ip kube-proxy nodeport-ips { 192.0.2.9 }" in written.read_text()


def test_a_node_with_rules_of_both_modes_is_refused(tmp_path: Path) -> None:
    node = tmp_path / "node"
    node.mkdir()
    (node / "iptables-legacy.save").write_text(Path(SERVICE).read_text())
    (node / "nft.txt").write_text((MODES / "02-clusterip.1.33.list").read_text())
    for mode in ("nftables", "iptables"):
        done = run("predict", str(node), "--kube-proxy", mode, *CIDR)
        assert (done.code, "rules of kube-proxy in both of its modes" in done.err) == (1, True)


def test_the_way_back_is_predicted(tmp_path: Path) -> None:
    written = tmp_path / "kube-proxy.save"
    options = ("--kube-proxy", "iptables", "--first", "--write", str(written))
    done = run("predict", str(MODES / "04-nodeport.1.37.list"), *options)
    assert done.code == 1, done.err
    assert (
        "  assumed of what is predicted: IPv4: kube-proxy is not configured with node" in done.out
    )
    lines = (MODES / "04-nodeport.save").read_text().splitlines()
    own = {line for line in lines if line.startswith("-A ") and "KUBE-" in line}
    expected = {re.sub(r" -m nfacct --nfacct-name  \S+", "", line) for line in own}
    # What is not there is kubelet's, or only counts packets for NodePorts at 127.0.0.1.
    missing = expected - set(written.read_text().splitlines())
    assert all("KUBE-FIREWALL" in line or "-d 127.0.0.0/8" in line for line in missing)


def test_tables_of_other_families_stay_on_the_node(tmp_path: Path) -> None:
    node = tmp_path / "node"
    node.mkdir()
    (node / "iptables-legacy.save").write_text(Path(SERVICE).read_text())
    (node / "nft.txt").write_text(
        "table netdev t {\n\tchain c {\n\t\ttype filter hook ingress device eth0 priority 0;"
        " policy accept;\n\t\tip saddr 192.0.2.1 drop\n\t}\n}\n"
    )
    done = run("predict", str(node), *NFTABLES, *CIDR, "--accept", "kube-proxy-modes")
    assert (done.code, "netdev" in done.out) == (0, True), done.out


def test_what_a_prediction_rests_on_is_shown() -> None:
    back = ("--kube-proxy", "iptables", "--first", "--json")
    local = json.loads(run("predict", str(MODES / "08-etp-local-none-local.1.33.list"), *back).out)
    assert local["predicted_assuming"] == [
        "IPv4: kube-proxy is not configured with nodePortAddresses",
        "IPv4: no load balancer asks for the health of a Service",
    ]
    there = (*NFTABLES, *CIDR, "--node-ip", "192.168.0.2", "--first", "--json")
    empty = json.loads(run("predict", str(MODES / "11-no-endpoints.save"), *there).out)
    assert empty["predicted_assuming"] == [
        "IPv4: kube-proxy is not configured with the addresses of pods"
    ]
    known = json.loads(run("predict", SERVICE, *there).out)
    assert known["predicted_assuming"] == []


CNI = FOLDER / "vpccni" / "v1.18-nft-default.save"


def test_the_table_of_the_cni_is_predicted(tmp_path: Path) -> None:
    written = tmp_path / "aws-cni.nft"
    options = ("--vpc-cni", "1.23", "--accept", "vpc-cni-native", "--write", str(written))
    done = run("predict", str(CNI), *options)
    assert (done.code, "but for 2 accepted classes" in done.out) == (0, True), done.out
    assert "ct mark set ct mark | 0x80" in written.read_text()


def test_a_node_of_legacy_keeps_the_rules_of_the_cni(tmp_path: Path) -> None:
    dump = tmp_path / "iptables-legacy.save"
    dump.write_text(CNI.read_text().replace(" (nf_tables)", "").replace("v1.8.9", "v1.8.4"))
    done = run("predict", str(tmp_path), "--vpc-cni", "1.23", "--json")
    found = json.loads(done.out)
    assert fits("predict", found)
    assert (done.code, found["answer"], found["services"]) == (0, "equivalent", None)
    assert "iptables-legacy" in found["predicted_assuming"][0]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ((), 2, "say what changes: --kube-proxy, --vpc-cni, or both"),
        (("--vpc-cni", "1.22"), 1, "connmark rules in iptables already"),
        (("--vpc-cni", "1.23", "--kube-proxy", "nftables"), 1, "no rules of kube-proxy"),
    ],
)
def test_what_is_wrong_with_a_change_of_the_cni_is_said(
    options: tuple[str, ...], code: int, message: str
) -> None:
    done = run("predict", str(CNI), *options)
    assert (done.code, message in done.err) == (code, True), done.err


def test_scripts_of_two_languages_are_not_one_file(tmp_path: Path) -> None:
    node = tmp_path / "node"
    node.mkdir()
    (node / "iptables-nft.save").write_text(CNI.read_text())
    (node / "nft.txt").write_text((MODES / "02-clusterip.1.33.list").read_text())
    both = ("--kube-proxy", "iptables", "--vpc-cni", "1.23", "--first")
    done = run("predict", str(node), *both, "--write", str(tmp_path / "out"))
    assert (done.code, "predict them one by one" in done.err) == (2, True), done.err
