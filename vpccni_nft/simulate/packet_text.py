"""Packets as text: ``hook=prerouting iif=eni1 saddr=10.0.3.4 proto=tcp dport=443``.

What a text leaves out has a default, which the reader is shown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ..core.values import Address, Family, parse_integer
from ..iptables.protocols import PROTOCOLS, protocol_name
from ..model.oracle import Oracle, OracleKind
from ..model.packet import (
    ADDRESS_TYPES,
    ADDRESSES,
    FIELDS,
    HOOKS,
    NAME_BYTES,
    PACKET_TYPES,
    STATE_BITS,
    STATUS_BITS,
    TCP_FLAGS,
    WIDTHS,
    interface_word,
)
from .sample import Packet
from .world import World, interface_name

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The keys of a packet, in the order in which they are printed, and its fields.
KEYS = {
    "iif": "iif", "oif": "oif", "saddr": "saddr", "daddr": "daddr", "proto": "protocol",
    "sport": "sport", "dport": "dport", "flags": "tcp_flags", "icmp-type": "icmp_type",
    "icmp-code": "icmp_code", "mark": "mark", "ctstate": "ct_state", "ctstatus": "ct_status",
    "ctdir": "ct_reply", "ctmark": "ct_mark", "length": "length",
}  # fmt: skip
#: Of what the model alone has a field for: whether NAT has decided about a connection's end.
BOUND = {"source-bound": "snat_done", "destination-bound": "dnat_done"}
#: Further keys, of what matters to few rules: printed where they are given, not as defaults.
FURTHER_KEYS = {**BOUND, **{key: key for key in (
    "tos", "ttl", "mss", "has_mss", "fragment", "fragmented", "packet_type", "mac_source",
    "has_socket", "uid", "gid", "cgroup", "iif_group", "oif_group", "cpu", "realm", "priority",
    "ct_protocol", "ct_original_saddr", "ct_original_daddr", "ct_original_sport",
    "ct_original_dport", "ct_reply_saddr", "ct_reply_daddr", "ct_reply_sport", "ct_reply_dport",
)}}  # fmt: skip
EVERY_KEY = {**KEYS, **FURTHER_KEYS}
#: The keys by their fields.
KEY_OF = {field: key for key, field in EVERY_KEY.items()}
#: What the world answers.
WORLD_KEYS = ("fib-saddr", "fib-daddr", "route-back", "random", "primary", "in:SETNAME")

#: What follows ``path=``: where a packet goes that is forwarded, delivered, or made here.
PATH_HOOKS = ("forward", "input", "output")

_KNOWN = ("hook", "path", *KEYS, *WORLD_KEYS, *FURTHER_KEYS)

#: Protocols with ports.
WITH_PORTS = {PROTOCOLS[name] for name in ("tcp", "udp", "dccp", "sctp", "udplite")}
ICMP_OF = {Family.IP: PROTOCOLS["icmp"], Family.IP6: PROTOCOLS["icmpv6"]}

#: What there is where something is said of it.
_SAYS_THAT_THERE_IS = {
    "mss": "has_mss", "fragment": "fragmented",
    **dict.fromkeys(("uid", "gid", "cgroup"), "has_socket"),
}  # fmt: skip

#: Hooks whose packets have an interface that they came by, or that they leave by.
_COMES_BY = {"prerouting", "input", "forward", "postrouting"}
_LEAVES_BY = {"forward", "output", "postrouting"}

#: The flag of TCP where none is given, by the state: a reset of no connection is invalid.
_FLAG_OF = {STATE_BITS["new"]: "syn", STATE_BITS["invalid"]: "rst"}

_DIRECTIONS = {"original": 0, "reply": 1}
_ANSWERS = {"yes": True, "no": False}
_DEFAULT_ADDRESSES = {
    Family.IP: ("192.0.2.1", "198.51.100.1"),
    Family.IP6: ("2001:db8::1", "2001:db8::2"),
}


class BadPacketText(ValueError):  # noqa: N818 - the field's word, as Refused
    """Something in a packet text cannot be read; ``problems`` has every reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@attrs.frozen
class PacketText:
    """A packet that was read."""

    packet: Packet
    world: World  #: the packet's answers
    words: tuple[str, ...]  #: the text
    defaults: tuple[str, ...]  #: what the text left out, as words of it


