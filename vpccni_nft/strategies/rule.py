"""Rules with matches and targets where iptables takes them, behind the protocol that they need."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

import attrs
import hypothesis
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..core.values import Family, Negatable
from ..extensions import extension_of
from ..extensions.placement import Place
from ..iptables import Goto, Interface, Jump, Match, Rule, Target
from ..iptables.protocols import ICMP, ICMPV6, TCP, UDP, WITH_PORTS
from .rooms import MATCHES, RECORDS, TARGETS, Room
from .values import (
    ByFamily,
    counters,
    interface_tests,
    negatable,
    network_tests,
    perhaps,
    perhaps_negated,
    protocols,
)


@attrs.frozen(eq=False)
class Taste:
    """Which of the rooms, nodes and base options are wanted."""

    rooms: frozenset[Room] = frozenset((*MATCHES, *TARGETS))
    wanted: Callable[[Match | Target], bool] = lambda _node: True
    interface_tests: SearchStrategy[Negatable[Interface] | None] = interface_tests
    protocols: SearchStrategy[int] = protocols


EVERYTHING = Taste()


@functools.cache
def _every_node(family: Family) -> Mapping[Room, SearchStrategy[Any]]:
    by_family: Mapping[Room, ByFamily[Any]] = {**MATCHES, **TARGETS}
    return {room: make(family) for room, make in by_family.items()}


def nodes_of_room(room: Room, family: Family, taste: Taste = EVERYTHING) -> SearchStrategy[Any]:
    """The nodes of one room."""
    nodes = _every_node(family)[room]
    return nodes if taste is EVERYTHING else nodes.filter(taste.wanted)


#: Protocols that no room needs are the same to all of them.
_NEEDED = frozenset((*WITH_PORTS, ICMP, ICMPV6))


@functools.cache
def _fitting_rooms(
    kind: Literal["matches", "targets"], place: Place, protocol: int | None, taste: Taste
) -> SearchStrategy[Room]:
    """The matches or targets that a rule may have."""
    rooms: Mapping[Room, object] = MATCHES if kind == "matches" else TARGETS
    fitting = [
        room
        for room in rooms
        if room in taste.rooms and RECORDS[room].placement.fits(place, protocol)
    ]
    return st.sampled_from(fitting) if fitting else st.nothing()


def _draw_node(
    draw: st.DrawFn, room: Room, place: Place, taste: Taste, fits: Callable[[Any], bool]
) -> Any:
    """A node of a room that is wanted and fits.

    Asked here and not by a filter: hypothesis looks through each strategy that a filter makes,
    which takes longer than all that is drawn from it.
    """
    for _ in range(3):
        node = draw(_every_node(place.family)[room])
        if taste.wanted(node) and fits(node):
            return node
    return hypothesis.reject()


_perhaps_networks = {family: perhaps(network_tests(family)) for family in Family}
_fragments = perhaps_negated(st.just(True))
_perhaps_counters = perhaps(counters)
few = st.integers(0, 3)
_yes_or_no = st.booleans()
calls: SearchStrategy[Callable[[str], Target]] = st.sampled_from((Jump, Goto))


def draw_rule(
    draw: st.DrawFn,
    place: Place,
    chains: tuple[str, ...] = (),
    taste: Taste = EVERYTHING,
    room: Room | None = None,
) -> Rule:
    """A rule that may stand in a place and call some chains; with ``room`` it has a node of it.

    All strategies here are made once: making them takes longer than drawing from them.
    """
    has_to = None
    if room:
        has_to = _draw_node(
            draw, room, place, taste, lambda node: _fits_with_its_protocol(node, place)
        )
    needed = extension_of(has_to).protocols(has_to, place.family) if has_to else None
    protocol = draw(_protocol_tests(needed, taste))
    number = protocol.value if protocol and not protocol.negated else None
    if number not in _NEEDED:
        number = None

    def draw_fitting(kind: Literal["matches", "targets"]) -> Any:
        chosen = draw(_fitting_rooms(kind, place, number, taste))
        return _draw_node(
            draw,
            chosen,
            place,
            taste,
            lambda node: not extension_of(node).misplaced(node, place, number),
        )

    listed: list[Match] = [draw_fitting("matches") for _ in range(draw(few))]
    if isinstance(has_to, Match):
        listed.append(has_to)
        if draw(_yes_or_no):
            listed.reverse()
    target: Target | None = None
    if isinstance(has_to, Target):
        target = has_to
    elif draw(_yes_or_no) and chains:
        called: str = draw(st.sampled_from(chains))
        target = draw(calls)(called)
    elif draw(_yes_or_no):
        target = draw_fitting("targets")
    comes_in = place.is_under("PREROUTING", "INPUT", "FORWARD")
    goes_out = place.is_under("FORWARD", "OUTPUT", "POSTROUTING")
    return Rule(
        source=draw(_perhaps_networks[place.family]),
        destination=draw(_perhaps_networks[place.family]),
        in_interface=draw(taste.interface_tests) if comes_in else None,
        out_interface=draw(taste.interface_tests) if goes_out else None,
        protocol=protocol,
        fragment=draw(_fragments) if place.family is Family.IP else None,
        matches=tuple(listed),
        target=target,
        counters=draw(_perhaps_counters),
    )


@st.composite
def rules(
    draw: st.DrawFn, place: Place, taste: Taste = EVERYTHING, room: Room | None = None
) -> Rule:
    """Rules that call no chain."""
    return draw_rule(draw, place, (), taste, room)


def _fits_with_its_protocol(node: Match | Target, place: Place) -> bool:
    record = extension_of(node)
    needed = record.protocols(node, place.family)
    return not record.misplaced(node, place, needed[0] if needed else None)


@functools.cache
def _protocol_tests(
    needed: tuple[int, ...] | None, taste: Taste
) -> SearchStrategy[Negatable[int] | None]:
    if needed:
        return st.sampled_from(needed).map(Negatable)
    common = st.sampled_from((TCP, UDP, ICMP, ICMPV6)).map(Negatable)
    return st.one_of(st.none(), common, negatable(taste.protocols))
