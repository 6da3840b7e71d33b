"""The Services that kube-proxy's table means in nftables mode.

As in the other mode, what is read is not trusted: the table is written again for the Services that
were found, and what is there must be just that, but for the order of elements and of chains.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import OTHER_PROXY_RULES, Diagnostic, Refused
from ...core.values import Family
from ...nft import Map
from ...text.nft_expression_text import expression_text
from ...text.nft_reader import parse
from ...text.nft_script import rule_text
from .names import nft_name
from .services import Endpoint, KubeProxy, ServicePort, Settings
from .write_nftables import TableForm, write_nftables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...nft import Rule, Ruleset, Table

#: What kube-proxy calls its table.
TABLE = "kube-proxy"

_CHAIN = re.compile(
    r"(?:service|local|external|firewall|endpoint)-[A-Z2-7]{8}-"
    r"(?P<namespace>[^/]+)/(?P<service>[^/]+)/(?P<protocol>\w+)/(?P<port_name>[^/_]*)(?:__.*)?"
)
_COMMENT = re.compile(r"(?P<namespace>[^/]+)/(?P<service>[^:]+)(?::(?P<port_name>.*))?")
_ELEMENT = re.compile(
    r"(?:(?P<address>[\da-f.:]+) \. )?(?P<protocol>\w+) \. (?P<port>\d+)"
    r'(?: comment "(?P<comment>[^"]*)")? : (?P<verdict>.*)'
)
_TO_ADDRESS = re.compile(r".* dnat to (?P<host>[\d.]+|\[[^\]]+\]):(?P<port>\d+)")
_TO_MAP = re.compile(r".* dnat to numgen random mod \d+ map \{ (?P<elements>.*) \}")
_TO_CHAINS = re.compile(r"numgen random mod \d+ vmap \{ (?P<elements>.*) \}")
_HAIRPIN = re.compile(r"(?P<host>\S+) \. \S+ \. (?P<protocol>\w+) \. (?P<port>\d+)")
_FIREWALL = re.compile(r"ip6? saddr != (?:\{ (?P<several>.*) \}|(?P<one>\S+)) drop")
_SERVICE_RANGE = re.compile(r"ip6? daddr (?:\{ (?P<several>.*) \}|(?P<one>[^@]\S*)) drop .*")
_OUTSIDE = re.compile(r"ip6? daddr \S+ (?:ip6? saddr != (?P<cidr>\S+) )?(?:meta mark|jump mark).*")
_MARK = re.compile(
    r"meta mark set meta mark \| (0x[0-9a-f]+)|.* meta mark set meta mark \| (0x\S+).*"
)

#: A Service's name, and its protocol.
_Key = tuple[str, str, str, str]


def read_nftables(ruleset: Ruleset, family: Family) -> tuple[KubeProxy, TableForm]:
    """The Services and settings of kube-proxy in nftables mode, and which release writes so.

    What only the other mode shows has its default: health check ports, and which addresses are
    those of load balancers without source ranges. Raises Refused (M301) where the table has
    anything else than what kube-proxy writes for these.
    """
    table = next((one for one in ruleset.tables if (one.family, one.name) == (family, TABLE)), None)
    if table is None:
        message = f"there is no table of kube-proxy in nftables mode for {family.title}"
        raise Refused([Diagnostic(OTHER_PROXY_RULES, message)])
    reader = _Reader(family, _texts(table), _elements(table))
    proxy = reader.read()
    if lost := [one.name for one in proxy.services if not one.cluster_ip]:
        message = f"the Service {lost[0]} has no address in the set cluster-ips"
        raise Refused([Diagnostic(OTHER_PROXY_RULES, message)])
    for form in (reader.form, TableForm.V1_37 if reader.form is TableForm.V1_36 else reader.form):
        problems = list(_differences(table, proxy, form))
        if not problems:
            return proxy, form
    raise Refused(problems)


@attrs.define
class _Draft:
    """A port of a Service, as far as it was read."""

    key: _Key
    cluster_ip: str = ""
    port: int = 0
    external_ips: list[str] = attrs.Factory(list)
    guarded: list[str] = attrs.Factory(list)
    node_port: int | None = None
    internal_local: bool = False


@attrs.define
class _Reader:
    family: Family
    chains: Mapping[str, list[str]]
    elements: Mapping[str, list[str]]
    drafts: dict[_Key, _Draft] = attrs.Factory(dict)

    @property
    def form(self) -> TableForm:
        """The oldest form that it can be."""
        return TableForm.V1_33 if "mark-for-masquerade" in self.chains else TableForm.V1_36

    def read(self) -> KubeProxy:
        """All of it."""
        active = set(self.elements["cluster-ips"])
        for name in ("service-ips", "no-endpoint-services", "firewall-ips"):
            for text in self.elements[name]:
                self._take_address(name, text, active)
        for name in ("service-nodeports", "no-endpoint-nodeports"):
            for text in self.elements[name]:
                if found := self._element(text):
                    draft, words = found
                    draft.node_port = int(words["port"])
        services = [self._done(self.drafts[key]) for key in sorted(self.drafts)]
        return KubeProxy(self._settings(), tuple(self._with_hairpins(services)))

    def _with_hairpins(self, services: list[ServicePort]) -> Iterator[ServicePort]:
        """With the endpoints that only the set of hairpin connections has.

        They are of Services whose packets are dropped here, because only other nodes have
        endpoints that count; of which of these makes no difference.
        """
        known = {(one.protocol, end) for one in services for end in one.all_endpoints}
        hairpins = filter(
            None, map(_HAIRPIN.fullmatch, self.elements.get("hairpin-connections", ()))
        )
        left = [(one["protocol"], Endpoint(one["host"], int(one["port"]))) for one in hairpins]
        left = [one for one in left if one not in known]
        for service in services:
            mine = (
                ()
                if service.internal_endpoints
                else tuple(endpoint for protocol, endpoint in left if protocol == service.protocol)
            )
            left = [one for one in left if one[1] not in mine or one[0] != service.protocol]
            yield attrs.evolve(service, unused_endpoints=(*service.unused_endpoints, *mine))

    def _element(self, text: str) -> tuple[_Draft, dict[str, str]] | None:
        found = _ELEMENT.fullmatch(text)
        if not found:
            return None
        words = found.groupdict()
        chain = words["verdict"].removeprefix("goto ")
        named = _CHAIN.fullmatch(chain) or _COMMENT.fullmatch(words["comment"] or "")
        if not named:
            return None
        key = (named["namespace"], named["service"], named["port_name"] or "", words["protocol"])
        return self.drafts.setdefault(key, _Draft(key)), words

    def _take_address(self, name: str, text: str, active: set[str]) -> None:
        if not (found := self._element(text)):
            return
        draft, words = found
        address = words["address"]
        draft.port = int(words["port"])
        if address in active:
            draft.cluster_ip = address
            draft.internal_local |= words["verdict"].startswith(("goto local-", "drop"))
        elif name == "firewall-ips":
            draft.guarded.append(address)
        elif address not in draft.external_ips:
            draft.external_ips.append(address)

    def _done(self, draft: _Draft) -> ServicePort:
        namespace, service, port_name, protocol = draft.key
        port = ServicePort(
            namespace=namespace, service=service, port_name=port_name, protocol=protocol,
            cluster_ip=draft.cluster_ip, port=draft.port, node_port=draft.node_port,
            internal_local=draft.internal_local,
        )  # fmt: skip
        name = nft_name(port)
        guard = next(iter(self.chains.get(f"firewall-{name}", ())), "")
        ranges = _several(_FIREWALL.fullmatch(guard))
        external = self.chains.get(f"external-{name}", [])
        endpoints = tuple(self._endpoints(f"service-{name}"))
        local = tuple(self._endpoints(f"local-{name}"))
        used = {*endpoints, *local}
        return attrs.evolve(
            port,
            external_ips=tuple(one for one in draft.external_ips if one not in draft.guarded),
            load_balancers=tuple((one, ranges) for one in draft.guarded),
            endpoints=endpoints,
            local_endpoints=local,
            unused_endpoints=tuple(one for one in self._unused(port) if one not in used),
            external_local=any("fib saddr type local" in rule for rule in external),
            affinity=self._affinity(port),
        )

    def _endpoints(self, chain: str) -> Iterator[Endpoint]:
        """Where a chain sends packets to, in its order."""
        for rule in self.chains.get(chain, ()):
            if found := _TO_MAP.fullmatch(rule):
                for element in found["elements"].split(", "):
                    host, port = element.split(" : ")[1].split(" . ")
                    yield Endpoint(host, int(port))
            elif found := _TO_CHAINS.fullmatch(rule):
                for element in found["elements"].split(", "):
                    yield from self._endpoints(element.split(" : goto ")[1])
            elif found := _TO_ADDRESS.fullmatch(rule):
                yield Endpoint(found["host"].strip("[]"), int(found["port"]))

    def _unused(self, service: ServicePort) -> Iterator[Endpoint]:
        """Endpoints of which a Service has a chain."""
        name = nft_name(service)[9:]
        for chain in self.chains:
            if chain.startswith("endpoint-") and chain[18:].partition("__")[0] == name:
                yield from self._endpoints(chain)

    def _affinity(self, service: ServicePort) -> int | None:
        name = nft_name(service)[9:]
        for set_ in self.elements:
            if set_.startswith("affinity-") and set_[18:].partition("__")[0] == name:
                return int(self.elements[set_][0])
        return None

    def _settings(self) -> Settings:
        rules = [rule for chain in self.chains.values() for rule in chain]
        outside = next(filter(None, map(_OUTSIDE.fullmatch, rules)), None)
        marks = next(filter(None, map(_MARK.fullmatch, rules)), None)
        ranges = next(filter(None, map(_SERVICE_RANGE.fullmatch, rules)), None)
        cidr = outside["cidr"] if outside else None
        return Settings(
            family=self.family,
            masquerade_mark=int(marks[1] or marks[2], 16) if marks else 0x4000,
            masquerade_all=outside is not None and cidr is None,
            cluster_cidr=cidr,
            node_port_addresses=tuple(self.elements["nodeport-ips"]),
            random_fully=any("masquerade fully-random" in rule for rule in rules),
            service_cidrs=_several(ranges),
        )


def _several(found: re.Match[str] | None) -> tuple[str, ...]:
    """The elements of a set in a rule, or the one that is there without a set."""
    if found is None:
        return ()
    return (found["one"],) if found["one"] else tuple(found["several"].split(", "))


# --- texts that can be compared -------------------------------------------------------------------


def _texts(table: Table) -> dict[str, list[str]]:
    """The rules of each chain, without counters."""
    return {chain.name: [_text(rule) for rule in chain.rules] for chain in table.chains}


def _text(rule: Rule) -> str:
    """A rule with the elements of its sets in order; a set of one is that one."""
    return re.sub(r"(?<=[!=r] )\{ ((?:(?! : )[^{}])+) \}", _in_order, rule_text(rule))


def _in_order(found: re.Match[str]) -> str:
    elements = sorted(found[1].split(", "))
    return elements[0] if len(elements) == 1 else f"{{ {', '.join(elements)} }}"


def _elements(table: Table) -> dict[str, list[str]]:
    """The elements of each set; of one of affinity, which packets fill, how long they stay."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in table.sets:
        if one.name.startswith("affinity-"):
            found[one.name] = [str(one.timeout)]
        else:
            found[one.name] = sorted(expression_text(element) for element in one.elements)
    return found


