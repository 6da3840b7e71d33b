"""``explain`` as its users run it, and packets as text."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import attrs
import pytest

import vpccni_nft
from vpccni_nft import Family, nft
from vpccni_nft.model.packet import HOOKS, STATE_BITS, NoMeaning, interface_word
from vpccni_nft.nft.statements import Statement
from vpccni_nft.simulate.packet_text import (
    KEYS,
    BadPacketText,
    complete,
    packet_words,
    parse_packet,
)
from vpccni_nft.simulate.sample import chains_of, differences, run
from vpccni_nft.simulate.simplify import simplify
from vpccni_nft.simulate.trace import trace

from ..support.command import Run, command, environment, help_examples
from ..support.command import run as run_command
from ..support.corpus import FOLDER, NODES, allowances, name_of
from ..support.dumps import DUMP

NODE = FOLDER / "node" / "eks-1.34-cni-1.23-legacy.save"
PAGE = Path(__file__).parents[2] / "docs" / "explain.md"


def explain(text: str, *arguments: str, stdin: str = "") -> Run:
    return run_command("explain", *(arguments or (str(NODE),)), "--packet", text, stdin=stdin)


def explained(text: str, *arguments: str) -> dict[str, Any]:
    done = explain(text, *(arguments or (str(NODE),)), "--json")
    assert (done.code, done.err) == (0, "")
    found: dict[str, Any] = json.loads(done.out)
    return found


# --- five packets of a node ---------------------------------------------------------------------

POD_TO_INTERNET = "iif=eni1 saddr=10.0.13.21 daddr=8.8.8.8 dport=443"
POD_TO_INTERNET_LEAVES = "hook=postrouting oif=ens5 saddr=10.0.13.21 daddr=8.8.8.8 mark=0x80"
POD_TO_POD = "hook=postrouting oif=ens5 saddr=10.0.13.21 daddr=10.0.44.9 dport=8080"
NODE_PORT = "iif=ens5 saddr=203.0.113.7 daddr=10.0.12.34 dport=30080 fib-daddr=local random=0.7"
NODE_PORT_REPLY = (
    "iif=eni1 saddr=10.0.13.22 daddr=10.0.12.34 sport=8080 ctstate=established ctdir=reply"
    " ctmark=0x80"
)
CLUSTER_IP = "iif=eni1 saddr=10.0.13.21 daddr=172.20.41.5 random=0.4"
HAIRPIN = "iif=eni1 saddr=10.0.13.21 daddr=172.20.41.5 random=0.1"
HAIRPIN_LEAVES = (
    "hook=postrouting oif=eni1 saddr=10.0.13.21 daddr=10.0.13.21 dport=8080 mark=0x4000"
    " ctstatus=dnat primary=10.0.12.34"
)


@pytest.mark.parametrize(
    ("text", "bindings", "changes"),
    [
        (POD_TO_INTERNET, [], {"mark": ["0x0", "0x80"], "ctmark": ["0x0", "0x80"]}),
        (
            POD_TO_INTERNET_LEAVES,
            ["snat to 10.0.12.34 fully-random"],
            {"saddr": ["10.0.13.21", "10.0.12.34"], "ctstatus": ["none", "snat"]},
        ),
        (POD_TO_POD, [], {}),
        (
            NODE_PORT,
            ["dnat to 10.0.44.10 port 8080"],
            {
                "daddr": ["10.0.12.34", "10.0.44.10"],
                "dport": ["30080", "8080"],
                "mark": ["0x0", "0x4000"],
                "ctstatus": ["none", "dnat"],
                "ctmark": ["0x0", "0x80"],
            },
        ),
        (NODE_PORT_REPLY, [], {"mark": ["0x0", "0x80"]}),
        (
            CLUSTER_IP,
            ["dnat to 10.0.44.9 port 8080"],
            {
                "daddr": ["172.20.41.5", "10.0.44.9"],
                "dport": ["80", "8080"],
                "ctstatus": ["none", "dnat"],
            },
        ),
        (
            HAIRPIN,
            ["dnat to 10.0.13.21 port 8080"],
            {
                "daddr": ["172.20.41.5", "10.0.13.21"],
                "dport": ["80", "8080"],
                "mark": ["0x0", "0x4000"],
                "ctstatus": ["none", "dnat"],
            },
        ),
        (
            HAIRPIN_LEAVES,
            ["masquerade fully-random"],
            {
                "saddr": ["10.0.13.21", "10.0.12.34"],
                "mark": ["0x4000", "0x0"],
                "ctstatus": ["dnat", "snat,dnat"],
            },
        ),
    ],
    ids=[
        "pod to internet",
        "pod to internet, leaving",
        "pod to pod",
        "node port",
        "reply of a node port",
        "cluster address",
        "hairpin",
        "hairpin, leaving",
    ],
)
def test_a_packet_ends_on_both_sides_as_the_node_means_it(
    text: str, bindings: list[str], changes: dict[str, list[str]]
) -> None:
    report = explained(text)
    assert [side["language"] for side in report["sides"]] == ["iptables", "nft"]
    for side in report["sides"]:
        assert side["outcome"] == {"verdict": "accept", "bindings": bindings, "changes": changes}
    assert report["differences"] == {}


def test_a_dropped_packet_is_dropped_by_the_rule_that_is_shown() -> None:
    report = explained("hook=input iif=ens5 saddr=10.0.0.1 daddr=127.0.0.1 proto=udp dport=10255")
    for side in report["sides"]:
        assert side["outcome"]["verdict"] == "drop"
        (step,) = (step for step in side["steps"] if step["verdict"])
        assert "KUBE-FIREWALL" in step["chain"]
        assert step is side["steps"][-1]


def test_a_policy_that_drops_is_shown() -> None:
    done = explain("hook=forward", "-", stdin=DUMP)
    assert done.code == 0
    assert done.out.count("policy drop") == 2
    assert done.out.count("outcome: drop") == 2


def test_a_line_that_is_shown_is_the_line_of_the_dump() -> None:
    lines = NODE.read_text().splitlines()
    for step in explained(NODE_PORT)["sides"][0]["steps"]:
        if step["kind"] == "rule":
            assert lines[step["line"] - 1] == step["text"]


def test_lines_of_the_translation_are_lines_of_the_script(tmp_path: Path) -> None:
    script = vpccni_nft.translate(NODE.read_text(), allow=["T101"]).script()
    (tmp_path / "node.nft").write_text(script)
    report = explained(NODE_PORT, str(tmp_path / "node.nft"))
    (side,) = report["sides"]
    for step in side["steps"]:
        if step["kind"] == "rule":
            written = script.splitlines()[step["line"] - 1].strip()
            assert written.startswith(step["text"].split(" counter")[0])


def test_rules_that_do_not_match_are_shown_with_the_option() -> None:
    some, everything = explain(CLUSTER_IP), explain(CLUSTER_IP, str(NODE), "--all")
    assert "172.20.41.6" not in some.out
    assert "172.20.0.10/32 -p udp" in everything.out
    assert len(everything.out.splitlines()) > len(some.out.splitlines())


def test_an_approximation_is_named() -> None:
    assert "T101" in explain(CLUSTER_IP).out
    assert [note[:4] for note in explained(CLUSTER_IP)["approximations"]] == ["T101"]


def test_defaults_and_what_was_asked_of_the_world_are_stated() -> None:
    report = explained(POD_TO_INTERNET)
    assert {"hook=prerouting", "sport=40000", "flags=syn", "ctstate=new"} <= {*report["defaults"]}
    assert not {word.partition("=")[0] for word in report["defaults"]} & {"iif", "saddr", "dport"}
    assert report["given"] == POD_TO_INTERNET.split()
    assert report["world"] == ["fib type of 8.8.8.8: unicast"]
    lines = explain(POD_TO_INTERNET).out.splitlines()
    assert [line.partition(":")[0] for line in lines[:2]] == ["packet", "defaults"]


def test_an_answer_that_nothing_asks_for_is_reported() -> None:
    out = explain(f"{POD_TO_INTERNET} in:nothing=yes random=0.5").out
    assert {"not used: random", "not used: in:nothing"} <= {*out.splitlines()}


def test_json_has_stable_keys() -> None:
    report = explained(NODE_PORT)
    assert list(report) == [
        "packet", "given", "defaults", "approximations", "sides", "world", "not_read",
        "differences",
    ]  # fmt: skip
    assert set(report["sides"][0]) == {"name", "language", "steps", "outcome"}
    for side in report["sides"]:
        for step in side["steps"]:
            assert set(step) == {
                "kind", "table", "chain", "rule", "line", "depth", "text", "fits", "changes",
                "events", "binding", "verdict",
            }  # fmt: skip


# --- two files ----------------------------------------------------------------------------------


def both(tmp_path: Path, change: tuple[str, str] = ("", "")) -> list[str]:
    script = vpccni_nft.translate(NODE.read_text(), allow=["T101"]).script()
    assert change[0] in script
    (tmp_path / "node.nft").write_text(script.replace(*change) if change[0] else script)
    return [str(NODE), str(tmp_path / "node.nft")]


def test_a_dump_and_its_script_agree(tmp_path: Path) -> None:
    done = explain(HAIRPIN, *both(tmp_path))
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("\nboth sides agree\n")


@pytest.mark.parametrize(
    ("text", "change", "told"),
    [
        (
            HAIRPIN,
            ("meta mark set meta mark | 0x4000", "meta mark set meta mark | 0x8000"),
            "  mark: 0x4000 / 0x8000",
        ),
        (
            CLUSTER_IP,
            ("dnat to 10.0.44.9:8080", "dnat to 10.0.44.9:8081"),
            "  bindings: dnat to 10.0.44.9 port 8080 / dnat to 10.0.44.9 port 8081",
        ),
        (
            "hook=forward ctstate=invalid",
            ("ct state invalid counter drop", "ct state invalid counter accept"),
            "  verdict: drop / accept",
        ),
    ],
    ids=["mark", "binding", "verdict"],
)
def test_two_files_that_differ_are_distinguished_by_the_field(
    text: str, change: tuple[str, str], told: str, tmp_path: Path
) -> None:
    done = explain(text, *both(tmp_path, change))
    assert (done.code, done.err) == (1, "")
    assert told in done.out.splitlines()
    code = explain(text, *both(tmp_path, change), "--json")
    assert code.code == 1
    assert told.partition(":")[0].strip() in json.loads(code.out)["differences"]


def test_counters_alone_do_not_make_two_files_differ(tmp_path: Path) -> None:
    assert explain(HAIRPIN, *both(tmp_path, (" counter", ""))).code == 0


def test_a_native_ruleset_of_the_cni_is_explained() -> None:
    file = FOLDER / "native" / "v1.23-nft-default.nft"
    report = explained(POD_TO_INTERNET, str(file))
    (side,) = report["sides"]
    assert side["outcome"]["changes"]["ctmark"] == ["0x0", "0x80"]


# --- what cannot be explained -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("color=red", f"the keys are hook, path, {', '.join(KEYS)}"),
        ("hook=bridge", f"not one of {', '.join(HOOKS)}"),
        ("ctstate=old", f"not one of {', '.join(STATE_BITS)}"),
        ("flags=syn,sin", "“sin” is not one of"),
        ("ctstatus=maybe", "“maybe” is not one of"),
        ("ctdir=back", "not one of original, reply"),
        ("proto=tpc", "not one of hopopt, icmp"),
        ("saddr=10.0.0.256", "is not an address"),
        ("saddr=10.0.0.1 daddr=fd00::1", "two families"),
        ("dport=65536", "larger than 65535"),
        ("mark=-1", "is not a number"),
        ("proto=icmp dport=1", "a packet of proto=icmp has no dport"),
        ("hook=output iif=eth0", "a packet in output has no iif"),
        ("iif=averyveryverylongname", "longer than 15 bytes"),
        ("fib-daddr=here", "not one of unspec, unicast, local"),
        ("random=1", "from 0 to less than 1"),
        ("random=nan", "from 0 to less than 1"),
        ("route-back=maybe", "not one of yes, no"),
        ("in:set=perhaps", "not one of yes, no"),
        ("saddr", "saddr has no value"),
        ("dport=1 dport=2", "is given twice"),
    ],
)
def test_a_packet_that_cannot_be_read_is_wrong_usage_with_the_list(text: str, told: str) -> None:
    with pytest.raises(BadPacketText) as refused:
        parse_packet(text)
    assert told in str(refused.value)


def test_all_that_is_wrong_with_a_packet_is_reported_with_exit_code_2() -> None:
    done = explain("color=red hook=bridge\x1b ctstate=old")
    assert (done.code, done.out) == (2, "")
    assert re.search("^Error: ", done.err, re.MULTILINE)
    assert all(word in done.err for word in ("color", "bridge", "“old”"))
    assert "\x1b" not in done.err


@pytest.mark.parametrize(
    "arguments",
    [("explain",), ("explain", str(NODE)), ("explain", "a", "b", "c", "--packet", "dport=1"),
     ("explain", "-", "-", "--packet", "dport=1"), ("explain", "none.save", "--packet", "dport=1")],
    ids=["nothing", "no packet", "three files", "two inputs", "no such file"],
)  # fmt: skip
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    done = run_command(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Error: " in done.err


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("hello", 2),
        ("table ip t { chain c { nonsense; } }", 2),
        ("*raw\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -m geoip -s 10.0.0.1\nCOMMIT\n", 1),
    ],
    ids=["no ruleset", "bad nft", "refused"],
)
def test_a_ruleset_that_cannot_be_read_or_translated_is_reported(text: str, code: int) -> None:
    done = explain("dport=1", "-", stdin=text)
    assert (done.code, done.out) == (code, "")
    assert "error[" in done.err


def test_a_dump_without_a_translation_is_explained_alone() -> None:
    dump = "*raw\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -p tcp -m string --algo bm --string x\n"
    dump += "-A OUTPUT -d 192.0.2.1/32 -p udp -m udp --dport 53 -j DROP\nCOMMIT\n"
    done = explain("hook=output daddr=192.0.2.1 proto=udp dport=53", "-", stdin=dump)
    assert done.code == 1
    assert "error[T001]" in done.err
    assert "outcome: drop" in done.out
    assert "the translation of" not in done.out


def test_the_number_that_is_drawn_chooses_an_endpoint_of_native_rules_too() -> None:
    file = str(FOLDER / "native" / "kube-proxy-nftables.nft")
    for random, endpoint in (("0.4", "10.0.13.7"), ("0.6", "10.0.77.20")):
        (side,) = explained(f"daddr=172.20.0.10 dport=53 random={random}", file)["sides"]
        assert side["outcome"]["bindings"] == [f"dnat to {endpoint} port 53"]


def test_a_rule_that_the_model_does_not_know_is_unknown_and_its_place_is_reported() -> None:
    hook = "type filter hook output priority 0;"
    text = f"table ip t {{\n chain c {{\n {hook}\n meta mark 0 counter\n }}\n}}\n"
    (table,) = nft.parse(text).tables
    (chain,) = table.chains
    unheard_of = nft.Rule((Statement(),))
    chain = attrs.evolve(chain, rules=(*chain.rules, unheard_of))
    ruleset = nft.Ruleset((attrs.evolve(table, chains=(chain,)),))
    with pytest.raises(NoMeaning, match=r"^after rule 1 of t c \(line 4\): "):
        trace((ruleset,), parse_packet("hook=output").packet)


# --- packets as text ----------------------------------------------------------------------------


def test_words_of_a_packet_are_read_as_that_packet() -> None:
    text = "hook=forward iif=eni1 oif=ens5 saddr=fd00::1 proto=icmpv6 icmp-type=1 ctstate=related"
    packet = parse_packet(text).packet
    assert packet.family is Family.IP6
    words = [f"hook={packet.hook}", *packet_words(packet)]
    assert parse_packet(" ".join(words)).packet.fields == packet.fields


@pytest.mark.parametrize("hook", HOOKS)
def test_an_empty_text_is_a_whole_packet(hook: str) -> None:
    read = parse_packet(f"hook={hook}")
    assert read.packet.fields == complete(Family.IP, hook, {})
    given = " ".join(word for word in read.defaults)
    assert parse_packet(f"hook={hook} {given}").packet.fields == read.packet.fields


def test_what_does_not_matter_is_left_out_of_a_packet() -> None:
    text = "iif=eni5 saddr=10.9.9.9 daddr=10.8.8.8 mark=0x55 dport=4433 ctmark=0x7 length=99"
    packet = parse_packet(text).packet
    eni5 = interface_word("eni5")
    plain = simplify(
        packet, lambda one: one.fields["iif"] == eni5 and one.fields["mark"] & 0x1 == 1
    )
    assert plain.text == "hook=prerouting iif=eni5 mark=0x1"
    assert plain.hidden == {}
    assert parse_packet(plain.text).packet.fields == plain.packet.fields


@pytest.mark.parametrize("path", NODES, ids=name_of)
def test_a_trace_ends_as_a_run_without_one(path: Path) -> None:
    text = path.read_text()
    dump = vpccni_nft.parse(text)
    script = nft.parse(vpccni_nft.translate(text, allow=allowances(text)).script())
    family = dump.tables[0].family
    for hook in HOOKS:
        packet = parse_packet(f"hook={hook} mark=0x4080 random=0.5", family).packet
        for ruleset in (dump, script):
            walked = trace((ruleset,), packet)
            plain = run(chains_of(ruleset, family), packet)
            assert differences(plain, walked.outcome) == {}
            changed = {change.field: change.before for step in walked.steps for change in
                       reversed(step.changes)}  # fmt: skip
            assert {change.field for change in walked.changes} <= set(changed)


# --- the documentation --------------------------------------------------------------------------


def test_the_examples_of_the_page_print_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^```text\n\$ (vpccni-nft .*?)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(found) >= 8
    (tmp_path / "node.save").write_bytes(NODE.read_bytes())
    monkeypatch.chdir(tmp_path)
    for line, printed in found:
        assert run_command(*shlex.split(line)[1:]).out == printed, line


def test_the_examples_in_the_help_name_the_command_and_work(tmp_path: Path) -> None:
    lines = help_examples("explain")
    assert len(lines) >= 4
    (tmp_path / "node.save").write_bytes(NODE.read_bytes())
    for line in lines:
        whole = line.replace("iptables-save |", "cat node.save |")
        whole = whole.replace("translate node.save", "translate --allow T101 node.save")
        done = subprocess.run(
            ["bash", "-c", whole.replace("vpccni-nft", shlex.join(command()))],
            cwd=tmp_path,
            capture_output=True,
            check=False,
            timeout=120,
            env=environment(),
        )
        assert done.returncode == 0, (line, done.stderr.decode())