def parse_packet(text: str, family: Family = Family.IP) -> PacketText:
    """Read a packet; ``family`` is its family where no address shows it.

    >>> read = parse_packet("daddr=10.0.0.1 proto=udp")
    >>> read.packet.fields["protocol"], read.defaults[:2]
    (17, ('hook=prerouting', 'iif=eth0'))
    """
    reader = _Reader(family)
    reader.read(text)
    return reader.finish()


def complete(family: Family, hook: str, given: Mapping[str, int]) -> dict[str, int]:
    """All fields of a packet, with defaults for those that are not given."""
    fields = dict.fromkeys(FIELDS, 0)
    eth0 = interface_word("eth0")
    if hook in _COMES_BY - {"postrouting"}:
        fields["iif"] = eth0
    if hook in _LEAVES_BY:
        fields["oif"] = eth0
    for field, address in zip(("saddr", "daddr"), _DEFAULT_ADDRESSES[family], strict=True):
        fields[field] = Address.parse(address).value
    icmp = given.keys() & {"icmp_type", "icmp_code"}
    fields |= {"protocol": ICMP_OF[family] if icmp else PROTOCOLS["tcp"], "length": 60, "ttl": 64}
    fields["ct_state"] = STATE_BITS["new"]
    fields |= given
    defaults: dict[str, int] = {
        whether: 1 for field, whether in _SAYS_THAT_THERE_IS.items() if given.get(field)
    }
    if fields["protocol"] in WITH_PORTS:
        defaults |= {"sport": 40000, "dport": 80}
    if fields["protocol"] == PROTOCOLS["tcp"]:
        defaults["tcp_flags"] = TCP_FLAGS[_FLAG_OF.get(fields["ct_state"], "ack")]
    if fields["protocol"] == ICMP_OF[family]:
        defaults["icmp_type"] = 8 if family is Family.IP else 128
    if fields["ct_state"] == STATE_BITS["established"]:
        defaults["ct_status"] = sum(
            STATUS_BITS[name] for name in ("seen-reply", "assured", "confirmed")
        )
    fields |= {field: value for field, value in defaults.items() if field not in given}
    fields |= {field: value for field, value in _connection(fields).items() if field not in given}
    return fields


def default_world(family: Family, hook: str, fields: Mapping[str, int]) -> World:
    """The world where nothing is said of it: what comes in is for the node, what goes out of it.

    Whatever is routed on a path goes the way of this hook.
    """
    world = World(family, to_the_node=hook == "input", device=fields["oif"])
    local_end = {"input": "daddr", "output": "saddr"}.get(hook)
    if local_end:
        world.types[fields[local_end]] = ADDRESS_TYPES["local"]
    return world


def _connection(fields: Mapping[str, int]) -> dict[str, int]:
    """The connection's own fields: those of a packet that nothing has rewritten."""
    here, there = ("reply", "original") if fields["ct_reply"] else ("original", "reply")
    found = {"ct_protocol": fields["protocol"]}
    for kind in ("addr", "port"):
        source, target = fields[f"s{kind}"], fields[f"d{kind}"]
        found |= {f"ct_{here}_s{kind}": source, f"ct_{here}_d{kind}": target}
        found |= {f"ct_{there}_s{kind}": target, f"ct_{there}_d{kind}": source}
    for end in ("snat", "dnat"):
        # What is translated is bound; and so are both ends when the first packet has gone its way.
        bits = STATUS_BITS[end] | STATUS_BITS["confirmed"]
        found[f"{end}_done"] = int(bool(fields["ct_status"] & bits))
    return found


