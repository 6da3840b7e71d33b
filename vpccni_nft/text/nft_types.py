"""What the words of an nft rule mean: data types, by the expression before the word.

Names become what the serializer writes, so that a rule is the same object however it is spelt:
ICMP types, DSCP classes and services become numbers, marks hexadecimal, protocols their numbers.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import attrs

from ..core.values import Address, Family, parse_integer
from ..iptables.protocols import parse_protocol
from ..nft import expressions as x

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Read = Callable[[str], x.Expression]


@attrs.frozen
class DataType:
    """How a word is read."""

    name: str  #: nft's name, empty where a set cannot have this type
    read: Read = attrs.field(repr=False)
    is_mask: bool = False  #: a value is some of several flags
    quoted: bool = False  #: a value may stand in quotes


# --- readers ------------------------------------------------------------------------------------


def _or_range(read: Read) -> Read:
    """Take LOW-HIGH, too. Names have dashes of their own, so the whole word is tried first."""

    def read_range(text: str) -> x.Expression:
        try:
            return read(text)
        except ValueError:
            low, dash, high = text.partition("-")
            if not dash or not re.match(r"[0-9]", high, re.ASCII):
                raise
            return _range(read(low), read(high))

    return read_range


def _range(low: x.Expression, high: x.Expression) -> x.Range:
    if _order(low) > _order(high):
        raise ValueError("the range ends before it starts")
    return x.Range(low, high)


def _order(end: x.Expression) -> int:
    if isinstance(end, x.Host):
        return end.address.value
    if isinstance(end, x.Protocol):
        return end.number
    assert isinstance(end, x.Number | x.Hex)
    return end.value


def _address(family: Family, text: str) -> x.Expression:
    first, dash, last = text.partition("-")
    if dash:
        return _range(_host(family, first), _host(family, last))
    address, slash, length_text = text.partition("/")
    host = _host(family, address)
    if not slash:
        return host
    length = parse_integer(length_text, family.bits)
    if length == family.bits:
        return host
    shift = family.bits - length
    return x.Prefix(Address(family, host.address.value >> shift << shift), length)


def _host(family: Family, text: str) -> x.Host:
    address = Address.parse(text)
    if address.family is not family:
        raise ValueError(f"“{text}” is not an {family.title} address")
    return x.Host(address)


def _number(bits: int, text: str) -> x.Expression:
    value = parse_integer(text, (1 << bits) - 1)
    return x.Hex(value) if text[:2] in {"0x", "0X"} else x.Number(value)


def _hexadecimal(bits: int, text: str) -> x.Expression:
    return x.Hex(parse_integer(text, (1 << bits) - 1))


def _numbered(names: Mapping[str, int], bits: int, text: str) -> x.Expression:
    """A name or a number becomes a number."""
    value = names.get(text)
    return x.Number(parse_integer(text, (1 << bits) - 1) if value is None else value)


def _named_number(names: Mapping[str, int], bits: int, text: str) -> x.Expression:
    """A name becomes a number; a number stays as it is written."""
    return x.Number(names[text]) if text in names else _number(bits, text)


def _symbol(names: Mapping[str, int], text: str) -> x.Expression:
    """A name or its number becomes the name."""
    if text in names:
        return x.Symbol(text)
    value = parse_integer(text)
    for name, number in names.items():
        if number == value:
            return x.Symbol(name)
    raise ValueError(f"nothing has the number {text} here")


def _flag(names: Mapping[str, int], bits: int, text: str) -> x.Expression:
    """A name, or a number that becomes the names of its bits where all of them have one."""
    if text in names:
        return x.Flags((text,))
    value = parse_integer(text, (1 << bits) - 1)
    found = tuple(name for name, bit in names.items() if value & bit)
    if found and value == sum(names[name] for name in found):
        return x.Flags(found)
    return x.Hex(value)


def _address_type(text: str) -> x.Expression:
    """A type of addresses; some have no name in nft."""
    try:
        return _symbol(_ROUTES, text)
    except ValueError:
        return x.Number(parse_integer(text))


def interface(text: str) -> x.Interface:
    """An interface's name: a star at its end is a wildcard, unless a backslash stands before it."""
    if not text or len(text.encode("utf-8", "surrogateescape")) > 16:
        raise ValueError("an interface's name has 1 to 15 characters")
    if text.endswith("\\*"):
        return x.Interface(f"{text[:-2]}*")
    if text.endswith("*"):
        return x.Interface(text[:-1], wildcard=True)
    return x.Interface(text)


