"""What it means for a packet to be in an ipset.

Kernel: net/netfilter/ipset/ip_set_core.c, ip_set_test; ip_set_hash_gen.h, mtype_test_cidrs;
ip_set_getport.c. What a set has in its listing is computed; the world knows of sets that were empty
there, or that rules change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.values import Network
from ...ipset.ast import InterfacePart, MacPart, MarkPart, PortPart
from ...model.oracle import LISTED_BITS, KeptSet, Oracle, OracleKind
from ...model.packet import NoMeaning, interface_word, prefix_mask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ...ipset.ast import Entry, IpSet, Part
    from ...model.algebra import Bool, Word
    from ...model.effects import View

_PORTED = (6, 17, 132, 136)  #: TCP, UDP, SCTP, UDPLITE
_MESSAGES = {32: 1, 128: 58}  #: ICMP by the bits of an address


def is_member(view: View, name: str, directions: Sequence[str], *, nomatch: bool = False) -> Bool:
    """Whether a packet is in a set, or in one of those that a list of sets lists."""
    assert view.sets is not None
    members = view.sets.in_family(name, view.state.family)
    return view.state.algebra.any(
        *(_is_in(view, one, tuple(directions), nomatch=nomatch) for one in members)
    )


def _is_in(view: View, ipset: IpSet, directions: tuple[str, ...], *, nomatch: bool) -> Bool:
    assert view.sets is not None
    algebra = view.state.algebra
    if len(directions) < len(ipset.kinds):
        return algebra.false
    packet = PacketKey(view, ipset, directions)
    of_networks = "net" in ipset.kinds
    if not ipset.entries or ipset.name in view.sets.changed:
        # Exceptions are under another name: no address is in the set and an exception as well.
        exceptions = "-nomatch" * (nomatch and of_networks)
        asked = (
            (
                where,
                view.state.member(
                    kept_set(view, ipset, f"{name}{exceptions}"),
                    *key,
                    *first_elements(view, packet, name),
                ),
            )
            for name, where, key in packet.key_words()
        )
        return algebra.any(*(algebra.all(where, found) for where, found in asked))
    # From the shortest networks to the longest: the last one that fits decides.
    found, exception = algebra.false, algebra.false
    for entry in sorted(ipset.entries, key=_rank):
        fits = packet.fits(entry)
        if entry.timeout:
            stays = Oracle(OracleKind.ELEMENT_STAYS, parameters=(1000 * entry.timeout,))
            fits = algebra.all(fits, view.says(stays))
        if not (entry.nomatch and of_networks):
            found = algebra.any(found, fits)
            exception = algebra.all(exception, algebra.not_(fits))
        else:
            found = algebra.all(found, algebra.not_(fits))
            exception = algebra.any(exception, fits)
    return exception if nomatch and of_networks else found


def kept_set(view: View, ipset: IpSet, name: str) -> KeptSet:
    """The set for the world: one that rules change has only so much room."""
    assert view.sets is not None
    return KeptSet(name, size=ipset.most if ipset.name in view.sets.changed else None)


def first_elements(view: View, packet: PacketKey, name: str) -> tuple[Word, ...]:
    """Which of the elements that were listed under a name a key is, by how long it stays.

    What is in a set that rules change is a function of what was in it first. Zero is no element.
    """
    algebra, found = view.state.algebra, view.state.algebra.const(0, LISTED_BITS)
    entries = [entry for entry in packet.ipset.entries if packet.name_of(entry) == name]
    for entry in entries:
        left = algebra.const(1000 * (entry.timeout or 0) + 1, LISTED_BITS)
        found = algebra.ite(packet.fits(entry), left, found)
    return (found,) if entries else ()


def _rank(entry: Entry) -> tuple[int, ...]:
    return tuple(part.length or 0 for part in entry.parts if isinstance(part, Network))


@attrs.frozen
class PacketKey:
    """What an ipset reads of a packet."""

    view: View
    ipset: IpSet
    directions: tuple[str, ...]

    def key_words(self) -> Iterator[tuple[str, Bool, tuple[Word, ...]]]:
        """The keys that are looked up: where each is the packet's, and of which name.

        Elements without ports are under names of their own, as their keys have other parts.
        """
        view, name = self.view, self.ipset.name
        state, algebra = view.state, view.state.algebra
        kinds = self.ipset.kinds
        if "iface" in kinds:
            return
        if "port" not in kinds:
            yield name, self._readable(), tuple(self._key(self._ports))
            return
        whole = state.is_("fragment", 0)
        if self.ipset.type == "bitmap:port":
            yield name, algebra.all(self._is_one_of(6, 17), whole), tuple(self._key(self._number))
            return
        yield name, algebra.all(self._is_one_of(*_PORTED), whole), tuple(self._key(self._ports))
        assert view.sets is not None
        if name not in view.sets.changed:
            return
        message = _MESSAGES[state.family.bits]
        of_icmp = algebra.all(self._is_one_of(message), whole)
        yield f"{name}-icmp", of_icmp, tuple(self._key(self._message))
        neither = algebra.not_(self._is_one_of(*_PORTED, message))
        if state.family.bits == 128:
            neither = algebra.all(neither, whole)
        yield f"{name}-protocol", neither, tuple(self._key(self._protocol))

    def name_of(self, entry: Entry) -> str:
        """The name of ``key_words`` that an element is looked up under."""
        name = self.ipset.name
        protocols = [part.protocol for part in entry.parts if isinstance(part, PortPart)]
        if not protocols or self.ipset.type == "bitmap:port" or protocols[0] in _PORTED:
            return name
        is_message = protocols[0] == _MESSAGES[self.view.state.family.bits]
        return f"{name}-icmp" if is_message else f"{name}-protocol"

    def _is_one_of(self, *protocols: int) -> Bool:
        state = self.view.state
        return state.algebra.any(*(state.is_("protocol", number) for number in protocols))

    def _readable(self) -> Bool:
        """Whether there is a hardware address where one is wanted."""
        state, algebra = self.view.state, self.view.state.algebra
        if "mac" not in self.ipset.kinds:
            return algebra.true
        return algebra.all(
            algebra.not_(state.is_("iif", 0)), self.view.says(Oracle(OracleKind.CAME_BY_ETHERNET))
        )

    def _key(self, ports: Callable[[str], Iterator[Word]]) -> Iterator[Word]:
        fields = self.view.state.fields
        for kind, direction in zip(self.ipset.kinds, self.directions, strict=False):
            match kind:
                case "ip" | "net":
                    yield self._address(direction)
                case "port":
                    yield from ports(direction)
                case "mac":
                    yield fields["mac_source"]
                case "mark":
                    yield self._mark()

    def _number(self, direction: str) -> Iterator[Word]:
        yield self.view.state.fields["sport" if direction == "src" else "dport"]

    def _ports(self, direction: str) -> Iterator[Word]:
        yield self.view.state.fields["protocol"]
        yield from self._number(direction)

    def _message(self, _direction: str) -> Iterator[Word]:
        fields = self.view.state.fields
        yield from (fields["icmp_type"], fields["icmp_code"])

    def _protocol(self, _direction: str) -> Iterator[Word]:
        yield self.view.state.fields["protocol"]

    def _address(self, direction: str) -> Word:
        state = self.view.state
        field = "saddr" if direction == "src" else "daddr"
        if self.ipset.mask is None:
            return state.fields[field]
        return state.algebra.bvand(state.fields[field], state.word(field, self.ipset.mask))

    def _mark(self) -> Word:
        state = self.view.state
        return state.algebra.bvand(state.fields["mark"], state.word("mark", self.ipset.mark_mask))

    def fits(self, entry: Entry) -> Bool:
        """Whether the packet is what an element says."""
        fitting = (
            self._part_fits(part, direction)
            for part, direction in zip(entry.parts, self.directions, strict=False)
        )
        return self.view.state.algebra.all(*fitting)

    def _part_fits(self, part: Part, direction: str) -> Bool:
        state, algebra = self.view.state, self.view.state.algebra
        match part:
            case Network(_, address, mask):
                field = "saddr" if direction == "src" else "daddr"
                masked = algebra.bvand(self._address(direction), state.word(field, mask))
                return algebra.equal(masked, state.word(field, address))
            case PortPart(protocol, number) if self.ipset.type != "bitmap:port":
                return algebra.all(
                    state.is_("protocol", protocol), self._port_fits(protocol, number, direction)
                )
            case PortPart(_, number):
                return algebra.all(self._is_one_of(6, 17), self._port_fits(6, number, direction))
            case MacPart(value):
                return algebra.all(self._readable(), state.is_("mac_source", value))
            case MarkPart(value):
                return algebra.equal(self._mark(), state.word("mark", value))
            case InterfacePart(bridged=True):
                raise NoMeaning(f"the set {self.ipset.name} has a port of a bridge")
            case InterfacePart(name, wildcard):
                length = prefix_mask(name) if wildcard else None
                field = "iif" if direction == "src" else "oif"
                return state.is_(field, interface_word(name), length)
            case _:
                raise AssertionError(part)

    def _port_fits(self, protocol: int, number: int, direction: str) -> Bool:
        """Ports, or type and code; what has neither is found in further fragments of IPv4, too."""
        state, algebra = self.view.state, self.view.state.algebra
        whole = state.is_("fragment", 0)
        if protocol in _PORTED:
            return algebra.all(whole, state.is_("sport" if direction == "src" else "dport", number))
        if protocol == _MESSAGES[state.family.bits]:
            same_type = state.is_("icmp_type", number >> 8)
            return algebra.all(whole, same_type, state.is_("icmp_code", number & 0xFF))
        return whole if state.family.bits == 128 else algebra.true
