"""Whose rules are whose, for every dump of the corpus, and what taking one owner's leaves."""

from __future__ import annotations

import importlib.util
import json
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given

import vpccni_nft
from vpccni_nft import Family, iptables, parse
from vpccni_nft.core.span import Source
from vpccni_nft.node.owners import (
    CHAINS,
    OWNERS,
    RULES,
    TABLES,
    TRACES,
    VPC_CNI,
    WHOLE_TABLES,
)
from vpccni_nft.node.ownership import Inventory, inventory, inventory_of
from vpccni_nft.node.partition import take
from vpccni_nft.node.releases import Release
from vpccni_nft.strategies import NodeConfig, node_configs, node_dump

from ..support.command import run
from ..support.corpus import FOLDER, NODES, NODES_WITH_CNI, NODES_WITHOUT_CNI, name_of
from ..support.profiles import NODES_FEW

DOCS = Path(__file__).parents[2] / "docs"
CNI = sorted(FOLDER.glob("vpccni/v*.save"))

#: Rules that an earlier release left, by the dump and how they begin.
LEFT_BEHIND = {
    "v1.6-upgraded-from-v1.5": '-A POSTROUTING -m comment --comment "AWS SNAT CHAN"',
}

#: Every owner in a dump of a node, besides the CNI, kube-proxy and kubelet.
BESIDE = {
    "ecs-agent-host": {"docker", "ecs-agent"},
    "eks-1.12-cni-1.3": {"docker"},
    "eks-1.14-cni-1.5": {"docker"},
    "eks-1.18-cni-1.7": {"docker", "portmap"},
    "eks-1.18-cni-1.7-kiam-externalsnat": {"docker", "kube2iam"},
    "eks-1.21-cni-1.9": {"docker", "portmap"},
    "eks-1.21-cni-1.9-calico": {"calico"},
    "eks-1.23-cni-1.11": {"portmap"},
    "eks-1.24-cni-1.12.1": {"portmap"},
    "eks-1.26-cni-1.14": {"portmap"},
    "eks-1.28-ipv6-cluster-ip6tables": {"portmap"},
    "eks-1.28-ipv6-cluster-iptables": {"egress-cni"},
    "eks-1.29-cni-1.18-al2023-nft": {"portmap"},
    "eks-1.29-cni-1.18-calico-nft": {"calico"},
    "eks-1.29-cni-1.18-imds-block": {"user"},
    "eks-1.33-cni-1.20-al2023-nft-nfacct": {"portmap"},
    "eks-1.34-cni-1.23-legacy": {"portmap"},
    "portmap-binary-1.1.1-legacy": {"portmap"},
    "portmap-binary-1.1.1-nft": {"portmap"},
}

#: Dumps of nodes that have no rule of the CNI, or none of Kubernetes at all.
WITHOUT_CNI = {"eks-mixed-legacy-half", "eks-1.28-ipv6-cluster-ip6tables"}


def found_in(path: Path) -> Inventory:
    return inventory(parse(path.read_text()))


def release_of(path: Path) -> Release:
    """The release that a dump is of, by its name."""
    found = re.match(r"v(\d+)\.(\d+)(?:\.(\d+))?-", path.name)
    assert found
    return int(found[1]), int(found[2]), int(found[3] or 0)


# --- the CNI, release by release ----------------------------------------------------------------


@pytest.mark.parametrize("path", CNI, ids=name_of)
def test_every_rule_of_a_release_is_the_cnis_and_of_that_release(path: Path) -> None:
    found = found_in(path)
    assert set(found.owners) <= {"vpc-cni", "egress-cni"}
    left = LEFT_BEHIND.get(path.stem, "nothing")
    others = [
        one.text for one in found.rules if release_of(path) not in one.answer.releases
    ]  # fmt: skip
    assert all(text.startswith(left) for text in others)
    assert bool(others) is (path.stem in LEFT_BEHIND)


