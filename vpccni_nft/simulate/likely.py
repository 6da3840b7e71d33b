"""Values that a reader of rules knows: for packets that are shown, in the order of preference.

Names, addresses and ports that the rules have come first, then what is usual on a node, then what
is near to a value and looks plain.
"""

from __future__ import annotations

from ipaddress import ip_address
from itertools import chain, islice
from typing import TYPE_CHECKING

import attrs

from .. import iptables, nft
from ..core.values import Address, AddressRange, Family, Network, PortRange
from ..model.known_node import Fate
from ..model.packet import ADDRESSES
from ..nft import expressions as x
from ..nft.statements import Statement
from .constants import Constants, values_in
from .constants_nft import add_of, is_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..model.known_node import KnownNode

#: As many rules of a side, and elements of a set, are looked at.
_MOST_RULES, _MOST_ELEMENTS = 2000, 64

#: As many addresses, ports and names of either kind are tried.
_MOST = 48

_USUAL_ADDRESSES = {
    Family.IP: ("10.0.0.10", "192.0.2.1", "198.51.100.1", "203.0.113.7", "127.0.0.1", "224.0.0.1"),
    Family.IP6: ("fd00::10", "2001:db8::1", "2001:db8::2", "::1", "fe80::1", "ff02::1"),
}
_USUAL_PORTS = ("80", "443", "53", "22", "8080", "40000", "1024", "0")
_USUAL_INTERFACES = ("eth0", "eth1", "lo")
_USUAL = {
    "proto": ("udp", "icmp", "icmpv6", "sctp", "gre"),
    "flags": ("syn", "ack", "syn,ack", "fin,ack", "rst", "rst,ack", "none"),
    "ctstate": ("established", "invalid", "related", "untracked"),
    "icmp-type": ("8", "0", "3", "11", "128", "129", "135", "1"),
    "icmp-code": ("0", "1", "3", "4"),
    "length": ("60", "84", "1500", "40"),
    "ttl": ("64", "1", "255"),
    "tos": ("0", "16", "184"),
    "mss": ("1460", "536"),
    "random": ("0.5", "0.1", "0.9", "0.3", "0.7", "0.99"),
}


@attrs.frozen
class Likely:
    """What the rules of both sides name, as words of packet texts have it."""

    family: Family
    addresses: Mapping[str, None] = attrs.Factory(dict)
    ports: Mapping[str, None] = attrs.Factory(dict)
    interfaces: Mapping[str, None] = attrs.Factory(dict)

    @classmethod
    def of(cls, rulesets: Sequence[iptables.Ruleset | nft.Ruleset], family: Family) -> Likely:
        """The values of a family's tables."""
        found = _Found(family)
        for ruleset in rulesets:
            for table in ruleset.tables:
                if family in table.families:
                    found.add(table)
        addresses = sorted((*found.hosts, *found.networks), key=_is_special)
        ports = {**found.ports, **dict.fromkeys(map(str, found.of_nft.ports))}
        return cls(family, dict.fromkeys(addresses), ports, found.interfaces)

    @classmethod
    def of_node(cls, node: KnownNode, family: Family) -> Likely:
        """What a node has: its addresses, those that it has routes to, its devices."""
        routing = node.routing.get(family)
        tables = routing.tables.values() if routing else ()
        hosts = (
            route.address
            for routes in tables
            for route in routes
            if route.mask == family.all_ones and route.fate is Fate.DEVICE
        )
        addresses = [str(Address(family, one)) for one in (*node.addresses.get(family, ()), *hosts)]
        addresses.sort(key=_is_special)
        return cls(family, dict.fromkeys(addresses), {}, dict.fromkeys(node.devices))

    def __or__(self, other: Likely) -> Likely:
        """Those of both, its own ones first."""
        return Likely(
            self.family,
            {**self.addresses, **other.addresses},
            {**self.ports, **other.ports},
            {**self.interfaces, **other.interfaces},
        )

    def instead_of(self, key: str, value: str) -> Iterator[str]:
        """Values for a word of a packet's text, those that a reader knows best first.

        Nothing, or no more, where the value itself is as good.
        """
        yield from dict.fromkeys(self._until(value, self._candidates(key, value)))

    @staticmethod
    def _until(value: str, candidates: Iterable[str]) -> Iterator[str]:
        for one in candidates:
            if one == value:
                return
            yield one

    def _candidates(self, key: str, value: str) -> Iterator[str]:
        match key:
            case _ if key in ADDRESSES or key == "primary":
                known = (*islice(self.addresses, _MOST), *_USUAL_ADDRESSES[self.family])
                yield from sorted(known, key=_is_special)
                yield from _near(Address.parse(value))
            case "iif" | "oif":
                yield from islice(self.interfaces, _MOST)
                yield from _USUAL_INTERFACES
                yield from (f"{value[:length]}1" for length in range(1, len(value) - 1))
            case "proto":
                other = "icmpv6" if self.family is Family.IP else "icmp"
                yield from (one for one in _USUAL[key] if one != other)
            case _ if key.endswith("port"):
                yield from (*_USUAL_PORTS, *islice(self.ports, _MOST))
            case _:
                yield from _USUAL.get(key, ())


