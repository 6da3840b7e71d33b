"""What is known of a node beside its rules: addresses, routes, and what chooses among them.

It says what a question about a route or an address may be answered with. What is not understood is
open: any answer may be true of a packet that comes to it.

Kernel: fib_rules.c (fib_rules_lookup), fib4_rule_match and fib6_rule_match; fib_trie.c and
ip6_fib.c (the longest prefix); route.c (ip_route_input_slow); fib_frontend.c (inet_dev_addr_type).
"""

from __future__ import annotations

import enum
from itertools import groupby
from typing import TYPE_CHECKING

import attrs

from ..core.values import Family
from .hook import BY_DEVICE, ROUTED_BY, TO_THE_NODE
from .oracle import OracleKind
from .packet import ADDRESS_TYPES, interface_word, width

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .algebra import Algebra, Bool, Word
    from .oracle import Oracle

#: Bits of a way, as routing answers.
_WAY_BITS = 2


class Fate(enum.Enum):
    """What becomes of a packet that has a route."""

    DEVICE = "device"  #: it leaves by one of some devices
    NODE = "node"  #: it is for the node itself
    NOWHERE = "nowhere"  #: it is refused, or dropped
    NEXT_RULE = "next rule"  #: as if there were no route in this table
    OPEN = "open"  #: it is not known


@attrs.frozen
class KnownRoute:
    """All routes of a table for one prefix."""

    address: int
    mask: int
    fate: Fate
    devices: tuple[str, ...] = ()  #: the names of those that it may leave by, or that have it
    type: str = ""  #: as the kernel calls it: ``unicast``, ``local``, ...; empty where it is open


@attrs.frozen
class PortSpan:
    """The ports that a rule is for."""

    field: str
    first: int
    last: int


@attrs.frozen
class RoutingRule:
    """A rule of ``ip rule``."""

    #: Fields with the value that they must have under a mask.
    bits: tuple[tuple[str, int, int], ...] = ()
    ports: tuple[PortSpan, ...] = ()
    is_negated: bool = False
    table: str = ""  #: where the route is looked for; empty: there is none
    #: Whether nothing of it is left out here: else it may match fewer packets, and do anything.
    is_understood: bool = True

    def condition(self, algebra: Algebra, family: Family, seen: Mapping[str, Word]) -> Bool:
        """Which packets it may match."""
        found = []
        for field, value, mask in self.bits:
            bits = width(field, family)
            word = algebra.bvand(seen[field], algebra.const(mask, bits))
            found.append(algebra.equal(word, algebra.const(value, bits)))
        for one in self.ports:
            found.append(algebra.ule(algebra.const(one.first, 16), seen[one.field]))
            found.append(algebra.ule(seen[one.field], algebra.const(one.last, 16)))
        matches = algebra.all(*found)
        if self.is_negated:
            return algebra.not_(matches) if self.is_understood else algebra.true
        return matches


@attrs.frozen
class Routing:
    """The routing of one family."""

    rules: tuple[RoutingRule, ...]
    #: The routes of each table, the longest prefixes first.
    tables: Mapping[str, Sequence[KnownRoute]]

    @property
    def mark_bits(self) -> int:
        """The bits of the mark that a rule may look at."""
        if not all(one.is_understood for one in self.rules):
            return (1 << 32) - 1
        masks = (mask for one in self.rules for field, _, mask in one.bits if field == "mark")
        bits = 0
        for mask in masks:
            bits |= mask
        return bits


#: Bits of the type of an address.
_TYPE_BITS = 8

_NO_ROUTE = KnownRoute(0, 0, Fate.NOWHERE)