@attrs.define
class _Reader:
    family: Family
    values: dict[str, str] = attrs.Factory(dict)
    problems: list[str] = attrs.Factory(list)

    def read(self, text: str) -> None:
        """Take the text apart, and settle the hook and the family."""
        for word in text.split():
            key, equals, value = word.partition("=")
            if not (key in _KNOWN or key.startswith("in:")):
                self.problems.append(f"“{key}” is not known; the keys are {_all_keys()}")
            elif not equals or not value:
                self.problems.append(f"{key} has no value")
            elif key in self.values:
                self.problems.append(f"{key} is given twice")
            else:
                self.values[key] = value
        families = set()
        for key in ("saddr", "daddr", "primary"):
            if key in self.values:
                try:
                    families.add(Address.parse(self.values[key]).family)
                except ValueError as error:
                    self.problems.append(f"{key}: {error}")
        if len(families) > 1:
            self.problems.append("the addresses are of two families")
        elif families:
            (self.family,) = families

    def finish(self) -> PacketText:
        """Build the packet, or raise all problems."""
        on_path = "path" in self.values
        hook = self.values.get("path" if on_path else "hook", "prerouting")
        key, places = ("path", PATH_HOOKS) if on_path else ("hook", HOOKS)
        if on_path and "hook" in self.values:
            self.problems.append("a packet has a hook or a path, not both")
        if hook not in places:
            self.problems.append(f"{key}: “{hook}” is not one of {', '.join(places)}")
        given: dict[str, int] = {}
        for key, field in EVERY_KEY.items():
            if key in self.values:
                try:
                    given[field] = parse_value(field, self.values[key])
                except ValueError as error:
                    if key not in {"saddr", "daddr"}:
                        self.problems.append(f"{key}: {error}")
        fields = complete(self.family, hook, given)
        self._refuse_what_does_not_fit(hook, given, fields)
        world = self._world(hook, fields)
        if self.problems:
            raise BadPacketText(self.problems)
        packet = Packet(self.family, hook, fields, world, on_path=on_path)
        words = tuple(f"{key}={value}" for key, value in self.values.items())
        return PacketText(packet, world, words, tuple(self._defaults(packet)))

    def _refuse_what_does_not_fit(
        self, hook: str, given: Mapping[str, int], fields: Mapping[str, int]
    ) -> None:
        for field, hooks in (("iif", _COMES_BY), ("oif", _LEAVES_BY)):
            if field in given and hook in HOOKS and hook not in hooks:
                self.problems.append(f"a packet in {hook} has no {field}")
        for field in given:
            if not _has(field, fields):
                name = protocol_name(fields["protocol"])
                self.problems.append(f"a packet of proto={name} has no {KEY_OF[field]}")

    def _world(self, hook: str, fields: Mapping[str, int]) -> World:
        world = default_world(self.family, hook, fields)
        for key, value in self.values.items():
            try:
                match key.partition(":"):
                    case (("fib-saddr" | "fib-daddr"), *_):
                        address = fields[key.removeprefix("fib-")]
                        world.types[address] = _one_of(value, ADDRESS_TYPES)
                    case "route-back", *_:
                        world.route_back = bool(_one_of(value, _ANSWERS))
                    case "random", *_:
                        world.random = _fraction(value)
                    case "primary", *_:
                        world.primary = Address.parse(value).value
                    case "in", ":", name:
                        world.members[name] = bool(_one_of(value, _ANSWERS))
            except ValueError as error:
                if key != "primary":
                    self.problems.append(f"{key}: {error}")
        return world

    def _defaults(self, packet: Packet) -> list[str]:
        words = [] if self.values.keys() & {"hook", "path"} else [place_word(packet)]
        usual = {field: packet.fields[field] for field in KEYS.values()}
        words += [
            word
            for word in packet_words(packet, usual)
            if word.partition("=")[0] not in self.values
        ]
        world = packet.answers
        assert isinstance(world, World)
        for end in ("saddr", "daddr"):
            if f"fib-{end}" not in self.values:
                name = _name_of(
                    world[Oracle(OracleKind.FIB_TYPE), (packet.fields[end], 0)], ADDRESS_TYPES
                )
                words.append(f"fib-{end}={name}")
        world.asked.clear()
        if world.route_back is None:
            words.append("route-back=yes")
        if world.random is None:
            words.append("random=0")
        return words


def place_word(packet: Packet) -> str:
    """The word of a packet's hook or path."""
    return f"{'path' if packet.on_path else 'hook'}={packet.hook}"


def packet_words(packet: Packet, fields: Mapping[str, int] | None = None) -> list[str]:
    """The words of a packet's fields, or of some of them; its hook or path is not among them."""
    return [
        f"{key}={field_text(field, value, packet.family)}"
        for key, field in EVERY_KEY.items()
        if _has(field, packet.fields)
        and (value := (packet.fields if fields is None else fields).get(field)) is not None
        and (value or field not in {"iif", "oif"})
    ]


