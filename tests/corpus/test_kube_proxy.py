"""kube-proxy's Services, read from one mode and written in the other, as it writes them itself."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from vpccni_nft import nft, parse
from vpccni_nft.core.diagnostics import Refused
from vpccni_nft.core.values import Family
from vpccni_nft.iptables import save
from vpccni_nft.node.kube_proxy.predict import shown_node_ips, without_kube_proxy
from vpccni_nft.node.kube_proxy.read_iptables import read_iptables
from vpccni_nft.node.kube_proxy.read_nftables import read_nftables
from vpccni_nft.node.kube_proxy.services import KubeProxy
from vpccni_nft.node.kube_proxy.write_iptables import as_restore_file
from vpccni_nft.node.kube_proxy.write_nftables import TableForm, write_nftables

from ..support.corpus import FOLDER
from ..support.profiles import share

MODES = FOLDER / "modes"
SCENARIOS = sorted(path.stem for path in MODES.glob("*.save"))

#: Nodes of kube-proxy 1.26 and later, and how many ports of Services they have.
NODES = {
    "eks-1.26-cni-1.14": 16, "eks-1.27-cni-1.15": 16, "eks-1.28-ipv6-cluster-ip6tables": 6,
    "eks-1.28-ipv6-cluster-iptables": 0, "eks-1.29-cni-1.18-al2023-nft": 16,
    "eks-1.29-cni-1.18-calico-nft": 7, "eks-1.29-cni-1.18-imds-block": 5,
    "eks-1.30-cni-1.18-nodeport-addresses": 16, "eks-1.32-cni-1.20-masqall": 16,
    "eks-1.33-cni-1.20-al2023-nft-nfacct": 17, "eks-1.34-cni-1.23-legacy": 17,
    "eks-mixed-legacy-half": 5,
}  # fmt: skip

#: Nodes whose kube-proxy wrote other rules than those of today.
OLDER = [
    "eks-1.12-cni-1.3", "eks-1.14-cni-1.5", "eks-1.18-cni-1.7", "eks-1.21-cni-1.9",
    "eks-1.23-cni-1.11", "eks-1.24-cni-1.12.1",
]  # fmt: skip


def read(text: str, family: Family = Family.IP) -> KubeProxy:
    return read_iptables(parse(text, family=family), family)


def scenario(name: str) -> KubeProxy:
    """The Services of a scenario, with what no rule of the iptables mode shows."""
    six = name == "20-ipv6"
    found = read((MODES / f"{name}.save").read_text(), Family.IP6 if six else Family.IP)
    cidr = "fd00:10::/64" if six else "10.0.0.0/8"
    settings = attrs.evolve(
        found.settings,
        service_cidrs=("fd00:10:96::/112" if six else "172.30.0.0/16",),
        node_port_addresses=("2001:db8::1" if six else "192.168.0.2",),
        cluster_cidr=None if found.settings.masquerade_all else cidr,
    )
    return attrs.evolve(found, settings=settings)


@pytest.mark.parametrize("generation", TableForm)
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_table_is_what_kube_proxy_writes(name: str, generation: TableForm) -> None:
    expected = (MODES / f"{name}.{generation.value}.nft").read_text()
    assert write_nftables(scenario(name), generation) == expected


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_services_are_read_again_from_what_is_written_for_them(name: str) -> None:
    family = Family.IP6 if name == "20-ipv6" else Family.IP
    found = read((MODES / f"{name}.save").read_text(), family)
    assert read(as_restore_file(found), family) == found


@pytest.mark.parametrize("name", NODES)
def test_the_services_of_a_node_are_read(name: str) -> None:
    text = (FOLDER / "node" / f"{name}.save").read_text()
    family = Family.IP6 if "ip6tables" in name else Family.IP
    assert len(read(text, family).services) == NODES[name]


@pytest.mark.parametrize("name", OLDER)
def test_rules_of_an_older_kube_proxy_are_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        read((FOLDER / "node" / f"{name}.save").read_text())
    assert {one.code.name for one in refused.value.diagnostics} == {"M301"}
    assert any(one.span for one in refused.value.diagnostics)


def test_a_service_has_all_that_its_rules_say() -> None:
    services = {one.name: one for one in scenario("01-overall").services}
    sticky = services["ns5/svc5:p80"]
    assert (sticky.affinity, sticky.node_port) == (10800, 3002)
    assert sticky.load_balancers == (("5.6.7.8", ("203.0.113.0/25",)),)
    local = services["ns2/svc2:p80"]
    assert (local.external_local, local.internal_local, local.health_check_port) == (
        True, False, 30000,
    )  # fmt: skip
    assert [str(one) for one in services["ns4/svc4:p80"].endpoints] == [
        "10.180.0.4:80", "10.180.0.5:80",
    ]  # fmt: skip
    assert services["ns6/svc6:p80"].all_endpoints == ()


#: Tables as commands and as nft lists them, and the releases whose kube-proxy writes so.
TABLES = sorted([*MODES.glob("*.nft"), *MODES.glob("*.list")])


@pytest.mark.parametrize("path", share(TABLES, 2), ids=lambda path: path.name)
def test_the_services_of_a_table_are_read(path: Path) -> None:
    name, generation = path.name.removesuffix(path.suffix).split(".", 1)
    family = Family.IP6 if name == "20-ipv6" else Family.IP
    found, form = read_nftables(nft.parse(path.read_text()), family)
    assert form.value == generation or (form, generation) == (TableForm.V1_36, "1.37")
    expected = scenario(name)
    assert [one.in_either_mode for one in found.services] == [
        one.in_either_mode for one in expected.services
    ]


TABLE = (MODES / "01-overall.1.36.nft").read_text().splitlines()
#: Without one of these it is a node of other Services or settings.
SETTINGS = (
    "Drop traffic to unallocated", "masquerade clusterIP traffic", "nodeport-ips { 192.",
    "service-nodeports { tcp . 3002",
)  # fmt: skip
#: Commands that each say a part of something; declarations cannot be left out.
COMMANDS = [
    number
    for number, line in enumerate(TABLE)
    if re.match("add (rule|element)", line) and not any(text in line for text in SETTINGS)
]


def _is_refused(lines: list[str]) -> bool:
    try:
        read_nftables(nft.parse("\n".join(lines)), Family.IP)
    except Refused as refused:
        return all(one.code.name == "M301" for one in refused.diagnostics)
    return False


@pytest.mark.parametrize("number", share(COMMANDS, 3))
def test_a_command_that_is_missing_is_noticed(number: int) -> None:
    assert _is_refused([*TABLE[:number], *TABLE[number + 1 :]])


def test_a_rule_more_in_a_table_is_noticed() -> None:
    for chain in ("services", "nat-output", "reject-chain"):
        assert _is_refused([*TABLE, f"add rule ip kube-proxy {chain} ip saddr 192.0.2.1 accept"])
    hook = "{ type filter hook input priority 5; }"
    assert _is_refused([*TABLE, f"add chain ip kube-proxy mine {hook}"])


LINES = (MODES / "01-overall.save").read_text().splitlines()
#: The rules of kube-proxy, and what leads to them.
RULES = [
    number
    for number, line in enumerate(LINES)
    if line.startswith("-A ") and "KUBE-" in line and "KUBE-FIREWALL" not in line
]


#: Without one of these it is a node of other Services or settings: a liberal conntrack, no health
#: check, no Service at all, an endpoint that gets no packets.
ALONE = (
    "--ctstate INVALID", "health check node port", "ns6/svc6:p80 has no endpoints",
    "ns4/svc4:p80 -> 10.180.0.4:80",
)  # fmt: skip


def _refuses(lines: list[str]) -> bool:
    try:
        read("\n".join(lines))
    except Refused as refused:
        return all(one.code.name == "M301" for one in refused.diagnostics)
    return False


@pytest.mark.parametrize(
    "number", [one for one in share(RULES, 3) if not any(text in LINES[one] for text in ALONE)]
)
def test_a_rule_that_is_missing_is_noticed(number: int) -> None:
    assert _refuses([*LINES[:number], *LINES[number + 1 :]])


@pytest.mark.parametrize("number", share(RULES, 3))
def test_a_rule_that_is_there_twice_is_noticed(number: int) -> None:
    assert _refuses([*LINES[:number], LINES[number], *LINES[number:]])


@pytest.mark.parametrize("number", share(RULES, 3))
def test_a_rule_with_a_condition_more_is_noticed(number: int) -> None:
    words = LINES[number].split(" ", 2)
    changed = f"{words[0]} {words[1]} -i eth7 {words[2]}"
    assert _refuses([*LINES[:number], changed, *LINES[number + 1 :]])


@pytest.mark.parametrize("text", ALONE)
def test_a_rule_that_says_something_alone_is_read_alone(text: str) -> None:
    found = read("\n".join(line for line in LINES if text not in line))
    assert found != read("\n".join(LINES))
    assert read(as_restore_file(found)) == found


def test_a_rule_of_someone_else_that_leads_to_kube_proxys_chains_is_noticed() -> None:
    lines = list(LINES)
    lines.insert(lines.index("*nat") + 1, ":CNI-HOSTPORT - [0:0]")
    place = next(number for number, line in enumerate(lines) if line == "COMMIT")
    end = lines.index("COMMIT", lines.index("*nat", place))
    lines.insert(end, "-A CNI-HOSTPORT -j KUBE-MARK-MASQ")
    assert _refuses(lines)


def test_two_services_at_one_address_are_noticed() -> None:
    text = "\n".join(LINES).replace("192.168.99.33/32", "192.168.99.22/32")
    with pytest.raises(Refused, match=r"two Services are at 192\.168\.99\.22, tcp port 80"):
        read(text)


def test_node_ports_before_services_are_noticed() -> None:
    lines = list(LINES)
    last = next(line for line in lines if "NOTE: this must be the last rule" in line)
    lines.remove(last)
    first = next(
        n for n, line in enumerate(lines) if line.startswith("-A KUBE-SERVICES -d 172.30.0.41")
    )
    lines.insert(first, last)
    assert _refuses(lines)


@pytest.mark.parametrize("name", NODES)
def test_what_others_wrote_stays(name: str) -> None:
    text = (FOLDER / "node" / f"{name}.save").read_text()
    kept = save(without_kube_proxy(parse(text)))
    own = re.compile(
        r"^:KUBE-(?!FIREWALL|MARK-DROP|.*(?:CANARY|HINT))|.*-j KUBE-(?!FIREWALL|MARK-DROP)"
        r"|-A KUBE-(?!FIREWALL|MARK-DROP)"
    )
    expected = [line for line in save(parse(text)).splitlines() if not own.match(line)]
    assert kept.splitlines() == expected


def test_the_addresses_of_a_node_are_those_of_its_default_routes() -> None:
    facts = {
        "routes.json": '[{"dst":"default","gateway":"10.0.0.1","dev":"ens5","metric":512},'
        '{"dst":"10.0.0.0/24","dev":"ens6"}]',
        "routes6.json": '[{"dst":"default","dev":"ens5","prefsrc":"2001:db8::7"}]',
        "addresses.json": '[{"ifname":"ens6","addr_info":[{"family":"inet","scope":"global",'
        '"local":"10.0.0.9"}]},{"ifname":"ens5","addr_info":[{"family":"inet","scope":"link",'
        '"local":"169.254.0.1"},{"family":"inet","scope":"global","local":"10.0.0.7"}]}]',
    }
    assert shown_node_ips(facts) == ("10.0.0.7", "2001:db8::7")
    assert shown_node_ips({}) == ()
