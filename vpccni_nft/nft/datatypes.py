"""nft's data types: the bits of a value, and the words that it has for some of them.

As ``nft describe`` prints them. What is read has a key type, a row of data types: one for a field,
several for a concatenation. A literal must fit the key type of what it is compared with.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable


@attrs.frozen
class DataType:
    """What values there are."""

    name: str
    bits: int
    #: The values that have a word.
    words: Mapping[str, int] = attrs.field(factory=dict, eq=False, repr=False)
    #: Whether a value is some of several flags.
    is_mask: bool = attrs.field(default=False, repr=False)
    #: The largest number that nft takes, where that is less than the bits hold.
    largest: int = attrs.field(eq=False, repr=False)

    @largest.default
    def _fill(self) -> int:
        return (1 << self.bits) - 1

    def require_number(self, value: int) -> None:
        """Raise ValueError where a number is none of the values."""
        if value > self.largest:
            limit = f"{self.largest}" if self.bits <= 64 else f"{self.bits} bits"
            raise ValueError(f"{value} is larger than {limit}")

    def require_word(self, word: str) -> None:
        """Raise ValueError where a word is none of the values."""
        if word not in self.words:
            raise ValueError(f"“{word}” is not a known {self.name or 'word'} here")


#: What a field or a concatenation of several has for a value, and what is the key of a set.
KeyType = tuple[DataType, ...]

# --- words --------------------------------------------------------------------------------------

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
_ADDRESS_TYPES = {
    "unspec": 0, "unicast": 1, "local": 2, "broadcast": 3, "anycast": 4, "multicast": 5,
    "blackhole": 6, "unreachable": 7, "prohibit": 8,
}  # fmt: skip
_PACKET_TYPES = {"host": 0, "unicast": 0, "broadcast": 1, "multicast": 2, "other": 3}
_ETHER_TYPES = {
    "ip": 0x0800, "arp": 0x0806, "ip6": 0x86DD, "8021q": 0x8100, "8021ad": 0x88A8, "vlan": 0x8100,
}  # fmt: skip
_STATES = {"invalid": 0x01, "established": 0x02, "related": 0x04, "new": 0x08, "untracked": 0x40}
_STATUSES = {
    "expected": 0x001, "seen-reply": 0x002, "assured": 0x004, "confirmed": 0x008, "snat": 0x010,
    "dnat": 0x020, "seq-adjust": 0x040, "snat-done": 0x080, "dnat-done": 0x100, "dying": 0x200,
}  # fmt: skip
_EVENTS = {
    "new": 0x001, "related": 0x002, "destroy": 0x004, "reply": 0x008, "assured": 0x010,
    "protoinfo": 0x020, "helper": 0x040, "mark": 0x080, "seqadj": 0x100, "secmark": 0x200,
    "label": 0x400,
}  # fmt: skip
_MPTCP = {
    "mp-capable": 0, "mp-join": 1, "dss": 2, "add-addr": 3, "remove-addr": 4, "mp-prio": 5,
    "mp-fail": 6, "mp-fastclose": 7, "mp-tcprst": 8,
}  # fmt: skip
_TCP_FLAGS = {
    "fin": 0x01, "syn": 0x02, "rst": 0x04, "psh": 0x08, "ack": 0x10, "urg": 0x20, "ecn": 0x40,
    "cwr": 0x80,
}  # fmt: skip
_INTERFACE_TYPES = {
    "ether": 1, "ppp": 512, "ipip": 768, "ipip6": 769, "loopback": 772, "sit": 776, "ipgre": 778,
}  # fmt: skip
_IGMP_TYPES = {
    "membership-query": 17, "membership-report-v1": 18, "membership-report-v2": 22,
    "leave-group": 23, "membership-report-v3": 34,
}  # fmt: skip
_PRESENCE = {"missing": 0, "exists": 1}
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

#: nft asks the host for names of services; these are the same on all of them (IANA).
_SERVICES = {
    "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "bootps": 67,
    "bootpc": 68, "tftp": 69, "http": 80, "kerberos": 88, "pop3": 110, "sunrpc": 111, "ntp": 123,
    "imap2": 143, "snmp": 161, "bgp": 179, "ldap": 389, "https": 443, "submission": 587,
    "ldaps": 636, "imaps": 993, "pop3s": 995, "nfs": 2049, "mysql": 3306, "postgresql": 5432,
}  # fmt: skip

# --- types --------------------------------------------------------------------------------------

#: Bits of an interface's name (IFNAMSIZ), and of other names as they are compared here.
NAME_BITS = 128

IPV4_ADDR = DataType("ipv4_addr", 32)
IPV6_ADDR = DataType("ipv6_addr", 128)
ETHER_ADDR = DataType("ether_addr", 48)
ETHER_TYPE = DataType("ether_type", 16, _ETHER_TYPES)
INET_PROTO = DataType("inet_proto", 8)
INET_SERVICE = DataType("inet_service", 16, _SERVICES)
MARK = DataType("mark", 32)
CLASSID = DataType("classid", 32)
REALM = DataType("realm", 32, {"cosmos": 0})
DEVGROUP = DataType("devgroup", 32, {"default": 0})
IFNAME = DataType("ifname", NAME_BITS)
IFACE_INDEX = DataType("iface_index", 32)
IFACE_TYPE = DataType("iface_type", 16, _INTERFACE_TYPES)
IGMP_TYPE = DataType("igmp_type", 8, _IGMP_TYPES)
ICMP_TYPE = DataType("icmp_type", 8, _ICMP_TYPES)
ICMP_CODE = DataType("icmp_code", 8, _ICMP_CODES)
ICMPV6_TYPE = DataType("icmpv6_type", 8, _ICMPV6_TYPES)
ICMPV6_CODE = DataType("icmpv6_code", 8, _ICMPV6_CODES)
DSCP = DataType("dscp", 6, _DSCP)
ECN = DataType("ecn", 2, {"not-ect": 0, "ect1": 1, "ect0": 2, "ce": 3})
MPTCP_SUBTYPE = DataType("mptcp_suboption", 4, _MPTCP)
DCCP_TYPE = DataType("dccp_pkttype", 4, _DCCP_TYPES)
MH_TYPE = DataType("mh_type", 8, _MOBILITY_TYPES)
FIB_ADDRTYPE = DataType("fib_addrtype", 32, _ADDRESS_TYPES)
PKT_TYPE = DataType("pkt_type", 8, _PACKET_TYPES)
NF_PROTO = DataType("nf_proto", 8, {"ipv4": 2, "ipv6": 10})
CT_DIR = DataType("ct_dir", 8, {"original": 0, "reply": 1})
CT_STATE = DataType("ct_state", 32, _STATES, is_mask=True)
CT_EVENT = DataType("ct_event", 32, _EVENTS, is_mask=True)
CT_STATUS = DataType("ct_status", 32, _STATUSES, is_mask=True)
TCP_FLAG = DataType("tcp_flag", 8, _TCP_FLAGS, is_mask=True)
#: A literal is the number of a bit.
CT_LABEL = DataType("ct_label", 128, is_mask=True, largest=127)
HOUR = DataType("hour", 32, largest=24 * 60 * 60)
DAY = DataType("day", 8, {name: number for number, name in enumerate(_DAYS)}, largest=6)
TIME = DataType("time", 64)
#: A stretch of time, in seconds here.
DURATION = DataType("duration", 64)
#: Whether something is there.
BOOLEAN = DataType("boolean", 1, _PRESENCE)
#: The interface that a route leads to, or whether there is one.
ROUTE = DataType("route", NAME_BITS, _PRESENCE)
#: A name in quotes: of a conntrack helper, of a system.
STRING = DataType("string", NAME_BITS)
#: What a map of verdicts holds.
VERDICT = DataType("verdict", 0)


@cache
def integer(bits: int) -> DataType:
    """Numbers of so many bits."""
    return DataType("integer", bits)


#: The types that a set can be declared with, by name.
DECLARED: Mapping[str, DataType] = {
    type_.name: type_
    for type_ in (
        IPV4_ADDR, IPV6_ADDR, ETHER_ADDR, ETHER_TYPE, INET_PROTO, INET_SERVICE, MARK, IFNAME,
        IFACE_INDEX, ICMP_TYPE, ICMP_CODE, ICMPV6_TYPE, ICMPV6_CODE, DSCP, FIB_ADDRTYPE, PKT_TYPE,
        NF_PROTO, CT_DIR, CT_STATE, CT_STATUS, TCP_FLAG, DAY, HOUR, CLASSID, REALM, DEVGROUP,
        IFACE_TYPE, IGMP_TYPE, DCCP_TYPE, MH_TYPE, ECN,
    )
}  # fmt: skip

_SEPARATOR = " . "


def key_type(declared: str | Iterable[DataType]) -> KeyType:
    """The type of a set's keys, or of a map's values, from how it is declared.

    >>> [type_.bits for type_ in key_type("ipv4_addr . inet_service")]
    [32, 16]
    """
    return _parse(declared) if isinstance(declared, str) else _require_declared(tuple(declared))


def declaration(found: KeyType) -> str:
    """How a key type is written.

    >>> declaration((IPV4_ADDR, INET_SERVICE))
    'ipv4_addr . inet_service'
    """
    return _SEPARATOR.join(type_.name for type_ in found)


@lru_cache(maxsize=1024)
def _parse(text: str) -> KeyType:
    if text == VERDICT.name:
        return (VERDICT,)
    names = text.split(_SEPARATOR)
    for name in names:
        if name not in DECLARED:
            raise ValueError(f"“{name}” is not a type of sets")
    return tuple(DECLARED[name] for name in names)


def _require_declared(found: KeyType) -> KeyType:
    if not found:
        raise ValueError("a key has at least one part")
    return found


def unnamed(key: KeyType) -> DataType | None:
    """A type that no set can be declared with by its name, but by what has it: ``typeof``."""
    known = (DECLARED.get(type_.name) == type_ or type_ is VERDICT for type_ in key)
    return next((type_ for type_, is_known in zip(key, known, strict=True) if not is_known), None)
