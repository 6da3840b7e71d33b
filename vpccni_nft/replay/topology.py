"""The node that both sides play: its devices, addresses and routes.

It is an EKS node: a primary and a secondary network interface, pods behind interfaces of their own
with a route each, a trunk with a pod, a link-local address on lo, and the CNI's policy routing. Its
names and addresses are taken from the rulesets, so that their rules have something to be about.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

import attrs

from ..core.values import Address, AddressRange, Family, Network
from ..extensions.targets.connmark import Connmark
from ..extensions.targets.nat import Dnat, Snat
from ..extensions.targets.nflog import Nflog
from ..iptables.ast import Interface
from ..iptables.protocols import UDP
from ..model.packet import ADDRESS_TYPES, NAME_BYTES
from ..simulate.constants import constants_of, values_in
from ..simulate.world import interface_name
from .agent import device_address
from .conversation import Conversation, ConversationPacket

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..iptables.ast import Ruleset

PRIMARY, SECONDARY = "eth0", "eth1"

#: What the node's own network interfaces are called; all else is taken for a pod's.
_OF_THE_NODE = re.compile(r"eth\d|en[sp]\d")

#: Devices that are there anyhow: two of the node and three of pods.
_DEVICES = (PRIMARY, SECONDARY, "eni1", "eni2", "vlan.eth.1")
_MOST_DEVICES = 16

#: The node's own addresses where the rulesets say none.
_OWN = {
    Family.IP: (Address.parse("10.0.1.10").value, Address.parse("10.0.1.74").value),
    Family.IP6: (Address.parse("2001:db8:1::10").value, Address.parse("2001:db8:1::4a").value),
}
_LENGTH = {Family.IP: 20, Family.IP6: 64}
_FIRST_POD = {
    Family.IP: Address.parse("10.0.2.1").value,
    Family.IP6: Address.parse("2001:db8:1:2::1").value,
}
_LINK_LOCAL = Network.parse("169.254.0.0/16")
_ON_LOOPBACK = Address.parse("169.254.0.1").value
_LOOPBACK_BROADCAST = Address.parse("127.255.255.255").value
#: The metadata services of EC2 and of ECS, which are elsewhere.
_METADATA = {Address.parse("169.254.169.254").value, Address.parse("169.254.170.2").value}

#: A mark of four different bytes.
TRIAL_MARK = 0x01020304

#: The CNI's mark for what has to leave by the primary interface.
_MAIN_MARK = 0x80

#: Masks that stand for a whole mark make no rule of policy routing.
_FULL = 0xFFFFFFFF


@attrs.frozen(slots=False)
class Topology:
    """Devices, addresses and routes; addresses are numbers in host order."""

    taps: tuple[str, ...]  #: the devices beside lo
    own: dict[Family, dict[int, str]]  #: the node's addresses, and the devices that have them
    pods: dict[Family, dict[int, str]]  #: the addresses that are behind a pod's device
    marks: tuple[int, ...]  #: bits of the packet mark that lead to the main routing table
    groups: tuple[int, ...] = ()  #: of nfnetlink_log, that rules log to

    @classmethod
    def of(cls, rulesets: Sequence[Ruleset]) -> Topology:
        """The node that these rulesets are about."""
        names = dict.fromkeys((*_DEVICES, *filter(_is_device, _names(rulesets))))
        taps = tuple(names)[:_MOST_DEVICES]
        behind = [name for name in taps if not _OF_THE_NODE.match(name)]
        own, pods = {}, {}
        for family in Family:
            own[family] = _own_addresses(rulesets, family)
            rest = (name for name in taps if name not in {PRIMARY, SECONDARY, *behind})
            first = next(iter(own[family]))
            own[family] |= {first ^ 0x100 + n: name for n, name in enumerate(rest)}
            pods[family] = dict(_pods(rulesets, family, behind, own[family]))
        marks = dict.fromkeys((_MAIN_MARK, *_marks(rulesets)))
        return cls(taps, own, pods, tuple(marks), tuple(dict.fromkeys(_groups(rulesets))))

    def commands(self) -> Iterator[tuple[tuple[str, ...], list[str]]]:
        """Arguments for ip(8), each with the lines of a batch."""
        yield (), list(self._links())
        for family in Family:
            yield ("-4" if family is Family.IP else "-6",), list(self._routes(family))

    def _links(self) -> Iterator[str]:
        yield "link set dev lo up"
        for number, name in enumerate(self.taps):
            address = device_address(number).hex(":")
            yield f"link set dev {name} address {address} addrgenmode none"
            yield f"link set dev {name} arp off multicast off up"

    def _routes(self, family: Family) -> Iterator[str]:
        nodad = " nodad" if family is Family.IP6 else ""
        for value, device in self.own[family].items():
            length = _LENGTH[family] if device == PRIMARY else family.bits
            yield f"address add {Address(family, value)}/{length} dev {device}{nodad}"
        yield f"route add default dev {PRIMARY}"
        yield f"route add default dev {SECONDARY} table 2"
        for number, (value, device) in enumerate(self.pods[family].items()):
            pod = Address(family, value)
            yield f"route add {pod} dev {device}"
            if device.startswith("vlan"):
                yield f"route add {pod} dev {device} table 101"
            elif number % 2:
                yield f"rule add from {pod} lookup 2 priority 1536"
        yield f"route add default dev {SECONDARY} table 101"
        for device in self.taps:
            if device.startswith("vlan"):
                yield f"rule add iif {device} lookup 101 priority 10"
        for mark in self.marks:
            yield f"rule add fwmark {mark:#x}/{mark:#x} lookup main priority 1024"

    def fragmented(self, family: Family) -> Conversation:
        """A packet in two fragments, from outside to a pod, with a mark for its bytes."""
        return Conversation(
            family=family,
            device=PRIMARY,
            source=next(iter(self.own[family])) ^ 1,
            target=next(iter(self.pods[family])),
            protocol=UDP,
            sport=7,
            dport=9,
            mark=TRIAL_MARK,
            moves=(ConversationPacket(length=64, fragmented=True),),
        )

    def device_towards(self, family: Family, address: int) -> str:
        """Where a packet leaves that nothing has marked; empty for the node's own addresses."""
        if self.kind(family, address) != ADDRESS_TYPES["unicast"]:
            return ""
        return self.pods[family].get(address, PRIMARY)

    def kind(self, family: Family, address: int, device: str = "") -> int:
        """What the routing table takes an address for, or on one device alone."""
        if address == _LOOPBACK_BROADCAST:
            return ADDRESS_TYPES["broadcast"]
        if family is Family.IP and address >> 24 == 127:
            return ADDRESS_TYPES["local" if device in {"", "lo"} else "unicast"]
        if family is Family.IP6 and address == 1:
            return ADDRESS_TYPES["local" if device in {"", "lo"} else "unicast"]
        holder = self.own[family].get(address)
        if holder and device in {"", holder}:
            return ADDRESS_TYPES["local"]
        if family is Family.IP6:
            return ADDRESS_TYPES["multicast" if address >> 120 == 0xFF else "unicast"]
        if address >> 28 == 0xE:
            return ADDRESS_TYPES["multicast"]
        if address in self._broadcasts and device in {"", PRIMARY}:
            return ADDRESS_TYPES["broadcast"]
        return ADDRESS_TYPES["unicast"]

    @cached_property
    def _broadcasts(self) -> frozenset[int]:
        primary = next(iter(self.own[Family.IP]))
        hosts = Family.IP.all_ones >> _LENGTH[Family.IP]
        return frozenset({primary | hosts, Family.IP.all_ones, 0, _LOOPBACK_BROADCAST})