@pytest.mark.parametrize("path", CNI, ids=name_of)
def test_the_releases_of_all_rules_together_have_the_release_of_the_dump(path: Path) -> None:
    found = found_in(path)
    assert found.releases.empty is (path.stem in LEFT_BEHIND)
    assert release_of(path) in found.releases or found.releases.empty


@pytest.mark.parametrize(
    ("name", "releases"),
    [
        ("v1.1-default", "v1.0.0 to v1.2.1"),
        ("v1.3-two-cidrs", "v1.3.0 to v1.5.7"),
        ("v1.4-default", "v1.4.0 to v1.5.7"),
        ("v1.6-prng", "v1.6.0 to v1.6.4"),
        ("v1.7-hashrandom", "v1.7.0 to v1.16.0"),
        ("v1.11-default", "v1.8.0 to v1.12.0"),
        ("v1.14-three-cidrs-exclude", "v1.12.1 to v1.16.0"),
        ("v1.18-nft-default", "v1.16.1 to v1.22.4"),
        ("v1.23-legacy-exclude-all", "v1.23.0 on"),
        ("v1.23-nft-default", "v1.16.1 on"),
        ("v1.13-ipv6-egress-v6", "v1.13.0 on"),
    ],
)
def test_the_generation_of_the_rules_is_reported(name: str, releases: str) -> None:
    assert str(found_in(FOLDER / "vpccni" / f"{name}.save").releases) == releases


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("v1.6-upgraded-from-v1.5", 1),
        ("v1.8-veth-prefix-changed", 1),
        ("v1.9-upgraded-from-v1.7", 0),
        ("v1.12.1-upgraded-from-v1.11", 0),
        ("v1.16.1-upgraded-from-v1.16.0", 0),
        ("v1.23-legacy-upgraded-from-v1.22", 0),
    ],
)
def test_what_an_upgrade_left_behind_is_reported(name: str, told: int) -> None:
    found = found_in(FOLDER / "vpccni" / f"{name}.save")
    assert [one.code.name for one in found.diagnostics] == ["M101"] * told


def test_marks_of_an_earlier_setting_are_reported() -> None:
    dump = (FOLDER / "vpccni" / "v1.18-nft-default.save").read_text()
    changed = dump.replace("--set-xmark 0x80/0x80", "--set-xmark 0x100/0x100", 1)
    found = inventory(parse(changed)).diagnostics
    assert [one.code.name for one in found] == ["M101"]
    assert "marks: 0x100, 0x80" in found[0].message
    half = dump.replace("--set-xmark 0x80/0x80", "--set-xmark 0x80/0xff", 1)
    assert Counter(one.answer.owner for one in inventory(parse(half)).rules)["unknown"] == 1


@NODES_FEW
@given(node_configs(most_cidrs=6))
def test_every_rule_of_a_drawn_node_is_the_cnis_and_of_its_release(config: NodeConfig) -> None:
    found = inventory(parse(node_dump(config)))
    assert set(found.owners) <= {VPC_CNI}
    assert config.release in found.releases
    assert found.diagnostics == ()


# --- whole nodes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [path for path in NODES if path.parent.name == "node"], ids=name_of
)
def test_every_rule_of_a_node_has_one_of_its_owners(path: Path) -> None:
    kubernetes = {"kube-proxy", "kubelet"} if path.stem.startswith("eks-") else set()
    cni = {VPC_CNI} if kubernetes and path.stem not in WITHOUT_CNI else set()
    expected = {*kubernetes, *cni, *BESIDE.get(path.stem, set())}
    assert set(found_in(path).owners) == expected


@pytest.mark.parametrize("path", NODES, ids=name_of)
def test_the_cnis_rules_are_those_that_name_aws(path: Path) -> None:
    """Told once more by words alone, which holds on nodes where nobody else uses them."""
    words = re.compile(r'AWS-(SNAT|CONNMARK)-CHAIN|"AWS[ ,]|Block Node Local Pod access')
    for one in found_in(path).rules:
        assert (one.answer.owner == VPC_CNI) is bool(words.search(one.text)), one.text


