"""What a record, or the output of ``ip -j``, says of a node's addresses and routes."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import attrs

from ..core.errors import CannotRead
from ..core.values import Address, Family, Network
from ..iptables.protocols import PROTOCOLS
from ..model.known_node import Fate, KnownNode, KnownRoute, PortSpan, Routing, RoutingRule
from ..model.packet import interface_word
from .snapshot import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: What the kernel calls the fates of packets by the type of a route.
_FATES = {
    "unicast": Fate.DEVICE, "local": Fate.NODE, "anycast": Fate.NODE, "blackhole": Fate.NOWHERE,
    "unreachable": Fate.NOWHERE, "prohibit": Fate.NOWHERE, "throw": Fate.NEXT_RULE,
}  # fmt: skip

#: What a route has that says nothing of which packets it is for.
_OF_ROUTES = {
    "type", "dst", "gateway", "via", "dev", "protocol", "scope", "prefsrc", "metric", "flags",
    "nexthops", "table", "pref", "metrics", "error", "expires", "nhid", "weight",
}  # fmt: skip

#: What of a rule is read here, and what says nothing of which packets it is for.
_OF_RULES = {
    "priority", "protocol", "not", "src", "srclen", "dst", "dstlen", "fwmark", "fwmask", "iif",
    "iif_detached", "ipproto", "sport", "sport_start", "sport_end", "dport", "dport_start",
    "dport_end", "table", "action",
}  # fmt: skip

_DROPPING = {"blackhole", "unreachable", "prohibit"}
_LOOPBACK = Network.parse("127.0.0.0/8")
_ALL_DEVICE_BITS = (1 << 128) - 1


def known_node(facts: Mapping[str, str], name: str) -> KnownNode:
    """What the facts of a snapshot say, by the names of its files. Raises CannotRead."""
    devices: list[str] = []
    addresses: dict[Family, list[int]] = {}
    has_vrf = False
    links = _list(facts, "addresses.json")
    for link in links:
        devices.append(str(link.get("ifname", "")))
        has_vrf |= link.get("linkinfo", {}).get("info_kind") == "vrf"
        for one in link.get("addr_info", ()):
            address = Address.parse(one["local"])
            addresses.setdefault(address.family, []).append(address.value)
    routing, doubts = {}, []
    for family, routes, rules in (
        (Family.IP, "routes.json", "policies.json"),
        (Family.IP6, "routes6.json", "policies6.json"),
    ):
        if routes in facts and rules in facts:
            found = _Reader(family)
            read = tuple(found.rule(one) for one in _list(facts, rules))
            routing[family] = Routing(read, found.tables(_list(facts, routes)))
            doubts += found.doubts
    if not (links or routing):
        raise CannotRead(f"{name} has neither addresses nor routes of a node")
    return KnownNode(
        _recorded(facts, name),
        tuple(filter(None, devices)),
        addresses,
        routing,
        _without_localnet(facts.get("sysctl.txt", ""), devices),
        has_vrf,
        tuple(dict.fromkeys(doubts)),
    )


def kind_of(text: str) -> str:
    """The name that a snapshot has for what ``ip -j`` has printed; empty for anything else."""
    try:
        found = json.loads(text)
    except ValueError:
        return ""
    if not (isinstance(found, list) and found and isinstance(found[0], dict)):
        return ""
    keys = {key for one in found for key in one}
    is_ip6 = any(":" in str(one.get(key, "")) for one in found for key in ("dst", "src", "gateway"))
    if "ifname" in keys:
        return "addresses.json"
    if "priority" in keys:
        return "policies6.json" if is_ip6 else "policies.json"
    return ("routes6.json" if is_ip6 else "routes.json") if "dst" in keys else ""


def _without_localnet(sysctls: str, devices: Iterable[str]) -> tuple[str, ...]:
    """The devices for which route_localnet is off, which takes all of them and their own."""
    said = dict(line.split(" = ", 1) for line in sysctls.splitlines() if " = " in line)

    def is_off(device: str) -> bool:
        return said.get(f"net/ipv4/conf/{device}/route_localnet") == "0"

    return tuple(one for one in devices if one != "lo" and is_off("all") and is_off(one))


def _recorded(facts: Mapping[str, str], name: str) -> str:
    """When, and of which host."""
    said = dict(
        line.split(": ", 1) for line in facts.get(MANIFEST, "").splitlines() if ": " in line
    )
    host, taken = said.get("host", name), said.get("taken", "")
    return f"{host}, recorded at {taken}" if taken else host


def _list(facts: Mapping[str, str], file: str) -> list[dict[str, Any]]:
    """What ``ip -j`` has printed. Raises CannotRead."""
    if file not in facts:
        return []
    try:
        found = json.loads(facts[file] or "[]")
    except ValueError as error:
        raise CannotRead(f"{file} is not what ip -j prints: {error}") from None
    if not (isinstance(found, list) and all(isinstance(one, dict) for one in found)):
        raise CannotRead(f"{file} is not what ip -j prints: it is no list of objects")
    return [one for one in found if one]


@attrs.define
class _Reader:
    """Reads the rules and routes of a family."""

    family: Family
    doubts: list[str] = attrs.Factory(list)

    def rule(self, one: Mapping[str, Any]) -> RoutingRule:
        """A rule; what is not known of it is a doubt."""
        bits: list[tuple[str, int, int]] = []
        ports: list[PortSpan] = []
        unknown = sorted(one.keys() - _OF_RULES)
        for key, field in (("src", "saddr"), ("dst", "daddr")):
            text = str(one.get(key, "all"))
            if text not in {"all", "default"}:
                network = self._network(text, one.get(f"{key}len"))
                bits.append((field, network.address, network.mask))
        if "fwmark" in one:
            mask = int(str(one.get("fwmask", "0xffffffff")), 0)
            bits.append(("mark", int(str(one["fwmark"]), 0) & mask, mask))
        if "iif" in one:
            bits.append(("iif", interface_word(one["iif"]), _ALL_DEVICE_BITS))
        if "ipproto" in one:
            number = PROTOCOLS.get(str(one["ipproto"]))
            if number is None and not str(one["ipproto"]).isdecimal():
                unknown.append("ipproto")
            else:
                bits.append(("protocol", int(one["ipproto"]) if number is None else number, 0xFF))
        for field in ("sport", "dport"):
            first = one.get(field, one.get(f"{field}_start"))
            if first is not None:
                last = one.get(field, one.get(f"{field}_end"))
                ports.append(PortSpan(field, int(first), int(last)))
        action = str(one.get("action", "lookup" if "table" in one else ""))
        if action not in {*_DROPPING, "lookup", "to_tbl"}:
            unknown.append(f"action {action or 'none'}")
        if unknown:
            self.doubts.append(
                f"{self.family.title} rule {one.get('priority', '?')} has {', '.join(unknown)},"
                " which is not read: packets that it may match can have any route"
            )
        table = "" if action in _DROPPING else str(one.get("table", ""))
        return RoutingRule(tuple(bits), tuple(ports), "not" in one, table, not unknown)

    def tables(self, routes: Iterable[Mapping[str, Any]]) -> dict[str, tuple[KnownRoute, ...]]:
        """The routes of each table, those of one prefix as one, the longest prefixes first."""
        found: dict[str, dict[Network, list[Mapping[str, Any]]]] = defaultdict(dict)
        for one in routes:
            text = str(one.get("dst", "default"))
            network = self._network("0.0.0.0/0" if self.family is Family.IP else "::/0", None)
            if text != "default":
                network = self._network(text, None)
            found[str(one.get("table", "main"))].setdefault(network, []).append(one)
        return {name: tuple(self._of_table(networks)) for name, networks in found.items()}

    def _of_table(
        self, networks: Mapping[Network, list[Mapping[str, Any]]]
    ) -> Iterator[KnownRoute]:
        order = sorted(networks, key=lambda one: one.mask)
        known: dict[Network, KnownRoute] = {}
        for network in order:
            route = self._route(network, networks[network])
            if self.family is Family.IP6 and route.fate is Fate.DEVICE:
                # What cannot be reached by a route is sent by one with a shorter prefix.
                wider = [one for other, one in known.items() if _covers(other, network)]
                if any(one.fate is not Fate.DEVICE for one in wider):
                    route = attrs.evolve(route, fate=Fate.OPEN, type="")
                names = dict.fromkeys(
                    (*route.devices, *(dev for one in wider for dev in one.devices))
                )
                route = attrs.evolve(route, devices=tuple(names))
            known[network] = route
        yield from reversed(known.values())

    def _route(self, network: Network, routes: list[Mapping[str, Any]]) -> KnownRoute:
        types = {str(one.get("type", "unicast")) for one in routes}
        hops = [hop for one in routes for hop in (one, *one.get("nexthops", ()))]
        devices = dict.fromkeys(str(hop["dev"]) for hop in hops if "dev" in hop)
        flags = {str(flag) for hop in hops for flag in hop.get("flags", ())}
        is_known = (
            len(types) == 1
            and not {key for one in routes for key in one} - _OF_ROUTES
            and not flags & {"dead", "linkdown"}
        )
        (kind, *_) = types
        if self.family is Family.IP and "local" in types:
            # Without rules of one's own the kernel looks for both tables' longest prefix at once.
            is_known &= network.mask == self.family.all_ones or network == _LOOPBACK
        fate = _FATES.get(kind, Fate.OPEN) if is_known else Fate.OPEN
        if fate is Fate.DEVICE and not devices:
            fate = Fate.OPEN
        return KnownRoute(
            network.address, network.mask, fate, tuple(devices), kind if is_known else ""
        )

    def _network(self, text: str, length: object) -> Network:
        try:
            network = Network.parse(f"{text}/{length}" if length is not None else text)
        except ValueError as error:
            raise CannotRead(f"{self.family.title} routing: {text}: {error}") from None
        if network.family is not self.family:
            raise CannotRead(f"{self.family.title} routing: {text} is of the other family")
        return network


def _covers(one: Network, other: Network) -> bool:
    return one.mask & ~other.mask == 0 and other.address & one.mask == one.address