#: What sysctl(8) and the file system take for something else, and what is there anyhow.
_NO_NAMES = {"", "lo", ".", "..", "all", "default"}


def _names(rulesets: Sequence[Ruleset]) -> Iterator[str]:
    """Names of devices: first what rules name, then what only begins or ends like it."""
    interfaces = dict.fromkeys(
        value
        for family in Family
        for value in _nodes(rulesets, family)
        if isinstance(value, Interface)
    )
    yield from (one.name for one in interfaces if not one.wildcard)
    yield from (f"{one.name}0" for one in interfaces if one.wildcard)
    for ruleset in rulesets:
        for family in Family:
            yield from map(interface_name, constants_of(ruleset, family).interfaces)


def _is_device(name: str) -> bool:
    plain = name.isascii() and name.isprintable() and not set(name) & set(" /%:\\*+\"'#")
    return plain and len(name) < NAME_BYTES and name not in _NO_NAMES


def _own_addresses(rulesets: Sequence[Ruleset], family: Family) -> dict[int, str]:
    """The primary address is the one that rules give to what leaves."""
    sources = [one.first.value for one in _nat_addresses(rulesets, family, Snat)]
    primary, secondary = _OWN[family]
    if sources:
        primary, secondary = sources[0], sources[0] ^ 0x40
    own = {primary: PRIMARY, secondary: SECONDARY}
    own |= dict.fromkeys((one for one in sources[1:4] if one not in own), PRIMARY)
    if family is Family.IP:
        own[_ON_LOOPBACK] = "lo"
        for network in _hosts(rulesets, family):
            if network & _LINK_LOCAL.mask == _LINK_LOCAL.address and network not in _METADATA:
                own.setdefault(network, "lo")
    return own


