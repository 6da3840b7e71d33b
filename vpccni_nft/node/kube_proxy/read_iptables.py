"""The Services that kube-proxy's rules mean in iptables mode.

What is read is not trusted: kube-proxy's rules are written again for the Services that were found,
and what is there must be just that, rule for rule. So a rule that was read wrongly, or left out, or
that another program put into one of its chains, is refused.
"""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import attrs

from ...core.diagnostics import OTHER_PROXY_RULES, Diagnostic, Refused
from ...core.values import Family
from ...iptables.ast import Goto, Jump
from ...text.iptables_save import rule_line
from .services import Endpoint, KubeProxy, ServicePort, Settings
from .write_iptables import JUMPS, write_iptables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ...iptables.ast import Rule, Ruleset

#: kube-proxy's chains in iptables mode. ``KUBE-FIREWALL`` is kubelet's.
_CHAINS = re.compile(
    r"KUBE-(?:SERVICES|EXTERNAL-SERVICES|NODEPORTS|POSTROUTING|FORWARD|PROXY-FIREWALL|MARK-MASQ"
    r"|(?:SVC|SVL|EXT|FW|SEP|XLB)-[A-Z2-7]{16})"
)

_NAME = r"(?P<namespace>[^/\s]+)/(?P<service>[^:\s]+)(?::(?P<port_name>\S+))?"
_HOST = r"-d (?P<address>\S+)/(?:32|128) -p (?P<protocol>\w+)"
_PORT = r"-m \w+ --dport (?P<port>\d+)"
_LOST = rf'"{_NAME} has no (?P<lost>local endpoints|endpoints)"'
_LOCAL_PORT = r"-m addrtype --dst-type LOCAL -m \w+ --dport (?P<node_port>\d+)"
_SENT = r"-j (?P<kind>KUBE-[A-Z]+)-\S+"
_ENDPOINT = r"(?P<endpoint>(?P<host>[\d.]+|\[[^\]]+\]):(?P<target>\d+))"

#: What rules of a chain say, by table and chain or kind of chain.
_FORMS: Mapping[tuple[str, str], tuple[re.Pattern[str], ...]] = {
    key: tuple(re.compile(form) for form in forms)
    for key, forms in {
        ("filter", "KUBE-SERVICES"): (rf"{_HOST} .*{_LOST} {_PORT} .*",),
        ("filter", "KUBE-EXTERNAL-SERVICES"): (
            rf"{_HOST} .*{_LOST} {_PORT} .*",
            rf"-p (?P<protocol>\w+) .*{_LOST} {_LOCAL_PORT} .*",
        ),
        ("filter", "KUBE-NODEPORTS"): (
            rf'-p tcp .*"{_NAME} health check node port" -m tcp --dport (?P<health>\d+) .*',
        ),
        ("nat", "KUBE-SERVICES"): (
            rf'{_HOST} .*"{_NAME} (?P<what>cluster|external|loadbalancer) IP" {_PORT} {_SENT}',
        ),
        ("nat", "KUBE-NODEPORTS"): (
            rf'-p (?P<protocol>\w+) .*"{_NAME}" -m \w+ --dport (?P<node_port>\d+) -j KUBE-EXT-\S+',
        ),
        ("nat", "KUBE-SVC"): (rf'-m comment --comment "{_NAME} -> {_ENDPOINT}" .*',),
        ("nat", "KUBE-SVL"): (rf'-m comment --comment "{_NAME} -> {_ENDPOINT}" .*',),
        ("nat", "KUBE-FW"): (rf'-s (?P<network>\S+) .*"{_NAME} loadbalancer IP" .*',),
        ("nat", "KUBE-EXT"): (rf'.*"(?:masquerade|route) (?P<local>LOCAL) traffic for {_NAME} .*',),
        ("nat", "KUBE-SEP"): (
            rf'-p (?P<protocol>\w+) .*"{_NAME}".* -j DNAT --to-destination {_ENDPOINT}',
        ),
    }.items()
}