@pytest.mark.parametrize(
    ("name", "owner", "users"),
    [
        ("tool-f2b-legacy", "fail2ban", 0),
        ("tool-ufw-legacy", "ufw", 0),
        ("tool-wg-legacy", "wg-quick", 2),
        ("istio-ambient-pod", "istio", 0),
        ("istio-dns-uid-gid", "istio", 0),
        ("istio-tproxy", "istio", 4),
        ("firewalld-centos7-iptables-backend", "firewalld", 8),
        ("tool-shorewall-legacy", "shorewall", 44),
    ],
)
def test_other_tools_are_known_by_their_chains_and_comments(
    name: str, owner: str, users: int
) -> None:
    count = Counter(one.answer.owner for one in found_in(FOLDER / "general" / f"{name}.save").rules)
    others = "unknown" if owner in WHOLE_TABLES else "user"
    assert set(count) == {owner, others} if users else {owner}
    assert count[others] == users


#: Rules of others that no dump of the corpus has, as they print them.
OTHERS = {
    "node-local-dns": '-d 169.254.20.10/32 -p udp -m udp --dport 53 -m comment --comment "NodeLocal'
    ' DNS Cache: skip conntrack" -j NOTRACK',
    "kube2iam": "-d 169.254.169.254/32 -i eni+ -p tcp -m tcp --dport 80"
    " -j DNAT --to-destination 10.0.12.34:8181",
    "tailscale": "-j ts-forward",
    "cilium": '-m comment --comment "cilium-feeder: CILIUM_PRE_raw" -j CILIUM_PRE_raw',
    "linkerd": "-p tcp -j PROXY_INIT_REDIRECT",
    "ip-masq-agent": '-m comment --comment "ip-masq-agent: x" -j IP-MASQ-AGENT',
    "cni-plugins": "-s 10.1.0.2/32 -j CNI-0123456789abcdef01234567",
    "kube-router": "-j KUBE-ROUTER-INPUT",
    "antrea": '-m comment --comment "Antrea: jump to Antrea input rules" -j ANTREA-INPUT',
    "user": "-s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT",
}


def dump_of(table: str, *lines: str, chains: tuple[str, ...] = ()) -> str:
    built_in = "".join(f":{name} DROP [7:70]\n" for name in ("PREROUTING", "POSTROUTING"))
    made = "".join(f":{name} - [0:0]\n" for name in chains)
    rules = "".join(f"{line}\n" for line in lines)
    return f"# Generated by iptables-save v1.8.9\n*{table}\n{built_in}{made}{rules}COMMIT\n"


@pytest.mark.parametrize("owner", OTHERS)
def test_a_rule_of_another_owner_is_theirs(owner: str) -> None:
    rule = OTHERS[owner]
    target = rule.rsplit(" ", 1)[1]
    chains = () if target in {"NOTRACK", "ACCEPT"} or "DNAT" in rule else (target,)
    found = inventory(parse(dump_of("raw", f"-A PREROUTING {rule}", chains=chains)))
    if owner == "kube2iam":
        found = inventory(parse(dump_of("nat", f"-A PREROUTING {rule}")))
    assert [one.answer.owner for one in found.rules] == [owner]


def test_a_rule_in_a_chain_of_the_cni_in_no_form_of_its_is_of_an_unknown_owner() -> None:
    dump = dump_of(
        "nat",
        "-A AWS-SNAT-CHAIN-0 -d 10.9.0.0/16 -j RETURN",
        '-A AWS-SNAT-CHAIN-0 -d 10.0.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j RETURN',
        chains=("AWS-SNAT-CHAIN-0",),
    )
    found = inventory(parse(dump))
    assert [one.answer.owner for one in found.rules] == ["unknown", VPC_CNI]
    assert "in no form that it writes" in found.rules[0].answer.why