def _pods(
    rulesets: Sequence[Ruleset], family: Family, behind: list[str], own: dict[int, str]
) -> Iterator[tuple[int, str]]:
    """A pod behind each device, and then every other one that rules send connections to."""
    for number, device in enumerate(behind):
        yield _FIRST_POD[family] + number, device
    targets = dict.fromkeys(
        value
        for one in _nat_addresses(rulesets, family, Dnat)
        for value in (one.first.value, one.last.value)
    )
    for number, value in enumerate(value for value in targets if _is_plain(family, value)):
        if number % 2 == 0 and value not in own and number < 2 * _MOST_PODS:
            yield value, behind[number % len(behind)]


_MOST_PODS = 60


def _is_plain(family: Family, address: int) -> bool:
    if family is Family.IP6:
        return address >> 8 > 1 and address >> 120 != 0xFF
    return 0 < address >> 24 < 224 and address >> 24 != 127 and address not in _METADATA


def _nat_addresses(
    rulesets: Iterable[Ruleset], family: Family, kind: type[Snat | Dnat]
) -> Iterator[AddressRange]:
    for node in _nodes(rulesets, family):
        if isinstance(node, kind) and node.to.addresses:
            yield node.to.addresses


def _hosts(rulesets: Iterable[Ruleset], family: Family) -> Iterator[int]:
    for node in _nodes(rulesets, family):
        if isinstance(node, Network) and node.mask == family.all_ones:
            yield node.address


def _marks(rulesets: Iterable[Ruleset]) -> Iterator[int]:
    """The bits that rules take from the connection's mark to the packet's."""
    for family in Family:
        for node in _nodes(rulesets, family):
            if isinstance(node, Connmark) and 0 < node.nfmask < _FULL:
                yield node.nfmask


def _groups(rulesets: Iterable[Ruleset]) -> Iterator[int]:
    """The groups that rules log to."""
    for family in Family:
        for node in _nodes(rulesets, family):
            if isinstance(node, Nflog):
                yield node.group


def _nodes(rulesets: Iterable[Ruleset], family: Family) -> Iterator[object]:
    for ruleset in rulesets:
        for table in ruleset.tables:
            if table.family is family:
                yield from values_in(table)