@attrs.frozen
class _Found:
    """What was found in rules and sets so far."""

    family: Family
    hosts: dict[str, None] = attrs.Factory(dict)
    networks: dict[str, None] = attrs.Factory(dict)
    ports: dict[str, None] = attrs.Factory(dict)
    interfaces: dict[str, None] = attrs.Factory(dict)
    of_nft: Constants = attrs.Factory(Constants)  #: by nft's own words, which say what a number is

    def add(self, table: iptables.Table | nft.Table) -> None:
        """Add what the first rules of a table have, and the first elements of its sets."""
        sets: dict[str, tuple[x.Expression, ...]] = {}
        if isinstance(table, nft.Table):
            sets = {one.name: one.elements[:_MOST_ELEMENTS] for one in table.sets}
        rules = islice((rule for each in table.chains for rule in each.rules), _MOST_RULES)
        for node in chain(rules, *sets.values()):
            for value in values_in(node):
                self._add(value)
                if isinstance(value, Statement) and is_for(value, self.family):
                    add_of(self.of_nft, value, sets)

    def _add(self, value: object) -> None:
        family = self.family
        match value:
            case Network(of, address, mask) if of is family:
                self._add_network(address, mask)
            case AddressRange(first, _) if first.family is family:
                self.hosts[str(first)] = None
            case x.Host(address) if address.family is family:
                self.hosts[str(address)] = None
            case x.Prefix(address, length) if address.family is family:
                hosts = family.all_ones >> length
                self._add_network(address.value & ~hosts, family.all_ones ^ hosts)
            case PortRange(first, _):
                self.ports[str(first)] = None
            case iptables.Interface(name, wildcard) | x.Interface(name, wildcard):
                self.interfaces[f"{name[:14]}1" if wildcard else name] = None

    def _add_network(self, address: int, mask: int) -> None:
        """Add an address of a network: the tenth or the first one, where there are so many."""
        hosts = mask ^ self.family.all_ones
        last = next((one for one in (10, 1) if one & ~hosts == 0), 0)
        if _is_special(str(Address(self.family, address))):
            last = min(last, 1)
        found = self.networks if hosts else self.hosts
        found[str(Address(self.family, address | last))] = None


def _is_special(text: str) -> bool:
    """Whether an address is loopback's, of one link, of a group, or none: few packets have it."""
    address = ip_address(text)
    special = address.is_loopback or address.is_link_local or address.is_multicast
    return special or address.is_unspecified


def _near(address: Address) -> Iterator[str]:
    """Addresses that begin as one does, and end plainly."""
    for kept in (8, 16, 24) if address.family is Family.IP else (16, 32, 64, 112):
        hosts = address.family.all_ones >> kept
        for last in (10, 1):
            yield str(Address(address.family, address.value & ~hosts | last))