@attrs.frozen
class KnownNode:
    """A node, as it was at some time."""

    recorded: str  #: when, and of which host, for a reader
    devices: tuple[str, ...] = ()
    addresses: Mapping[Family, Sequence[int]] = attrs.Factory(dict)  #: its own ones
    routing: Mapping[Family, Routing] = attrs.Factory(dict)  #: of families of which it is known
    #: Those by which IPv4 takes no packets with addresses of loopback: route_localnet is off.
    no_localnet: tuple[str, ...] = ()
    has_vrf: bool = False  #: whether devices have routing tables of their own
    doubts: tuple[str, ...] = ()  #: what is not understood, as sentences

    def unseen_marks(self, family: Family) -> int:
        """The bits of the mark that routing does not look at."""
        routing = self.routing.get(family)
        return ~routing.mark_bits & 0xFFFFFFFF if routing else 0

    def allows(
        self,
        algebra: Algebra,
        family: Family,
        oracle: Oracle,
        arguments: tuple[Word, ...],
        answer: Word,
    ) -> Bool:
        """What holds of an answer of this node to a question about a packet of a family."""
        routing = self.routing.get(family)
        if routing and not self.has_vrf:
            if oracle.kind in {OracleKind.ROUTE, OracleKind.ROUTE_DEVICE}:
                look = _Look(algebra, family, routing, dict(zip(ROUTED_BY, arguments, strict=True)))
                if oracle.kind is OracleKind.ROUTE:
                    return look.may_go(answer, self.no_localnet)
                return algebra.all(look.may_leave_by(answer), self._has(algebra, answer))
            if oracle.kind is OracleKind.FIB_TYPE and family is Family.IP:
                return _has_type(algebra, routing, arguments, answer)
        if oracle.kind is OracleKind.PRIMARY_ADDRESS and family in self.addresses:
            # Of a device without addresses it is none, or one of another device.
            known = (algebra.const(one, family.bits) for one in (0, *self.addresses[family]))
            return algebra.any(*(algebra.equal(answer, one) for one in known))
        return algebra.true

    def _has(self, algebra: Algebra, device: Word) -> Bool:
        """Whether a device is one of the node's; none is that of packets that do not leave."""
        if not self.devices:
            return algebra.true
        bits = width("oif", Family.IP)
        words = (algebra.const(one, bits) for one in (0, *map(interface_word, self.devices)))
        return algebra.any(*(algebra.equal(device, one) for one in words))


@attrs.frozen
class _Look:
    """The look-up of a received packet's route."""

    algebra: Algebra
    family: Family
    routing: Routing
    seen: Mapping[str, Word]

    def may_go(self, answer: Word, no_localnet: Sequence[str]) -> Bool:
        """Whether it may be an answer: the node, a device, or nowhere."""
        algebra = self.algebra
        delivered, leaves = (_is_way(algebra, answer, one) for one in (TO_THE_NODE, BY_DEVICE))
        routed = self._is_routed(lambda route: _has_way(algebra, route, answer))
        heard = algebra.all(self._came_by("lo"), delivered)
        no_one_else = _implies(algebra, delivered, self._may_be_local())
        lost = _implies(
            algebra, self._is_martian(no_localnet), algebra.not_(algebra.any(delivered, leaves))
        )
        return algebra.all(algebra.any(heard, routed), no_one_else, lost)

    def may_leave_by(self, answer: Word) -> Bool:
        """Whether it may be an answer: a device's name."""
        return self._is_routed(lambda route: _leaves_by(self.algebra, route, answer))

    def _is_routed(self, allowed: Callable[[KnownRoute], Bool]) -> Bool:
        """That the route of a packet is one that is allowed, as far as it is known."""
        algebra = self.algebra
        found, reached = [], algebra.not_(algebra.any(self._came_by(""), self._is_group()))
        tables = groupby(self.routing.rules, key=lambda one: (one.is_understood, one.table))
        for (is_understood, table), rules in tables:
            where = algebra.any(*(one.condition(algebra, self.family, self.seen) for one in rules))
            if not is_understood:
                reached = algebra.all(reached, algebra.not_(where))
                continue
            routes = self.routing.tables.get(table, ()) if table else (_NO_ROUTE,)
            hit = algebra.all(where, self._first(routes, _ends_the_search(algebra)))
            found.append(_implies(algebra, algebra.all(reached, hit), self._first(routes, allowed)))
            reached = algebra.all(reached, algebra.not_(hit))
        found.append(_implies(algebra, reached, allowed(_NO_ROUTE)))
        return algebra.all(*found)

    def _may_be_local(self) -> Bool:
        """Whether some table has its destination as the node's own.

        So it is of all that is delivered, also of what comes by the loopback device, which was
        routed when it was made.
        """
        local = (
            _is_in(self.algebra, self.family, self.seen["daddr"], route)
            for routes in self.routing.tables.values()
            for route in routes
            if route.fate in {Fate.NODE, Fate.OPEN}
        )
        return self.algebra.any(self._is_group(), *local)

    def _first(self, routes: Sequence[KnownRoute], holds: Callable[[KnownRoute], Bool]) -> Bool:
        """What holds of the route with the longest prefix; nothing where there is none."""
        algebra, found = self.algebra, self.algebra.false
        for route in reversed(routes):
            inside = _is_in(algebra, self.family, self.seen["daddr"], route)
            found = algebra.any(
                algebra.all(inside, holds(route)), algebra.all(algebra.not_(inside), found)
            )
        return found

    def _is_martian(self, no_localnet: Sequence[str]) -> Bool:
        """Received packets of IPv4 whose addresses no packet can have."""
        algebra = self.algebra
        if self.family is not Family.IP:
            return algebra.false
        from_many = (_is_in(algebra, Family.IP, self.seen["saddr"], one) for one in _MANY)
        ends = (_is_in(algebra, Family.IP, self.seen[end], _LOOPBACK) for end in ("saddr", "daddr"))
        by_one = algebra.any(*map(self._came_by, no_localnet))
        return algebra.any(
            algebra.all(algebra.not_(self._came_by("")), algebra.any(*from_many)),
            algebra.all(by_one, algebra.any(*ends)),
        )

    def _came_by(self, device: str) -> Bool:
        """Whether it came by a device; by none, where it was made here."""
        word = self.algebra.const(interface_word(device), width("iif", self.family))
        return self.algebra.equal(self.seen["iif"], word)

    def _is_group(self) -> Bool:
        """Whether its destination is not looked up as others are."""
        daddr, family = self.seen["daddr"], self.family
        groups = _SPECIAL[family]
        return self.algebra.any(*(_is_in(self.algebra, family, daddr, one) for one in groups))