_CLUSTER_CIDR = re.compile(
    r'! -s (\S+) -d .* -j KUBE-MARK-MASQ|-s (\S+) -m comment --comment "pod traffic for .*'
)
_AFFINITY = re.compile(r".* -m recent --rcheck --seconds (\d+) .*")
_NODE_PORTS_AT = re.compile(r"-d (\S+)/(?:32|128) .* -j KUBE-NODEPORTS")


@attrs.define
class _Draft:
    """A port of a Service, as far as it was read."""

    words: dict[str, str]
    cluster_ip: str = ""
    port: int = 0
    external_ips: list[str] = attrs.Factory(list)
    balancers: list[str] = attrs.Factory(list)
    ranges: dict[str, None] = attrs.Factory(dict)
    node_port: int | None = None
    health: int | None = None
    ladders: dict[str, dict[Endpoint, None]] = attrs.Factory(lambda: defaultdict(dict))
    internal_local: bool = False
    external_local: bool = False
    affinity: int | None = None

    def done(self) -> ServicePort:
        """The port of the Service."""
        used = {*self.ladders["SVC"], *self.ladders["SVL"]}
        unused = sorted(one for one in self.ladders["SEP"] if one not in used)
        return ServicePort(
            namespace=self.words["namespace"],
            service=self.words["service"],
            port_name=self.words["port_name"] or "",
            protocol=self.words["protocol"],
            cluster_ip=self.cluster_ip,
            port=self.port,
            external_ips=tuple(self.external_ips),
            load_balancers=tuple((one, tuple(self.ranges)) for one in self.balancers),
            node_port=self.node_port,
            health_check_port=self.health,
            endpoints=tuple(self.ladders["SVC"]),
            local_endpoints=tuple(self.ladders["SVL"]),
            unused_endpoints=tuple(unused),
            internal_local=self.internal_local,
            external_local=self.external_local,
            affinity=self.affinity,
        )


def is_kube_proxys(chain: str) -> bool:
    """Whether a chain is one that kube-proxy makes in iptables mode."""
    return _CHAINS.fullmatch(chain) is not None


def read_iptables(ruleset: Ruleset, family: Family) -> KubeProxy:
    """The Services and settings of kube-proxy in iptables mode.

    Raises Refused (M301) where its chains have anything else than what it writes for these.
    """
    rules = [
        (table.name, chain.name, rule)
        for table in ruleset.tables
        if table.family is family
        for chain in table.chains
        if is_kube_proxys(chain.name)
        for rule in chain.rules
    ]
    if not rules:
        message = f"there are no rules of kube-proxy in iptables mode for {family.title}"
        raise Refused([Diagnostic(OTHER_PROXY_RULES, message)])
    reader = _Reader(family)
    for table, chain, rule in rules:
        reader.read(table, chain, _text(rule))
    proxy = reader.done()
    problems = list(_problems(ruleset, family, proxy))
    if problems:
        raise Refused(problems)
    return proxy