def _interface_or_number(text: str) -> x.Expression:
    return x.Number(parse_integer(text)) if re.fullmatch("[0-9]+", text) else interface(text)


def _class(text: str) -> x.Hex:
    """A class of traffic control: MAJOR:MINOR, a word for two of them, or the whole number."""
    major, colon, minor = {"none": "0:0", "root": "ffff:ffff"}.get(text, text).partition(":")
    if not colon:
        return x.Hex(parse_integer(text, 0xFFFFFFFF))
    if not re.fullmatch(r"[0-9a-f]{1,4}", major) or not re.fullmatch(r"[0-9a-f]{1,4}", minor):
        raise ValueError(f"“{text}” is not a class")
    return x.Hex(int(major, 16) << 16 | int(minor, 16))


def _protocol(text: str) -> x.Expression:
    # nft's own word for what others call ipcomp.
    return x.Protocol(108 if text == "comp" else parse_protocol(text))


def _route(text: str) -> x.Expression:
    return x.Symbol(text) if text in _THERE else _interface_or_number(text)


def _service(text: str) -> x.Expression:
    try:
        return _numbered(_SERVICES, 16, text)
    except ValueError:
        raise ValueError(f"“{text}” is not a port; nft list ruleset prints numbers") from None


def _mac(text: str) -> x.Mac:
    if not re.fullmatch(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", text, re.ASCII):
        raise ValueError(f"“{text}” is not a hardware address")
    return x.Mac(int(text.replace(":", ""), 16))


# --- names (nft describe) -----------------------------------------------------------------------

_ICMP_TYPES = {
    "echo-reply": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5,
    "echo-request": 8, "router-advertisement": 9, "router-solicitation": 10, "time-exceeded": 11,
    "parameter-problem": 12, "timestamp-request": 13, "timestamp-reply": 14, "info-request": 15,
    "info-reply": 16, "address-mask-request": 17, "address-mask-reply": 18,
}  # fmt: skip
_ICMP_CODES = {
    "net-unreachable": 0, "host-unreachable": 1, "prot-unreachable": 2, "port-unreachable": 3,
    "frag-needed": 4, "net-prohibited": 9, "host-prohibited": 10, "admin-prohibited": 13,
}  # fmt: skip
_ICMPV6_TYPES = {
    "destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4,
    "echo-request": 128, "echo-reply": 129, "mld-listener-query": 130, "mld-listener-report": 131,
    "mld-listener-done": 132, "mld-listener-reduction": 132, "nd-router-solicit": 133,
    "nd-router-advert": 134, "nd-neighbor-solicit": 135, "nd-neighbor-advert": 136,
    "nd-redirect": 137, "router-renumbering": 138, "ind-neighbor-solicit": 141,
    "ind-neighbor-advert": 142, "mld2-listener-report": 143,
}  # fmt: skip
_ICMPV6_CODES = {
    "no-route": 0, "admin-prohibited": 1, "addr-unreachable": 3, "port-unreachable": 4,
    "policy-fail": 5, "reject-route": 6,
}  # fmt: skip
_DSCP = {
    "cs0": 0x00, "cs1": 0x08, "cs2": 0x10, "cs3": 0x18, "cs4": 0x20, "cs5": 0x28, "cs6": 0x30,
    "cs7": 0x38, "df": 0x00, "be": 0x00, "lephb": 0x01, "af11": 0x0A, "af12": 0x0C, "af13": 0x0E,
    "af21": 0x12, "af22": 0x14, "af23": 0x16, "af31": 0x1A, "af32": 0x1C, "af33": 0x1E,
    "af41": 0x22, "af42": 0x24, "af43": 0x26, "va": 0x2C, "ef": 0x2E,
}  # fmt: skip
_ECN = {"not-ect": 0, "ect1": 1, "ect0": 2, "ce": 3}
_DCCP_TYPES = {
    "request": 0, "response": 1, "data": 2, "ack": 3, "dataack": 4, "closereq": 5, "close": 6,
    "reset": 7, "sync": 8, "syncack": 9,
}  # fmt: skip
_MOBILITY_TYPES = {
    "binding-refresh-request": 0, "home-test-init": 1, "careof-test-init": 2, "home-test": 3,
    "careof-test": 4, "binding-update": 5, "binding-acknowledgement": 6, "binding-error": 7,
    "fast-binding-update": 8, "fast-binding-acknowledgement": 9, "fast-binding-advertisement": 10,
    "experimental-mobility-header": 11, "home-agent-switch-message": 12,
}  # fmt: skip
_ROUTES = {
    "unspec": 0, "unicast": 1, "local": 2, "broadcast": 3, "anycast": 4, "multicast": 5,
    "blackhole": 6, "unreachable": 7, "prohibit": 8,
}  # fmt: skip
_PACKETS = {"host": 0, "unicast": 0, "broadcast": 1, "multicast": 2, "other": 3}
_ETHER = {"ip": 0x0800, "arp": 0x0806, "ip6": 0x86DD, "8021q": 0x8100, "8021ad": 0x88A8}
_FAMILIES = {"ipv4": 2, "ipv6": 10}
_DIRECTIONS = {"original": 0, "reply": 1}
_THERE = {"missing": 0, "exists": 1}
_STATES = {"invalid": 0x01, "established": 0x02, "related": 0x04, "new": 0x08, "untracked": 0x40}
_STATUSES = {
    "expected": 0x001, "seen-reply": 0x002, "assured": 0x004, "confirmed": 0x008, "snat": 0x010,
    "dnat": 0x020, "dying": 0x200,
}  # fmt: skip
_TCP_FLAGS = {
    "fin": 0x01, "syn": 0x02, "rst": 0x04, "psh": 0x08, "ack": 0x10, "urg": 0x20, "ecn": 0x40,
    "cwr": 0x80,
}  # fmt: skip

#: nft asks the host for names of services; these are the same on all of them (IANA).
_SERVICES = {
    "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "bootps": 67,
    "bootpc": 68, "tftp": 69, "http": 80, "kerberos": 88, "pop3": 110, "sunrpc": 111, "ntp": 123,
    "imap2": 143, "snmp": 161, "bgp": 179, "ldap": 389, "https": 443, "submission": 587,
    "ldaps": 636, "imaps": 993, "pop3s": 995, "nfs": 2049, "mysql": 3306, "postgresql": 5432,
}  # fmt: skip

#: By protocol of a ``reject``: the reasons, by name.
REASONS: Mapping[str, Mapping[str, int]] = {"icmp": _ICMP_CODES, "icmpv6": _ICMPV6_CODES}

# --- types --------------------------------------------------------------------------------------

ADDRESS = {
    Family.IP: DataType("ipv4_addr", partial(_address, Family.IP)),
    Family.IP6: DataType("ipv6_addr", partial(_address, Family.IP6)),
}
PROTOCOL = DataType("inet_proto", _or_range(_protocol))
PORT = DataType("inet_service", _or_range(_service))
MARK = DataType("mark", _or_range(partial(_hexadecimal, 32)))
CLASS = DataType("classid", _class)
INTERFACE = DataType("ifname", interface, quoted=True)
ETHER = DataType("ether_type", partial(_symbol, _ETHER))
_MAC = DataType("ether_addr", _mac)

_NAMED = (
    *ADDRESS.values(), PROTOCOL, PORT, MARK, INTERFACE, ETHER, _MAC,
    DataType("iface_index", _interface_or_number, quoted=True),
    DataType("icmp_type", _or_range(partial(_numbered, _ICMP_TYPES, 8))),
    DataType("icmp_code", _or_range(partial(_numbered, _ICMP_CODES, 8))),
    DataType("icmpv6_type", _or_range(partial(_numbered, _ICMPV6_TYPES, 8))),
    DataType("icmpv6_code", _or_range(partial(_numbered, _ICMPV6_CODES, 8))),
    DataType("dscp", _or_range(partial(_numbered, _DSCP, 6))),
    DataType("fib_addrtype", _address_type),
    DataType("pkt_type", partial(_symbol, _PACKETS)),
    DataType("nf_proto", partial(_symbol, _FAMILIES)),
    DataType("ct_dir", partial(_symbol, _DIRECTIONS)),
    DataType("ct_state", partial(_flag, _STATES, 32), is_mask=True),
    DataType("ct_status", partial(_flag, _STATUSES, 32), is_mask=True),
    DataType("tcp_flag", partial(_flag, _TCP_FLAGS, 8), is_mask=True),
)  # fmt: skip

#: The types that a set can be declared with.
TYPES: Mapping[str, DataType] = {type_.name: type_ for type_ in _NAMED}

#: Whether something is there.
PRESENCE = DataType("", partial(_symbol, _THERE))
#: Where a route leads, or whether there is one.
ROUTE = DataType("", _route, quoted=True)


def _time_or_range(read: Read, text: str) -> x.Expression:
    """Take what stands in two pairs of quotes, LOW..HIGH, and plain numbers LOW-HIGH."""
    low, dots, high = text.partition("..")
    return _range(read(low), read(high)) if dots else _or_range(read)(text)


def _hour(text: str) -> x.Number:
    """Seconds of the day; nft lists them in the zone of the reader, which is taken for UTC."""
    if not (found := re.fullmatch(r"(\d\d):(\d\d)(?::(\d\d))?", text, re.ASCII)):
        return x.Number(parse_integer(text, 86400))
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return x.Number((hours * 60 + minutes) * 60 + seconds)


def _moment(text: str) -> x.Number:
    """Seconds of the epoch; nft lists them in the zone of the reader, which is taken for UTC."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", text, re.ASCII):
        return x.Number(parse_integer(text, (1 << 64) - 1))
    return x.Number(int(datetime.fromisoformat(f"{text}+00:00").timestamp()))


def _seconds(text: str) -> x.Number:
    """Whole seconds, as one number or in the units that nft lists."""
    found = re.fullmatch(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text, re.ASCII)
    if not found or not text:
        return x.Number(parse_integer(text))
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return x.Number(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _string(text: str) -> x.String:
    if text.endswith("*") and not text.endswith("\\*"):
        raise ValueError("names that begin alike are not read here")
    return x.String(f"{text[:-2]}*" if text.endswith("\\*") else text)


#: Days as numbers from Sunday on.
_DAYS = {
    name: number
    for number, name in enumerate(
        ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
    )
}
STRING = DataType("", _string, quoted=True)
_HOUR = DataType("", partial(_time_or_range, _hour), quoted=True)
_MOMENT = DataType("", partial(_time_or_range, _moment), quoted=True)
_DAY = DataType("day", partial(_numbered, _DAYS, 3), quoted=True)
_GROUP = DataType("", _or_range(partial(_named_number, {"default": 0}, 32)), quoted=True)
_REALM = DataType("", _or_range(partial(_named_number, {"cosmos": 0}, 32)), quoted=True)
_LABEL = DataType("", partial(_numbered, {}, 7), is_mask=True, quoted=True)


def number(bits: int) -> DataType:
    """A number, decimal or hexadecimal as it is written."""
    return DataType("", _or_range(partial(_number, bits)))


#: Offsets of fragments are masked; nft lists the mask in decimal, people write it otherwise.
FRAGMENT_OFFSET = number(16)

_PORTS = {"sport": PORT, "dport": PORT}
_IP4, _IP6 = ADDRESS[Family.IP], ADDRESS[Family.IP6]
_NEXT = {"nexthdr": PROTOCOL, "hdrlength": number(8)}
_ECN_BITS = DataType("", _or_range(partial(_numbered, _ECN, 2)))
_DCCP_TYPE = DataType("", _or_range(partial(_numbered, _DCCP_TYPES, 4)))
_MOBILITY_TYPE = DataType("", _or_range(partial(_numbered, _MOBILITY_TYPES, 8)))

#: Fields of headers.
FIELDS: Mapping[str, Mapping[str, DataType]] = {
    "ether": {"saddr": _MAC, "daddr": _MAC, "type": ETHER},
    "ip": {
        "saddr": _IP4, "daddr": _IP4, "protocol": PROTOCOL, "dscp": TYPES["dscp"],
        "ecn": _ECN_BITS, "length": number(16), "id": number(16), "frag-off": FRAGMENT_OFFSET,
        "ttl": number(8), "checksum": number(16), "version": number(4), "hdrlength": number(4),
    },
    "ip6": {
        "saddr": _IP6, "daddr": _IP6, "nexthdr": PROTOCOL, "dscp": TYPES["dscp"],
        "ecn": _ECN_BITS, "flowlabel": number(20), "length": number(16), "hoplimit": number(8),
        "version": number(4),
    },
    "tcp": _PORTS | {
        "flags": TYPES["tcp_flag"], "sequence": number(32), "ackseq": number(32),
        "doff": number(4), "window": number(16), "checksum": number(16), "urgptr": number(16),
    },
    "udp": _PORTS | {"length": number(16), "checksum": number(16)},
    "udplite": _PORTS | {"checksum": number(16)},
    "sctp": _PORTS | {"vtag": number(32), "checksum": number(32)},
    "dccp": _PORTS | {"type": _DCCP_TYPE},
    "th": _PORTS,
    "icmp": {
        "type": TYPES["icmp_type"], "code": TYPES["icmp_code"], "checksum": number(16),
        "id": number(16), "sequence": number(16), "mtu": number(16),
    },
    "icmpv6": {
        "type": TYPES["icmpv6_type"], "code": TYPES["icmpv6_code"], "checksum": number(16),
        "id": number(16), "sequence": number(16), "mtu": number(32),
        "parameter-problem": number(32), "max-delay": number(16),
    },
    "ah": {
        "nexthdr": PROTOCOL, "hdrlength": number(8), "reserved": number(16), "spi": number(32),
        "sequence": number(32),
    },
    "esp": {"spi": number(32), "sequence": number(32)},
    "comp": {"nexthdr": PROTOCOL, "flags": number(8), "cpi": number(16)},
}  # fmt: skip

#: Fields of IPv6 extension headers.
EXTENSION_FIELDS: Mapping[str, Mapping[str, DataType]] = {
    "frag": {
        "nexthdr": PROTOCOL, "reserved": number(8), "frag-off": number(13),
        "reserved2": number(2), "more-fragments": number(1), "id": number(32),
    },
    "hbh": _NEXT,
    "dst": _NEXT,
    "mh": _NEXT | {"type": _MOBILITY_TYPE, "checksum": number(16)},
    "rt": _NEXT | {"type": number(8), "seg-left": number(8)},
    "srh": {
        "last-entry": number(8), "flags": number(8), "tag": number(16), "sid[1]": _IP6,
        "sid[2]": _IP6,
    },
}  # fmt: skip

#: What ``exthdr`` can ask for.
EXTENSION_HEADERS = frozenset({"frag", "hbh", "dst", "mh", "rt"})

#: Fields of TCP options; those of all of them have no name before them.
_OPTION = {"kind": number(8), "length": number(8)}
TCP_OPTION_FIELDS: Mapping[str, Mapping[str, DataType]] = {
    "": _OPTION,
    "maxseg": _OPTION | {"size": number(16)},
    "window": _OPTION | {"count": number(8)},
    "timestamp": _OPTION | {"tsval": number(32), "tsecr": number(32)},
}

META: Mapping[str, DataType] = {
    "mark": MARK, "iifname": INTERFACE, "oifname": INTERFACE, "iif": TYPES["iface_index"],
    "oif": TYPES["iface_index"], "l4proto": PROTOCOL, "protocol": ETHER,
    "nfproto": TYPES["nf_proto"], "pkttype": TYPES["pkt_type"], "length": number(32),
    "random": number(32), "skuid": number(32), "skgid": number(32), "cpu": number(32),
    "cgroup": number(32), "iifgroup": _GROUP, "oifgroup": _GROUP, "nftrace": number(1),
    "rtclassid": _REALM, "ipsec": PRESENCE, "secpath": PRESENCE, "hour": _HOUR, "day": _DAY,
    "time": _MOMENT,
    "priority": CLASS,
}  # fmt: skip

CT: Mapping[str, DataType] = {
    "state": TYPES["ct_state"], "status": TYPES["ct_status"], "mark": MARK,
    "direction": TYPES["ct_dir"], "zone": number(16), "id": number(32), "bytes": number(64),
    "packets": number(64), "avgpkt": number(64), "protocol": PROTOCOL, "proto-src": PORT,
    "proto-dst": PORT, "l3proto": TYPES["nf_proto"], "ip saddr": _IP4, "ip daddr": _IP4,
    "ip6 saddr": _IP6, "ip6 daddr": _IP6, "label": _LABEL, "helper": STRING,
    "expiration": DataType("", _seconds),
}  # fmt: skip

SOCKET: Mapping[str, DataType] = {"transparent": number(1), "wildcard": number(1), "mark": MARK}
IPSEC: Mapping[str, DataType] = {"reqid": number(32), "spi": number(32)}
#: Keys of ``rt`` that stand in comparisons.
ROUTE_KEYS: Mapping[str, DataType] = {"classid": _REALM, "ipsec": PRESENCE}

FIB: Mapping[str, DataType] = {"type": TYPES["fib_addrtype"], "oif": ROUTE, "oifname": ROUTE}
FIB_FLAGS = frozenset({"saddr", "daddr", "mark", "iif", "oif"})
