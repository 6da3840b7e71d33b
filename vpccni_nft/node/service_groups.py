"""The sets of kube-proxy's rules that conditions of known differences name, in either mode.

The nftables mode has them as named sets and maps. What the rules of its iptables mode show of them
is added, so that an element that one side has lost is still in the group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import iptables, nft
from ..core.values import Family
from ..extensions.matches.comment import Comment
from ..extensions.matches.sctp import Sctp
from ..extensions.matches.tcp import Tcp
from ..extensions.matches.udp import Udp
from ..nft import expressions as x
from ..nft import statements as s
from ..proof.conditions import Between, Group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..proof.side import Side

#: An element of a group: a span for each field.
_Element = tuple[Between, ...]

#: kube-proxy's table in its nftables mode.
_TABLE = "kube-proxy"

#: The chain of that table that drops what goes to addresses of the Service range that no Service
#: has, and the group of these addresses.
_RANGE_CHAIN, SERVICE_RANGE = "cluster-ips-check", "service-range"


#: The groups of all ports of Services' addresses, and of all NodePorts, whatever their endpoints.
SERVICES, NODEPORTS = "services", "nodeports"

#: The groups of which a part is known as "common-" and their name: what is of Services that both
#: sides have. What one side alone has is a mistake of that side, and none of the known differences.
_CLUSTER_IPS, _NO_ENDPOINTS = "cluster-ips", "no-endpoint-services"

#: The maps of that table whose keys are of such a group.
_GROUPS = {
    "service-ips": SERVICES, _NO_ENDPOINTS: SERVICES,
    "service-nodeports": NODEPORTS, "no-endpoint-nodeports": NODEPORTS,
}  # fmt: skip

#: The chains of iptables that have a rule for each port of an address, or for each NodePort.
_SERVICE_CHAINS = {"KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES"}
_NODEPORT_CHAINS = {"KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES"}


def groups_of(before: Side, after: Side) -> dict[Family, dict[str, Group]]:
    """The groups of each family, by name: sets of the nftables mode, and those of this module."""
    found: dict[Family, dict[str, Group]] = {}
    for family in Family:
        elements: dict[str, dict[_Element, None]] = {}
        empty: set[str] = set()
        known = []  # the addresses of each side's Services, and their ports
        for side in (before, after):
            here: set[_Element] = set()
            known.append(here)
            for ruleset in side.rulesets:
                for table in ruleset.tables:
                    if family not in table.families:
                        continue
                    if isinstance(table, iptables.Table):
                        named = _of_iptables(table)
                    elif table.name == _TABLE:
                        elements |= {name: {} for name in (SERVICES, NODEPORTS)
                                     if name not in elements}  # fmt: skip
                        named = _of_nft(table)
                        empty |= {one.name for one in table.sets if not one.elements}
                    else:
                        continue
                    for name, element in named:
                        elements.setdefault(name, {})[element] = None
                        if name in {_CLUSTER_IPS, SERVICES}:
                            here |= {element, element[:1]}
        for name in (_CLUSTER_IPS, _NO_ENDPOINTS):
            elements[f"common-{name}"] = {
                one: None for one in elements.get(name, ()) if all(one in here for here in known)
            }
        # What is in a set without elements is not known: something else may fill it.
        names = elements.keys() | empty
        found[family] = {
            name: Group(tuple(elements.get(name, ())), frozenset({name} & empty)) for name in names
        }
    return found


def _of_nft(table: nft.Table) -> Iterator[tuple[str, _Element]]:
    for one in table.sets:
        for key in one.elements:
            if (element := _element(key)) is not None:
                yield one.name, element
                if one.name in _GROUPS:
                    yield _GROUPS[one.name], element
    for chain in table.chains:
        for rule in chain.rules if chain.name == _RANGE_CHAIN else ():
            match rule.statements:
                case (s.Match(x.Payload(field="daddr"), "==", right), s.Drop()):
                    # nft lists a set of one as that one.
                    for key in right.elements if isinstance(right, x.AnonymousSet) else (right,):
                        if (element := _element(key)) is not None:
                            yield SERVICE_RANGE, element


def _element(key: x.Expression) -> _Element | None:
    """The values of a set's key; None where they are no numbers or addresses."""
    match key:
        case x.Pair(inner) | x.Element(inner):
            return _element(inner)
        case x.Concat(parts):
            spans = [_element(part) for part in parts]
            return tuple(one[0] for one in spans if one) if all(spans) else None
        case x.Host(address):
            return (Between(address.value, address.value),)
        case x.Prefix(address, length):
            return (Between(address.value, address.value | address.family.all_ones >> length),)
        case x.Protocol(number) | x.Number(number):
            return (Between(number, number),)
        case x.Range(low, high):
            ends = _element(low), _element(high)
            return (Between(ends[0][0].first, ends[1][0].last),) if ends[0] and ends[1] else None
    return None


def _of_iptables(table: iptables.Table) -> Iterator[tuple[str, _Element]]:
    """What the rules of the iptables mode show: addresses of Services, and ports of nodes."""
    for chain in table.chains:
        for rule in chain.rules:
            if rule.protocol is None or rule.protocol.negated:
                continue
            protocol, port = Between(rule.protocol.value, rule.protocol.value), _port(rule)
            if chain.name in _NODEPORT_CHAINS and port and _is_nodeport(rule):
                yield NODEPORTS, (protocol, port)
            elif chain.name in _SERVICE_CHAINS and rule.destination and port:
                address = rule.destination.value.address
                host = Between(address, address)
                yield SERVICES, (host, protocol, port)
                if chain.name == "KUBE-SERVICES" and _is_cluster_ip(rule):
                    yield _CLUSTER_IPS, (host,)


def _is_cluster_ip(rule: iptables.Rule) -> bool:
    """Whether a rule of KUBE-SERVICES is for a ClusterIP: kube-proxy says so in its comment."""
    comments = (one.text for one in rule.matches if isinstance(one, Comment))
    return any(text.endswith((" cluster IP", " has no endpoints")) for text in comments)


def _is_nodeport(rule: iptables.Rule) -> bool:
    """Whether a rule is for a port of the node, rather than for a health check of a Service."""
    checks = any("health check node port" in one.text for one in rule.matches
                 if isinstance(one, Comment))  # fmt: skip
    return not checks and (rule.destination is None or rule.destination.value.mask != (1 << 32) - 1)


def _port(rule: iptables.Rule) -> Between | None:
    for one in rule.matches:
        if isinstance(one, Tcp | Udp | Sctp) and one.destination_port:
            ports = one.destination_port
            return None if ports.negated else Between(ports.value.first, ports.value.last)
    return None