def _differences(table: Table, proxy: KubeProxy, form: TableForm) -> Iterator[Diagnostic]:
    """Where a table is not the one that kube-proxy writes for these Services."""
    (expected,) = parse(write_nftables(proxy, form)).tables
    for there, written, what in (
        (_declared(table), _declared(expected), "the set or chain"),
        (_texts(table), _texts(expected), "the chain"),
        (_elements(table), _elements(expected), "the set"),
    ):
        for name in dict.fromkeys((*written, *there)):
            if there.get(name) != written.get(name):
                yield Diagnostic(
                    OTHER_PROXY_RULES,
                    f"{what} {name} of the table kube-proxy is not what kube-proxy writes for the"
                    " Services that are there",
                    hint="give a listing of a node whose kube-proxy has ended a sync, of Kubernetes"
                    " 1.33 or later",
                )
                return


def _declared(table: Table) -> dict[str, object]:
    """What each chain and set is, without what it holds; the kernel gives dynamic sets a size."""
    chains = {chain.name: (chain.hook,) for chain in table.chains}
    sets = {
        one.name: (one.type, one.flags, one.timeout, one.data if isinstance(one, Map) else None)
        for one in table.sets
    }
    rest = {"": (table.flags, table.objects, table.counters)}
    return {**chains, **{f"@{name}": what for name, what in sets.items()}, **rest}