@attrs.define
class _Reader:
    family: Family
    services: dict[tuple[str, ...], _Draft] = attrs.Factory(dict)
    protocols: dict[str, str] = attrs.Factory(dict)
    cidr: str | None = None
    node_ports_at: list[str] = attrs.Factory(list)
    lines: dict[tuple[str, str], list[str]] = attrs.Factory(lambda: defaultdict(list))

    def read(self, table: str, chain: str, text: str) -> None:
        """Take one rule; what has no form is looked at by ``done`` alone."""
        kind = chain if (table, chain) in _FORMS else chain.rpartition("-")[0]
        self.lines[table, kind if (table, kind) in _FORMS else chain].append(text)

    def done(self) -> KubeProxy:
        # Chains of endpoints know the protocol, which ladders and firewalls do not show.
        for table, chain in _ORDER:
            for text in self.lines.get((table, chain), ()):
                self._take(table, chain, text)
        masquerade = self._mark()
        nat = [line for (table, _), lines in self.lines.items() if table == "nat" for line in lines]
        whole = [line for lines in self.lines.values() for line in lines]
        settings = Settings(
            family=self.family,
            masquerade_mark=masquerade,
            masquerade_all=any(re.match(r"-d .* -j KUBE-MARK-MASQ", line) for line in nat),
            cluster_cidr=self.cidr,
            node_port_addresses=tuple(self.node_ports_at) or None,
            localhost_node_ports=not any(re.match(r"! -d (127|::1/)", line) for line in nat),
            drops_invalid=any("--ctstate INVALID" in line for line in whole),
            counts_invalid=any("ct_state_invalid_dropped_pkts" in line for line in whole),
            counts_localhost=any("localhost_nps_accepted_pkts" in line for line in nat),
            random_fully=any("MASQUERADE --random-fully" in line for line in nat),
        )
        services = (self.services[key].done() for key in sorted(self.services))
        return KubeProxy(settings, tuple(services))

    def _mark(self) -> int:
        for line in self.lines.get(("nat", "KUBE-MARK-MASQ"), ()):
            if found := re.fullmatch(r"-j MARK --set-xmark (0x[0-9a-f]+)/\1", line):
                return int(found[1], 16)
        return 0x4000

    def _take(self, table: str, chain: str, text: str) -> None:
        if found := _CLUSTER_CIDR.fullmatch(text):
            self.cidr = self.cidr or found[1] or found[2]
        if (table, chain) == ("nat", "KUBE-SERVICES") and (found := _NODE_PORTS_AT.fullmatch(text)):
            self.node_ports_at.append(found[1])
        for form in _FORMS[table, chain]:
            if found := form.fullmatch(text):
                self._use(chain.removeprefix("KUBE-"), found.groupdict(), text)
                return

    def _use(self, kind: str, words: dict[str, Any], text: str) -> None:
        name = (words["namespace"], words["service"], words["port_name"] or "")
        protocol = words.get("protocol") or self.protocols.get("/".join(name), "tcp")
        words["protocol"] = self.protocols["/".join(name)] = protocol
        draft = self.services.setdefault((*name, protocol), _Draft(words))
        if words.get("port"):
            draft.port = int(words["port"])
        if words.get("node_port"):
            draft.node_port = int(words["node_port"])
        if words.get("health"):
            draft.health = int(words["health"])
        if words.get("network"):
            draft.ranges[words["network"]] = None
        if words.get("local"):
            draft.external_local = True
        if words.get("endpoint"):
            host = words["host"].strip("[]")
            draft.ladders[kind][Endpoint(host, int(words["target"]))] = None
        if found := _AFFINITY.fullmatch(text):
            draft.affinity = int(found[1])
        if words.get("address"):
            _place(draft, kind, words)


def _place(draft: _Draft, kind: str, words: Mapping[str, Any]) -> None:
    """Take an address of a Service."""
    address, what = words["address"], words.get("what")
    if what == "cluster" or (kind == "SERVICES" and not what):
        draft.cluster_ip = address
        draft.internal_local |= words.get("kind") == "KUBE-SVL"
        draft.internal_local |= words.get("lost") == "local endpoints"
    elif what == "loadbalancer":
        draft.balancers.append(address)
    elif address not in (*draft.external_ips, *draft.balancers):
        draft.external_ips.append(address)


#: In which order rules are read: the nat table has the Services in kube-proxy's own order.
_ORDER = (
    ("nat", "KUBE-SEP"), ("nat", "KUBE-SERVICES"), ("nat", "KUBE-NODEPORTS"), ("nat", "KUBE-EXT"),
    ("nat", "KUBE-FW"), ("nat", "KUBE-SVC"), ("nat", "KUBE-SVL"), ("filter", "KUBE-SERVICES"),
    ("filter", "KUBE-EXTERNAL-SERVICES"), ("filter", "KUBE-NODEPORTS"),
)  # fmt: skip