def field_text(field: str, value: int, family: Family) -> str:
    """A field's value, as a packet text has it."""
    if field in ADDRESSES:
        return str(Address(family, value))
    match field:
        case "iif" | "oif":
            return interface_name(value) or "none"
        case "protocol" | "ct_protocol":
            return protocol_name(value)
        case "mark" | "ct_mark":
            return f"{value:#x}"
        case "tcp_flags":
            return _names(value, TCP_FLAGS)
        case "ct_state":
            return _names(value, STATE_BITS)
        case "ct_status":
            return _names(value, STATUS_BITS)
        case "ct_reply":
            return _name_of(value, _DIRECTIONS)
        case "snat_done" | "dnat_done":
            return "yes" if value else "no"
        case "packet_type":
            return _name_of(value, PACKET_TYPES)
        case "mac_source":
            return value.to_bytes(6, "big").hex(":")
        case _:
            return str(value)


def parse_value(field: str, text: str) -> int:
    """A field's value by its text; ``field_text`` writes it. Raises ValueError.

    >>> hex(parse_value("mark", "0x4000")), parse_value("protocol", "tcp")
    ('0x4000', 6)
    """
    if field in ADDRESSES:
        return Address.parse(text).value
    match field:
        case "iif" | "oif":
            if len(text.encode("utf-8", "surrogateescape")) >= NAME_BYTES:
                raise ValueError(f"“{text}” is longer than {NAME_BYTES - 1} bytes")
            return interface_word(text)
        case "protocol" | "ct_protocol":
            return _protocol(text)
        case "tcp_flags":
            return _bits(text, TCP_FLAGS)
        case "ct_status":
            return _bits(text, STATUS_BITS)
        case "ct_state":
            return _one_of(text, STATE_BITS)
        case "ct_reply":
            return _one_of(text, _DIRECTIONS)
        case "snat_done" | "dnat_done":
            return int(_one_of(text, _ANSWERS))
        case "packet_type" if not text.isdecimal():
            return _one_of(text, PACKET_TYPES)
        case "mac_source" if ":" in text:
            return _mac(text)
        case _:
            return parse_integer(text, (1 << WIDTHS[field]) - 1)


def _has(field: str, fields: Mapping[str, int]) -> bool:
    """Whether packets of this protocol have the field."""
    protocol = fields["protocol"]
    match field:
        case "sport" | "dport":
            return protocol in WITH_PORTS
        case "tcp_flags":
            return protocol == PROTOCOLS["tcp"]
        case "icmp_type" | "icmp_code":
            return protocol in ICMP_OF.values()
        case _:
            return True


def _protocol(value: str) -> int:
    if value.lower() in PROTOCOLS:
        return PROTOCOLS[value.lower()]
    try:
        return parse_integer(value, 255)
    except ValueError:
        names = ", ".join(name for name in PROTOCOLS if name != "ipv4")
        raise ValueError(f"“{value}” is not a number up to 255 and not one of {names}") from None


def _mac(value: str) -> int:
    if not re.fullmatch(r"(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}", value):
        raise ValueError(f"“{value}” is not six bytes such as 02:00:00:00:00:01")
    return int(value.replace(":", ""), 16)


def _fraction(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1
    if not 0 <= number < 1:
        raise ValueError(f"“{value}” is not a number from 0 to less than 1")
    return number


def _one_of(value: str, known: Mapping[str, int]) -> int:
    if value.lower() not in known:
        raise ValueError(f"“{value}” is not one of {', '.join(known)}")
    return known[value.lower()]


def _bits(value: str, known: Mapping[str, int]) -> int:
    if value == "none":
        return 0
    found = 0
    for name in value.split(","):
        if name.lower() not in known:
            raise ValueError(f"“{name}” is not one of {', '.join(known)}, none")
        found |= known[name.lower()]
    return found


def _names(value: int, known: Mapping[str, int]) -> str:
    return ",".join(name for name, bit in known.items() if value & bit) or "none"


def _name_of(value: int, known: Mapping[str, int]) -> str:
    return next((name for name, number in known.items() if number == value), str(value))


def _all_keys() -> str:
    return ", ".join(_KNOWN)
