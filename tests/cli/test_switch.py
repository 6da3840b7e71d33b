"""A change of kube-proxy's mode, proved from two records of a node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from vpccni_nft import nft
from vpccni_nft.core.values import Family
from vpccni_nft.node.kube_proxy.endpoint_slices import EndpointSlices
from vpccni_nft.node.kube_proxy.read_nftables import read_nftables
from vpccni_nft.node.kube_proxy.services import Endpoint
from vpccni_nft.node.kube_proxy.switching import recorded
from vpccni_nft.node.kube_proxy.write_nftables import write_nftables
from vpccni_nft.proof.side import Side

from ..support.command import Run, run
from ..support.corpus import FOLDER
from ..support.schemas import fits

MODES = FOLDER / "modes"
BEFORE = (MODES / "02-clusterip.save").read_text()
AFTER = (MODES / "02-clusterip.1.33.nft").read_text()
ACCEPTED = ("--accept", "kube-proxy-modes")


def other_services(**changes: Any) -> str:
    """What kube-proxy writes where its one Service is another one."""
    found, form = read_nftables(nft.parse(AFTER), Family.IP)
    services = tuple(attrs.evolve(one, **changes) for one in found.services)
    return write_nftables(attrs.evolve(found, services=services), form)


def prove(folder: Path, before: str, after: str, *options: str) -> Run:
    (folder / "before.save").write_text(before)
    (folder / "after.nft").write_text(after)
    return run("switch", "prove", str(folder / "before.save"), str(folder / "after.nft"), *options)


def test_a_node_does_the_same_after_the_change(tmp_path: Path) -> None:
    done = prove(tmp_path, BEFORE, AFTER, *ACCEPTED)
    assert done.code == 0, done.out
    lines = done.out.splitlines()
    assert lines[:2] == [
        "kube-proxy: iptables mode before, nftables mode (as of Kubernetes 1.33) after",
        "Services: 1 ports before, 1 after",
    ]
    assert lines[3].startswith("equivalent, but for 4 accepted classes of packets")


def test_what_records_say_of_themselves_is_said(tmp_path: Path) -> None:
    """The answer is undecided at once: what it is about is known all the same."""
    texts = {"before": ("rules.save", BEFORE), "after": ("nft.txt", AFTER)}
    for hour, (name, (file, text)) in enumerate(texts.items()):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(text)
        (tmp_path / name / "kernel.txt").write_text("Linux 6.1\n")
        (tmp_path / name / "record.txt").write_text(
            f"vpccni-nft record 1\nhost: {name}\ntaken: 2026-12-01T0{2 - hour}:00:00Z\n\nx\n"
        )
    files = (str(tmp_path / "before"), str(tmp_path / "after"))
    done = run("switch", "prove", *files, "--timeout", "0.01", "--order", "same")
    assert done.code == 3
    lines = done.out.splitlines()
    assert lines[:4] == [
        "before: before, 2026-12-01T02:00:00Z, Linux 6.1",
        "after:  after, 2026-12-01T01:00:00Z, Linux 6.1",
        "  note: the records are of two hosts: before and after",
        "  note: the record of after was taken first: 2026-12-01T01:00:00Z",
    ]
    assert lines[-2:] == [
        "  order of base chains of one priority: same",
        "  nothing is left over of the mode that was left",
    ]
    about = json.loads(run("switch", "prove", *files, "--timeout", "0.01", "--json").out)["about"]
    assert (about["before"]["host"], about["order"]) == ("before", "every order is tried")
    assert (about["accept"], len(about["notes"])) == ([], 2)


def test_the_way_back_is_proved_too(tmp_path: Path) -> None:
    (tmp_path / "before.nft").write_text(AFTER)
    (tmp_path / "after.save").write_text(BEFORE)
    files = (str(tmp_path / "before.nft"), str(tmp_path / "after.save"))
    found = json.loads(run("switch", "prove", *files, "--json").out)
    assert fits("switch-prove", found)
    assert (found["before"]["mode"], found["after"]["mode"]) == ("nftables", "iptables")
    assert found["answer"] == "different"  # nothing is accepted


def test_endpoints_that_changed_are_listed_and_are_no_difference(tmp_path: Path) -> None:
    other = other_services(endpoints=(Endpoint("10.180.0.9", 80),))
    done = prove(tmp_path, BEFORE, other, *ACCEPTED)
    assert done.code == 0, done.out
    listed = "    ns1/svc1:p80 tcp (IPv4): without 10.180.0.1:80, with 10.180.0.9:80"
    assert listed in done.out.splitlines()
    # What changed is listed in any case.
    found = json.loads(prove(tmp_path, BEFORE, other, "--timeout", "0.001", "--json").out)
    assert found["changes"] == [
        {
            "service": "ns1/svc1:p80", "protocol": "tcp", "family": "ip", "what": "endpoints",
            "gone": ["10.180.0.1:80"], "new": ["10.180.0.9:80"], "fields": [],
        }
    ]  # fmt: skip


def test_a_service_with_another_port_is_listed(tmp_path: Path) -> None:
    other = other_services(port=81)
    done = prove(tmp_path, BEFORE, other, *ACCEPTED)
    assert done.code == 3, done.out
    assert "    ns1/svc1:p80 tcp (IPv4): its port changed" in done.out.splitlines()


def test_a_service_that_is_gone_is_not_taken_for_one_that_was_deleted(tmp_path: Path) -> None:
    found, form = read_nftables(nft.parse(AFTER), Family.IP)
    none = write_nftables(attrs.evolve(found, services=()), form)
    done = prove(tmp_path, BEFORE, none, *ACCEPTED)
    assert done.code != 0, done.out
    assert "    ns1/svc1:p80 tcp (IPv4): removed" in done.out.splitlines()


TWO = (Endpoint("10.180.0.1", 80), Endpoint("10.180.0.2", 80))


def slices(*addresses: str, ready: bool = True) -> str:
    """What kubectl get endpointslices prints where the Service has these endpoints."""
    endpoints = [{"addresses": [one], "conditions": {"ready": ready}} for one in addresses]
    item = {
        "kind": "EndpointSlice",
        "addressType": "IPv4",
        "metadata": {"namespace": "ns1", "labels": {"kubernetes.io/service-name": "svc1"}},
        "ports": [{"name": "p80", "port": 80, "protocol": "TCP"}],
        "endpoints": endpoints,
    }
    return json.dumps({"kind": "List", "items": [item]})


GONE = "ns1/svc1:p80 tcp (IPv4) is without 10.180.0.1:80, which is ready by the EndpointSlices"


@pytest.mark.parametrize(
    ("endpoints", "given", "code", "said"),
    [
        ((), None, 3, "ns1/svc1:p80 tcp (IPv4) has fewer endpoints than before"),
        ((), slices("10.180.0.1"), 3, GONE),
        ((), slices(), 0, ""),
        ((), slices("10.180.0.1", ready=False), 0, ""),
        (TWO[1:], slices("10.180.0.2"), 0, ""),
        (TWO[1:], slices("10.180.0.1", "10.180.0.2"), 3, GONE),
        (TWO[1:], slices("10.180.0.3"), 3, "has 10.180.0.2:80, which is not in the"),
    ],
)  # fmt: skip
def test_an_endpoint_that_is_gone_is_not_taken_for_one_that_was_meant_to_go(
    endpoints: tuple[Endpoint, ...], given: str | None, code: int, said: str
) -> None:
    one, other = (nft.parse(text) for text in (AFTER, other_services(endpoints=endpoints)))
    before, after = (Side((ruleset,)) for ruleset in (one, other))
    explained = None if given is None else EndpointSlices.parse(given)
    doubts = recorded(before, after, explained).doubts
    assert (bool(doubts), said in "".join(doubts)) == (code == 3, True), doubts


def test_a_service_without_endpoints_is_not_known_to_be_meant_so(tmp_path: Path) -> None:
    (tmp_path / "slices").write_text(slices())
    arguments = (tmp_path, BEFORE, other_services(endpoints=()), *ACCEPTED)
    lost = prove(*arguments)
    assert lost.code == 3, lost.out
    assert "  not known: ns1/svc1:p80 tcp (IPv4) has fewer endpoints" in lost.out
    assert prove(*arguments, "--endpoints", str(tmp_path / "slices")).code == 0
    (tmp_path / "slices").write_text("[]")
    wrong = prove(*arguments, "--endpoints", str(tmp_path / "slices"))
    assert (wrong.code, "it is not what kubectl get endpointslices" in wrong.err) == (2, True)


#: What a faulty kube-proxy might write, and whose fault it would be.
FAULTS = {
    "masquerade is lost": ("masquerade fully-random", "accept"),
    "hairpin is lost": ("ip saddr 10.180.0.1 jump mark-for-masquerade", "counter"),
    "another program's rule": ("nat-output jump services", "nat-output ip saddr 192.0.2.7 drop"),
    "reject is a drop": ("reject-chain reject", "reject-chain drop"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_new_mode_is_noticed(fault: str, tmp_path: Path) -> None:
    there, instead = FAULTS[fault]
    assert there in AFTER
    done = prove(tmp_path, BEFORE, AFTER.replace(there, instead, 1), *ACCEPTED)
    assert done.code == 1, done.out


def test_a_fault_of_another_table_is_noticed(tmp_path: Path) -> None:
    more = "table ip mine {\n\tchain c {\n\t\ttype filter hook forward priority 1; policy accept;\n"
    more += "\t\tip daddr 10.180.0.1 drop\n\t}\n}\n"
    done = prove(tmp_path, BEFORE, AFTER + more, *ACCEPTED)
    assert done.code == 1
    assert "10.180.0.1" in done.out


def test_rules_of_the_mode_that_was_left_are_an_error(tmp_path: Path) -> None:
    node = tmp_path / "after"
    node.mkdir()
    (node / "iptables-legacy.save").write_text(BEFORE)
    (node / "nft.txt").write_text(AFTER)
    (tmp_path / "before.save").write_text(BEFORE)
    done = run("switch", "prove", str(tmp_path / "before.save"), str(node))
    assert done.code == 1
    assert "error[M302]" in done.err
    assert "rules of kube-proxy's iptables mode are still in the IPv4 table nat" in done.err


def test_copies_and_chains_that_lead_nowhere_are_errors(tmp_path: Path) -> None:
    copy = "table ip vpccni-filter {\n\tchain c {\n\t}\n}\n"
    before, after = ((MODES / f"00-empty.{kind}").read_text() for kind in ("save", "1.33.nft"))
    done = prove(tmp_path, before, after + copy, *ACCEPTED)
    assert done.code == 1
    assert "the table vpccni-filter has copies of rules" in done.err
    node = tmp_path / "after"
    node.mkdir()
    (node / "nft.txt").write_text(after)
    (node / "iptables-legacy.save").write_text(
        "*nat\n:POSTROUTING ACCEPT [0:0]\n:CNI-DN-0123456789abcdef01234 - [0:0]\nCOMMIT\n"
    )
    done = run("switch", "prove", str(tmp_path / "before.save"), str(node), *ACCEPTED)
    assert done.code == 1
    assert "no rule leads to CNI-DN-0123456789abcdef01234" in done.err


def test_a_node_without_kube_proxy_is_refused(tmp_path: Path) -> None:
    done = prove(tmp_path, "*raw\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n", AFTER, "--family", "ip")
    assert (done.code, "there are no rules of kube-proxy" in done.err) == (1, True)