def test_rules_of_yours_in_dockers_chain_for_them_are_yours() -> None:
    rules = ("-A DOCKER-USER -s 10.0.0.0/8 -j DROP", "-A DOCKER-USER -j RETURN")
    found = inventory(parse(dump_of("filter", *rules, chains=("DOCKER-USER",))))
    assert [one.answer.owner for one in found.rules] == ["user", "docker"]


def test_a_jump_of_a_chain_of_yours_is_yours() -> None:
    found = inventory(
        parse(
            dump_of("nat", "-A mine -j KUBE-MARK-MASQ", chains=("mine", "KUBE-MARK-MASQ"))
        )
    )  # fmt: skip
    assert [one.answer.owner for one in found.rules] == ["user"]


def test_every_owner_of_a_sign_is_one_that_is_known() -> None:
    known = {owner.name for owner in OWNERS}
    assert {sign.owner for sign in (*CHAINS, *RULES, *TABLES)} == known - {"user", "unknown"}
    assert {owner for owner, _ in TRACES} <= known


HAIRPIN = "-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE"
SCTP = "-p sctp -m sctp --sport 80 -j CHECKSUM --checksum-fill"
SYN = "-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"
KNOWN = "-m conntrack --ctstate RELATED,ESTABLISHED"
RESTORED = "-j CONNMARK --restore-mark --nfmask 0xff0000 --ctmask 0xff0000"


@pytest.mark.parametrize(
    ("table", "rule", "owner"),
    [
        ("nat", HAIRPIN, "docker"),
        ("nat", HAIRPIN.replace("-d 172.17.0.2", "-d 172.17.0.3"), "user"),
        ("nat", "-A POSTROUTING -o docker0 -m addrtype --src-type LOCAL -j MASQUERADE", "docker"),
        ("nat", "-A POSTROUTING -s 172.18.0.0/16 ! -o docker_gwbridge -j MASQUERADE", "docker"),
        ("nat", "-A POSTROUTING -s 172.18.0.0/16 ! -o shop -j MASQUERADE", "user"),
        ("raw", "-A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP", "docker"),
        ("raw", "-A PREROUTING -d 127.0.0.1/32 ! -i lo -p udp -m udp --dport 80 -j DROP", "docker"),
        ("raw", "-A PREROUTING -i docker0 -j ACCEPT", "unknown"),
        ("mangle", f"-A POSTROUTING {SCTP}", "docker"),
        ("mangle", f"-A PREROUTING {KNOWN} {RESTORED}", "tailscale"),
        ("mangle", f"-A PREROUTING {RESTORED}", "unknown"),
        ("mangle", f"-A FORWARD -o tailscale0 {SYN}", "tailscale"),
        ("mangle", "-A PREROUTING -i istioin -j MARK --set-xmark 0x1/0x1", "istio"),
        ("filter", "-A INPUT ! -i eth0 -p tcp -m tcp --dport 51678 -j DROP", "ecs-agent"),
        ("filter", "-A FORWARD -i cali123 -j ACCEPT", "unknown"),
    ],
)  # fmt: skip
def test_a_rule_is_an_owners_by_its_form_and_uncertain_by_a_trace(
    table: str, rule: str, owner: str
) -> None:
    dump = f"*{table}\n:{rule.split()[1]} ACCEPT [0:0]\n{rule}\nCOMMIT\n"
    (found,) = inventory(vpccni_nft.parse(dump, family=Family.IP)).rules
    assert found.answer.owner == owner


def test_a_bridge_that_dockers_chains_speak_of_is_dockers() -> None:
    nat = dump_of("nat", "-A POSTROUTING -s 172.18.0.0/16 ! -o shop -j MASQUERADE")
    chains = dump_of(
        "filter", "-A PREROUTING -o shop -j DOCKER", "-A PREROUTING -i shop ! -o shop -j ACCEPT",
        chains=("DOCKER",),
    ).replace("PREROUTING", "FORWARD")  # fmt: skip
    assert {one.answer.owner for one in inventory(parse(nat + chains)).rules} == {"docker"}