def _text(rule: Rule) -> str:
    return rule_line("", attrs.evolve(rule, counters=None)).removeprefix("-A  ")


def _problems(ruleset: Ruleset, family: Family, proxy: KubeProxy) -> Iterator[Diagnostic]:
    """Where the rules are not what kube-proxy writes for these, or others depend on them."""
    yield from _doubles(proxy)
    for table, expected in write_iptables(proxy).items():
        chains = {
            chain.name: chain.rules
            for one in ruleset.tables
            if (one.family, one.name) == (family, table)
            for chain in one.chains
        }
        kube_proxys = dict.fromkeys((*expected, *filter(is_kube_proxys, chains)))
        for name in kube_proxys:
            there, lines = chains.pop(name, ()), expected.get(name, [])
            yield from _differences_of(name, there, lines, in_any_order=name in _UNORDERED)
            if (table, name) == ("nat", "KUBE-SERVICES") and there[-1:] and lines[-1:]:
                # NodePorts come last: a Service's address may be a local one.
                yield from _differences_of(name, there[-1:], lines[-1:], in_any_order=False)
        for name in dict.fromkeys((*JUMPS[table], *chains)):
            jumps = [rule for rule in chains.get(name, ()) if leads_to_kube_proxy(rule)]
            lines = list(JUMPS[table].get(name, ()))
            # Each sync inserts the jumps that are missing, wherever the others are.
            yield from _differences_of(name, jumps, lines, in_any_order=True)


def _doubles(proxy: KubeProxy) -> Iterator[Diagnostic]:
    """Addresses and ports that several Services have: only an order of rules would decide."""
    seen: dict[tuple[str, str, int], str] = {}
    for service in proxy.services:
        places = [(one, service.protocol, service.port) for one in service.addresses]
        if service.node_port:
            places.append(("NodePort", service.protocol, service.node_port))
        for place in places:
            other = seen.setdefault(place, service.name)
            if other != service.name:
                address, protocol, port = place
                yield Diagnostic(
                    OTHER_PROXY_RULES,
                    f"two Services are at {address}, {protocol} port {port}: {other} and"
                    f" {service.name}",
                )


#: Chains whose rules are for packets of different Services each: kube-proxy's order of Services is
#: not known, and makes no difference.
_UNORDERED = {
    "KUBE-EXTERNAL-SERVICES", "KUBE-NODEPORTS", "KUBE-PROXY-FIREWALL", "KUBE-SERVICES",
}  # fmt: skip


def _differences_of(
    chain: str, there: Sequence[Rule], expected: list[str], *, in_any_order: bool
) -> Iterator[Diagnostic]:
    texts = {id(rule): _text(rule) for rule in there}
    rules = sorted(there, key=lambda rule: texts[id(rule)]) if in_any_order else list(there)
    lines = sorted(expected) if in_any_order else expected
    for rule, line in zip_longest(rules, lines):
        if rule is None:
            yield Diagnostic(
                OTHER_PROXY_RULES,
                f"the chain {chain} has no rule “{line}”, which kube-proxy writes",
            )
            return
        if texts[id(rule)] != line:
            instead = f"“{line}”" if line else "none"
            yield Diagnostic(
                OTHER_PROXY_RULES,
                f"kube-proxy does not write this rule in {chain} for the Services that are there,"
                f" but {instead}",
                rule.span,
                "give the dump of a node whose kube-proxy has ended a sync, of Kubernetes 1.26 or"
                " later, in iptables mode",
            )
            return


def leads_to_kube_proxy(rule: Rule) -> bool:
    """Whether a rule jumps to one of kube-proxy's chains."""
    target = rule.target
    return isinstance(target, Jump | Goto) and is_kube_proxys(target.chain)