#: Groups, all hosts, and this network, by the type that IPv4 takes them for.
_SPECIAL = {
    Family.IP: (
        KnownRoute(0xE0000000, 0xF0000000, Fate.OPEN, type="multicast"),
        KnownRoute(0xFFFFFFFF, 0xFFFFFFFF, Fate.OPEN, type="broadcast"),
        KnownRoute(0, 0xFF000000, Fate.OPEN, type="broadcast"),
    ),
    Family.IP6: (KnownRoute(0xFF << 120, 0xFF << 120, Fate.OPEN, type="multicast"),),
}


#: Groups and all hosts, from which no packet is (ip_route_input_slow), and the loopback network.
_MANY = _SPECIAL[Family.IP][:2]
_LOOPBACK = KnownRoute(0x7F000000, 0xFF000000, Fate.NODE)


def _implies(algebra: Algebra, condition: Bool, other: Bool) -> Bool:
    return algebra.any(algebra.not_(condition), other)


def _ends_the_search(algebra: Algebra) -> Callable[[KnownRoute], Bool]:
    return lambda route: algebra.false if route.fate is Fate.NEXT_RULE else algebra.true


def _is_in(algebra: Algebra, family: Family, address: Word, route: KnownRoute) -> Bool:
    bits = family.bits
    network = algebra.bvand(address, algebra.const(route.mask, bits))
    return algebra.equal(network, algebra.const(route.address, bits))


def _is_way(algebra: Algebra, answer: Word, way: int) -> Bool:
    return algebra.equal(answer, algebra.const(way, _WAY_BITS))


def _has_way(algebra: Algebra, route: KnownRoute, answer: Word) -> Bool:
    """The way of a route: a packet can be dropped on it, if its source cannot be."""
    by_device, to_the_node = (_is_way(algebra, answer, one) for one in (BY_DEVICE, TO_THE_NODE))
    match route.fate:
        case Fate.DEVICE:
            return algebra.not_(to_the_node)
        case Fate.NODE:
            return algebra.not_(by_device)
        case Fate.NOWHERE:
            return algebra.not_(algebra.any(by_device, to_the_node))
        case _:
            return algebra.true


def _leaves_by(algebra: Algebra, route: KnownRoute, answer: Word) -> Bool:
    if route.fate is not Fate.DEVICE:
        return algebra.true
    bits = width("oif", Family.IP)
    names = (algebra.const(interface_word(one), bits) for one in route.devices)
    return algebra.any(*(algebra.equal(answer, one) for one in names))


def _has_type(
    algebra: Algebra, routing: Routing, arguments: tuple[Word, ...], answer: Word
) -> Bool:
    """What IPv4 takes an address for: the table of local addresses says it."""
    address, device = arguments[:2]

    def is_(name: str) -> Bool:
        return algebra.equal(answer, algebra.const(ADDRESS_TYPES[name], _TYPE_BITS))

    # Of one device alone, an address of another one is like any other.
    anywhere = algebra.equal(device, algebra.const(0, width("iif", Family.IP)))
    not_its = algebra.all(algebra.not_(anywhere), is_("unicast"))
    found = is_("unicast")
    for route in reversed(routing.tables.get("local", ())):
        here = algebra.any(is_(route.type), not_its) if route.type else algebra.true
        inside = _is_in(algebra, Family.IP, address, route)
        found = algebra.any(algebra.all(inside, here), algebra.all(algebra.not_(inside), found))
    for route in _SPECIAL[Family.IP]:
        inside = _is_in(algebra, Family.IP, address, route)
        found = algebra.any(
            algebra.all(inside, is_(route.type)), algebra.all(algebra.not_(inside), found)
        )
    return found