@pytest.mark.parametrize(
    ("table", "owner"),
    [
        ("ip kube-proxy", "kube-proxy"),
        ("ip aws-cni", VPC_CNI),
        ("ip6 cni_hostport", "portmap"),
        ("ip docker-bridges", "docker"),
        ("ip6 calico", "calico"),
        ("inet istio-proxy-nat", "istio"),
        ("inet netavark", "podman"),
        ("inet firewalld", "firewalld"),
        ("ip flannel-ipv4", "flannel"),
        ("ip vpccni-nat", "vpccni-nft"),
        ("inet filter", "unknown"),
        ("bridge kube-proxy", "unknown"),
    ],
)
def test_a_native_table_has_an_owner_by_its_name(table: str, owner: str) -> None:
    listing = Source.of(
        f"table {table} {{\n\tchain c {{\n\t\taccept\n\t}}\n}}\ntable ip nat {{\n}}\n"
    )
    found, _ = inventory_of((), None, (listing,))
    assert [(one.answer.owner, one.chains, one.rules) for one in found.tables] == [(owner, 1, 1)]
    assert found.owners == (owner,)


def test_bits_that_two_owners_write_are_noted_with_both_rules() -> None:
    rules = (
        "-A PREROUTING -j cali-PREROUTING",
        "-A cali-PREROUTING -j MARK --set-xmark 0x0/0xf0000",
        "-A cali-PREROUTING -j MARK --set-xmark 0x10000/0xffff0000",
        f"-A PREROUTING -m conntrack --ctstate RELATED,ESTABLISHED {RESTORED}",
        "-A PREROUTING -j MARK --set-xmark 0x1/0x1",
    )
    found = inventory(parse(dump_of("mangle", *rules, chains=("cali-PREROUTING",))))
    (note,) = found.diagnostics
    assert note.code.name == "M108"
    assert note.span
    assert "cali-PREROUTING" in note.span.text
    assert "0xf0000" in note.message
    assert "tailscale" in note.message
    assert RESTORED in note.message


# --- one owner's part, and the rest -------------------------------------------------------------


def rules_of(ruleset: iptables.Ruleset) -> Counter[str]:
    """All rules with their tables and counters."""
    return Counter(
        f"{table.family.value} {table.name} {rule.counters} {one.text}"
        for table in ruleset.tables
        for one in inventory(iptables.Ruleset((table,))).rules
        for rule in (one.rule,)
    )


@pytest.mark.parametrize("path", NODES_WITHOUT_CNI, ids=name_of)
def test_nothing_can_be_taken_of_an_owner_that_has_nothing(path: Path) -> None:
    whole = parse(path.read_text())
    assert VPC_CNI not in inventory(whole).owners
    with pytest.raises(vpccni_nft.Refused, match="M103"):
        take(whole, VPC_CNI)


@pytest.mark.parametrize("path", NODES_WITH_CNI, ids=name_of)
def test_the_cnis_part_and_the_rest_have_every_rule_once(path: Path) -> None:
    whole = parse(path.read_text())
    taken, rest = take(whole, VPC_CNI)
    assert set(inventory(taken).owners) == {VPC_CNI}
    assert VPC_CNI not in inventory(rest).owners
    assert rules_of(taken) + rules_of(rest) == rules_of(whole)


