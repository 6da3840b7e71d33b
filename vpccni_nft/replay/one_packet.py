"""One packet at a hook or on a path, as ``explain --packet`` takes it, sent by a conversation.

A packet at a hook has a past: it came in by a device, was routed, and belongs to a connection. What
of it sending packets can bring about is brought about: the device, the addresses and their routes,
ports, flags, marks, and a connection that is established or that an error is about. The rest is
reported, from what was seen at the beginning of the hook rather than from what was intended.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from ..core.values import Family
from ..iptables.protocols import ICMP, ICMPV6, TCP, UDP
from ..model.oracle import Oracle, OracleKind
from ..model.packet import ADDRESS_TYPES, STATE_BITS, STATUS_BITS
from ..model.path import RECEIVED
from ..simulate.packet_text import EVERY_KEY, FURTHER_KEYS, field_text, place_word
from ..simulate.world import interface_name
from . import wire
from .agent import LOCAL
from .conversation import Conversation, ConversationPacket, Way
from .topology import PRIMARY
from .wire import ACK, ECHO, SYN, WITH_PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..simulate.packet_text import PacketText
    from ..simulate.sample import Packet
    from .conversation import KernelEvent, Seen
    from .topology import Topology

_DEVICE = re.compile(r"(?!(?:lo|all|default|\.\.?)\Z)[A-Za-z0-9_.-]{1,15}")

#: Hooks that a packet comes to when it has been routed to a device.
_ROUTED = {"forward", "output", "postrouting"}
#: Hooks behind which a packet that is forwarded has less time to live.
_FORWARDED = {"forward", "postrouting"}
#: Hooks before which conntrack has not run yet; a probe shows the state behind it.
_BEFORE_CONNTRACK = {"prerouting", "output"}

_ICMP_OF = {Family.IP: ICMP, Family.IP6: ICMPV6}
_LARGEST, _USUAL_TTL = 1500, 64
_IDENTIFIER = 1000

_LOCAL, _UNICAST = ADDRESS_TYPES["local"], ADDRESS_TYPES["unicast"]
_BY_RULES = STATUS_BITS["snat"] | STATUS_BITS["dnat"]

#: What is said of a packet that does not come to where it was to.
NOT_THERE = "the packet did not come there"
NOT_ROUTED = "routing let it go nowhere"

#: Fields of headers that a conversation's packets have.
_OF_HEADERS = {"tos", "ttl", "mss", "fragmented"}

#: What the node settles, and no packet; what is drawn at random is drawn in all ways anyhow.
_OF_THE_NODE = {"route-back", "primary"}


# --- the node ------------------------------------------------------------------------------------


def node_for(packet: Packet, node: Topology) -> Topology:
    """The node with what the packet needs: its devices, its local address, a route.

    Nothing is taken away; a route to one of the packet's addresses may lead elsewhere than before.
    """
    fields, family = packet.fields, packet.family
    iif, oif = interface_name(fields["iif"]), interface_name(fields["oif"])
    taps = list(node.taps)
    taps += [name for name in dict.fromkeys((iif, oif)) if name not in taps and _is_device(name)]
    held, pods = dict(node.own[family]), dict(node.pods[family])
    for end in ("saddr", "daddr"):
        address = fields[end]
        wanted = packet.answers.get((Oracle(OracleKind.FIB_TYPE), (address, 0)))
        if wanted == _LOCAL and node.kind(family, address) == _UNICAST:
            held[address] = PRIMARY
            pods.pop(address, None)
    routes = [("daddr", oif)] if packet.hook in _ROUTED else []
    if _is_reply(packet) and packet.hook != "output":
        routes.append(("saddr", iif))
    for end, device in routes:
        address = fields[end]
        if device in taps and address not in held and node.kind(family, address) == _UNICAST:
            pods[address] = device
    pods = _without_policies(pods, fields["saddr"], fields["daddr"])
    return attrs.evolve(
        node,
        taps=tuple(taps),
        own={**node.own, family: held},
        pods={**node.pods, family: pods},
    )


def _without_policies(pods: dict[int, str], *ends: int) -> dict[int, str]:
    """The same, with the packet's own addresses at even places.

    What is at an odd one has a rule of policy routing, which would lead it away:
    ``Topology._routes``.
    """
    first = [address for address in ends if address in pods]
    rest = [address for address in pods if address not in first]
    order = [*first[:1], *rest[:1], *first[1:], *rest[1:]]
    return {address: pods[address] for address in order}


def _is_device(name: str) -> bool:
    return bool(_DEVICE.fullmatch(name))


# --- the conversation ---------------------------------------------------------------------------


def conversation_of(packet: Packet, node: Topology) -> Conversation:
    """The conversation whose last move brings such a packet to its hook, as far as that goes.

    It is the same one for the same packet and node.
    """
    fields, family = packet.fields, packet.family
    reply = _is_reply(packet)
    source, target = (fields[end] for end in (("daddr", "saddr") if reply else ("saddr", "daddr")))
    sport, dport = (fields[end] for end in (("dport", "sport") if reply else ("sport", "dport")))
    protocol, kind, code = fields["protocol"], fields["icmp_type"], fields["icmp_code"]
    is_icmp = protocol == _ICMP_OF[family]
    if _is_error(packet):
        # The error is about a connection between its own ends.
        protocol, kind, code, is_icmp, sport, dport = UDP, 0, 0, False, 40000, 80
    elif is_icmp:
        asks, answers = ECHO[family]
        kind = asks if reply and kind == answers else kind
        sport, dport = _IDENTIFIER, 0
    elif protocol not in WITH_PORTS:
        sport = dport = 0
    return Conversation(
        family=family,
        device=_device(packet, node, reply=reply),
        source=source,
        target=target,
        protocol=protocol,
        sport=sport,
        dport=dport,
        kind=kind if is_icmp else 0,
        code=code if is_icmp else 0,
        mark=0 if reply else fields["mark"],
        tos=fields["tos"],
        ttl=_time_to_live(packet),
        mss=fields["mss"],
        moves=tuple(_moves(packet)),
    )


def _time_to_live(packet: Packet) -> int:
    """What it is sent with; where it does not matter, the usual one."""
    wanted = packet.fields["ttl"]
    is_less = packet.hook in _FORWARDED and not packet.on_path and wanted != _USUAL_TTL
    return min(255, wanted + is_less)


def _is_reply(packet: Packet) -> bool:
    """Whether the packet is one of the end that did not begin; what is new never is."""
    tracked = packet.fields["ct_state"] in {STATE_BITS["established"], STATE_BITS["related"]}
    return tracked and bool(packet.fields["ct_reply"])


def _is_error(packet: Packet) -> bool:
    fields = packet.fields
    related = fields["ct_state"] == STATE_BITS["related"]
    is_icmp = fields["protocol"] == _ICMP_OF[packet.family]
    return related and is_icmp and fields["icmp_type"] in wire.ERRORS[packet.family]


def _device(packet: Packet, node: Topology, *, reply: bool) -> str:
    """Where the conversation begins."""
    fields, family = packet.fields, packet.family
    beginner = fields["daddr" if reply else "saddr"]
    name = interface_name(fields["oif" if reply else "iif"])
    if name in node.taps:
        return name
    is_own = node.kind(family, beginner) == _LOCAL
    if name == "lo" or is_own or (packet.hook == "output" and not reply):
        return LOCAL
    return node.pods[family].get(beginner, PRIMARY)


def _moves(packet: Packet) -> Iterator[ConversationPacket]:
    fields = packet.fields
    reply, tcp = _is_reply(packet), fields["protocol"] == TCP
    marked = [ConversationPacket(way=Way.MARK, mark=fields["ct_mark"])] if fields["ct_mark"] else []
    last = ConversationPacket(
        way=Way.BACK if reply else Way.FORTH,
        flags=fields["tcp_flags"] if tcp else 0,
        length=_payload(packet),
        fragmented=bool(fields["fragmented"]),
    )
    if _is_error(packet):
        yield ConversationPacket()
        if not reply:
            yield ConversationPacket(way=Way.BACK)
        yield from marked
        way = Way.ERROR_BACK if reply else Way.ERROR_FORTH
        yield ConversationPacket(way=way, kind=fields["icmp_type"], code=fields["icmp_code"])
        return
    if fields["ct_state"] == STATE_BITS["established"]:
        yield ConversationPacket(flags=SYN if tcp else 0)
        answers_syn = tcp and last.flags == SYN | ACK
        if not reply or (tcp and not answers_syn):
            yield ConversationPacket(way=Way.BACK, flags=SYN | ACK if tcp else 0)
        if tcp and not answers_syn:
            yield ConversationPacket(flags=ACK)
        yield from marked
    elif marked or fields["ct_status"] & STATUS_BITS["confirmed"]:
        # Until there is an answer, a second packet is as new as the first one.
        yield last
        yield from marked
    yield last


def _payload(packet: Packet) -> int:
    """The bytes behind the headers that give the packet its length."""
    bare = wire.Datagram(
        family=packet.family, source=0, target=0, protocol=packet.fields["protocol"]
    )
    headers = len(bare.build())
    return max(0, min(packet.fields["length"], _LARGEST) - headers)


# --- what has become of it ----------------------------------------------------------------------


def not_brought_about(read: PacketText, node: Topology, seen: Seen) -> list[str]:
    """What of a packet's text was not so when it came to the hook: ``oif=eth1, but was eth0``.

    ``seen`` is of a conversation of ``conversation_of``, with the beginnings of hooks.
    """
    packet, entry = read.packet, read.packet.path.entry
    given = dict(word.split("=", 1) for word in read.words)
    events = seen[-1]
    begun = [event for event in events if (event.kind, event.place) == ("begin", entry)]
    if not begun:
        return [f"{place_word(packet)}: {NOT_THERE}{_last_place(events)}"]
    tracked = [event for event in events if (event.kind, event.place) == ("track", entry)]
    found = min(
        (
            list(_unlike(packet, given, event, tracked[place : place + 1]))
            for place, event in enumerate(begun)
        ),
        key=len,
    )
    found += _led_elsewhere(packet, given, events)
    for end in ("saddr", "daddr"):
        if f"fib-{end}" in given:
            kind = node.kind(packet.family, packet.fields[end])
            if ADDRESS_TYPES[given[f"fib-{end}"].lower()] != kind:
                found.append(f"fib-{end}={given[f'fib-{end}']}, but was {_type_name(kind)}")
    if "ctmark" in given and packet.fields["ct_mark"] and not _was_marked(seen):
        found.append(f"ctmark={given['ctmark']}: there was no connection to mark")
    if "ctstatus" in given and packet.fields["ct_status"] & _BY_RULES:
        found.append(f"ctstatus={given['ctstatus']}: NAT is done by the rules alone")
    if "ctstatus" in given and packet.fields["ct_status"] & STATUS_BITS["expected"]:
        found.append(f"ctstatus={given['ctstatus']}: no helper expects a connection")
    found += [
        f"{key}={value}: it is as {'the sets are' if key.startswith('in:') else 'the node has it'}"
        for key, value in given.items()
        if key.startswith("in:") or key in {*_OF_THE_NODE, *FURTHER_KEYS} - _OF_HEADERS
    ]
    return found


def _led_elsewhere(
    packet: Packet, given: Mapping[str, str], events: tuple[KernelEvent, ...]
) -> Iterator[str]:
    """Where routing has sent a packet on its path, if not where it was to; a drop says nothing."""
    if packet.path is not RECEIVED:
        return
    routed = [
        event for event in events if event.kind == "begin" and event.place in {"input", "forward"}
    ]
    if not routed and any((one.kind, one.place) == ("hook", "prerouting") for one in events):
        yield f"{place_word(packet)}: {NOT_ROUTED}"
    if routed and packet.hook not in {event.place for event in routed}:
        yield f"{place_word(packet)}, but it went to {routed[0].place}"
    for event in routed[:1]:
        if "oif" in given and event.oif not in {"", given["oif"]}:
            yield f"oif={given['oif']}, but was {event.oif}"


def _unlike(
    packet: Packet, given: Mapping[str, str], event: KernelEvent, tracked: list[KernelEvent]
) -> Iterator[str]:
    """The keys whose values a packet that was seen has not."""
    headers = event.headers
    assert headers
    actual: dict[str, object] = {
        "iif": event.iif or "none",
        "saddr": int.from_bytes(headers.source, "big"),
        "daddr": int.from_bytes(headers.target, "big"),
        "protocol": headers.protocol,
        "sport": headers.sport,
        "dport": headers.dport,
        "tcp_flags": headers.flags,
        "icmp_type": headers.kind,
        "icmp_code": headers.code,
        "mark": event.mark,
        "length": headers.length,
        **{field: int(getattr(headers, field)) for field in _OF_HEADERS},
    }
    if packet.path is not RECEIVED:
        actual["oif"] = event.oif or "none"
    states = [event] if packet.path.entry not in _BEFORE_CONNTRACK else tracked
    # As “established<” of the answering side; “?” where conntrack does not run.
    for state in (one.state for one in states if one.state not in {"", "?"}):
        actual["ct_state"] = STATE_BITS[state.rstrip("<>")]
        actual["ct_reply"] = int(state.endswith("<"))
    for key, field in EVERY_KEY.items():
        wanted: object = packet.fields[field]
        if field in {"iif", "oif"}:
            wanted = interface_name(packet.fields[field]) or "none"
        if key in given and field in actual and actual[field] != wanted:
            value = actual[field]
            shown = value if isinstance(value, str) else _text(field, value, packet.family)
            yield f"{key}={given[key]}, but was {shown}"


def _text(field: str, value: object, family: Family) -> str:
    assert isinstance(value, int)
    return field_text(field, value, family)


def _type_name(kind: int) -> str:
    return next(name for name, number in ADDRESS_TYPES.items() if number == kind)


def _last_place(events: tuple[KernelEvent, ...]) -> str:
    places = [event.place for event in events if event.kind in {"begin", "hook"}]
    return f"; it was last seen in {places[-1]}" if places else ""


def _was_marked(seen: Seen) -> bool:
    return any(event.kind == "marked" for events in seen for event in events)