@pytest.mark.parametrize("path", NODES_WITH_CNI, ids=name_of)
def test_both_parts_keep_the_order_of_rules_and_can_be_read_again(path: Path) -> None:
    parts = take(parse(path.read_text()), VPC_CNI)
    lines = [re.sub(r"^\[.*?\] ", "", line) for line in path.read_text().splitlines()]
    for part in parts:
        text = iptables.save(part)
        assert parse(text) == part
        last: dict[str, int] = {}
        for line in text.splitlines():
            if line.startswith("*"):
                start = lines.index(line)
                last = {}
            bare = re.sub(r"^\[.*?\] ", "", line)
            if bare.startswith("-A"):
                chain = bare.split(" ")[1]
                last[chain] = lines.index(bare, max(start, last.get(chain, 0) + 1))


def test_policies_and_their_counters_stay_with_the_rest() -> None:
    rule = '-A POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0'
    dump = dump_of("nat", rule, chains=("AWS-SNAT-CHAIN-0",))
    taken, rest = take(parse(dump), VPC_CNI)
    assert re.findall(r"^:.*", iptables.save(taken), re.MULTILINE) == [
        ":PREROUTING ACCEPT [0:0]",
        ":POSTROUTING ACCEPT [0:0]",
        ":AWS-SNAT-CHAIN-0 - [0:0]",
    ]
    assert re.findall(r"^:.*", iptables.save(rest), re.MULTILINE) == [
        ":PREROUTING DROP [7:70]",
        ":POSTROUTING DROP [7:70]",
    ]


def test_equal_rules_of_different_owners_are_distinguished() -> None:
    rule = "-s 10.0.0.0/8 -j ACCEPT"
    dump = dump_of(
        "raw", f"-A PREROUTING {rule}", "-A PREROUTING -j ts-input", f"-A ts-input {rule}",
        chains=("ts-input",),
    )  # fmt: skip
    taken, rest = take(parse(dump), "tailscale")
    assert [line for line in iptables.save(taken).splitlines() if line.startswith("-A")] == [
        "-A PREROUTING -j ts-input",
        f"-A ts-input {rule}",
    ]
    assert f"-A PREROUTING {rule}" in iptables.save(rest)


OUTBOUND = (
    '-A PREROUTING -i eni+ -m comment --comment "AWS, outbound connections" -j AWS-CONNMARK-CHAIN-0'
)


@pytest.mark.parametrize(
    ("lines", "chains"),
    [
        # Somebody jumps into a chain of the CNI, as Antrea does.
        (
            (OUTBOUND, "-A ANTREA-PREROUTING -i antrea-gw0 -j AWS-CONNMARK-CHAIN-0"),
            ("ANTREA-PREROUTING", "AWS-CONNMARK-CHAIN-0"),
        ),
        # A rule of yours stands in one.
        (
            (OUTBOUND, "-A AWS-CONNMARK-CHAIN-0 -d 10.9.0.0/16 -j RETURN"),
            ("AWS-CONNMARK-CHAIN-0",),
        ),
        # A chain of yours calls one.
        (
            (OUTBOUND, "-A PREROUTING -i wg0 -j mine", "-A mine -g AWS-CONNMARK-CHAIN-0"),
            ("AWS-CONNMARK-CHAIN-0", "mine"),
        ),
    ],
)
def test_chains_that_both_need_are_refused(lines: tuple[str, ...], chains: tuple[str, ...]) -> None:
    ruleset = parse(dump_of("nat", *lines, chains=chains))
    with pytest.raises(vpccni_nft.Refused) as refused:
        take(ruleset, VPC_CNI)
    assert {one.code.name for one in refused.value.diagnostics} == {"M102"}


def test_a_jump_from_a_built_in_chain_goes_with_the_chain_that_it_needs() -> None:
    rule = "-A PREROUTING -i wg0 -j AWS-CONNMARK-CHAIN-0"
    taken, rest = take(parse(dump_of("nat", rule, chains=("AWS-CONNMARK-CHAIN-0",))), VPC_CNI)
    assert rule in iptables.save(taken)
    assert rule not in iptables.save(rest)


def test_only_known_owners_can_be_taken() -> None:
    with pytest.raises(ValueError, match="nobody is not one of"):
        take(iptables.Ruleset(), "nobody")


# --- the commands -------------------------------------------------------------------------------

NODE = FOLDER / "node" / "eks-1.34-cni-1.23-legacy.save"


def test_the_command_counts_chains_and_rules_by_owner() -> None:
    done = run("inventory", str(NODE))
    assert (done.code, done.err) == (0, "")
    rows = [line.split()[:4] for line in done.out.splitlines()]
    assert rows[0] == ["owner", "tables", "chains", "rules"]
    found = found_in(NODE)
    count = Counter(one.answer.owner for one in found.rules)
    assert {row[0]: int(row[3]) for row in rows[1:]} == dict(count)
    assert "aws-node, v1.23.0 on" in done.out


def test_the_command_shows_every_rule_with_its_owner_and_why() -> None:
    done = run("inventory", "--rules", str(NODE))
    assert done.code == 0
    shown = [line for line in done.out.splitlines() if " -A " in line]
    assert len(shown) == len(re.findall(r"^-A", NODE.read_text(), re.MULTILINE))
    snat = next(line for line in shown if "-j SNAT" in line)
    assert snat.startswith("vpc-cni ")
    assert snat.endswith("# written by v1.7.0 on")


def test_the_command_answers_in_json_too() -> None:
    done = run("inventory", "--json", stdin=NODE.read_text())
    report = json.loads(done.out)
    assert report["owners"][VPC_CNI] == {"tables": 0, "chains": 2, "rules": 10}
    assert report["vpc_cni_releases"] == "v1.23.0 on"
    lines = NODE.read_text().splitlines()
    assert all(lines[one["line"] - 1] == one["rule"] for one in report["rules"])


def test_matches_that_are_not_known_do_not_matter_to_the_inventory() -> None:
    dump = dump_of("nat", "-A PREROUTING -m geoip --source-country XX -j ACCEPT", OUTBOUND,
                   chains=("AWS-CONNMARK-CHAIN-0",))  # fmt: skip
    done = run("inventory", "--rules", stdin=dump)
    assert (done.code, done.err) == (0, "")
    assert "user " in done.out
    assert run("translate", stdin=dump).code == 1


@pytest.mark.parametrize(
    ("stdin", "code"), [("hello", 2), ("*nat\n-A NOWHERE -j ACCEPT\nCOMMIT\n", 1)]
)
def test_what_cannot_be_read_has_no_inventory(stdin: str, code: int) -> None:
    done = run("inventory", stdin=stdin)
    assert (done.code, done.out) == (code, "")


def test_translate_refuses_an_owner_that_is_not_there_or_not_known() -> None:
    absent = run("translate", "--owner", "istio", str(NODE))
    assert (absent.code, absent.out) == (1, "")
    assert "error[M103]" in absent.err
    unknown = run("translate", "--owner", "nobody", str(NODE))
    assert (unknown.code, unknown.out) == (2, "")


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate_ownership.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_of_owners_in_the_documentation_are_up_to_date() -> None:
    assert (DOCS / "ownership.md").read_text() == generator().page()


def test_tailscale_in_nft_mode_takes_the_names_of_iptables_tables() -> None:
    """Beside a dump of iptables-legacy these are tables of their own; its own dump shows others."""
    text = (FOLDER / "native" / "tailscale.nft").read_text()
    dump = "# Generated by iptables-save v1.8.9{} on Mon\n*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"
    listing = Source.of(text, "nft.txt")
    legacy, _ = inventory_of((Source.of(dump.format("")),), Family.IP, (listing,))
    owned = [(one.family, one.name, one.answer.owner) for one in legacy.tables]
    names = [("ip", "filter"), ("ip", "nat"), ("ip6", "filter")]
    assert owned == [(*name, "tailscale") for name in names]
    shown, _ = inventory_of((Source.of(dump.format(" (nf_tables)")),), Family.IP, (listing,))
    assert shown.tables == ()
