"""The words of nft's closed sets: hooks, keys, flags, units.

Each set is an enum whose members are strings, so that a word compares, hashes and prints as it is
written; a field of a node takes either, and a word that its set lacks is a ValueError.
"""

from __future__ import annotations

from enum import EnumType, StrEnum
from typing import Any


class _WordType(EnumType):
    """Looks a word up without the detours that EnumType makes: nodes are made by the thousand."""

    def __call__(cls, value: Any, *_: Any, **__: Any) -> Any:
        found = cls._value2member_map_.get(value)
        if found is None:
            known = ", ".join(str(word) or "nothing" for word in cls._value2member_map_)
            raise ValueError(f"“{value}” is none of {known}")
        return found

    def __contains__(cls, value: object) -> bool:
        """Whether it is one of the words, as from Python 3.12 on."""
        return value in cls._value2member_map_


class Word(StrEnum, metaclass=_WordType):
    """A word of a closed set."""

    def __repr__(self) -> str:
        return repr(self.value)


# --- chains -------------------------------------------------------------------------------------


class OtherFamily(Word):
    """The families of tables whose rules are not read."""

    BRIDGE = "bridge"
    ARP = "arp"
    NETDEV = "netdev"


class HookName(Word):
    """The hooks of base chains whose rules are read."""

    PREROUTING = "prerouting"
    INPUT = "input"
    FORWARD = "forward"
    OUTPUT = "output"
    POSTROUTING = "postrouting"
    INGRESS = "ingress"  #: of a device, ahead of all others; in tables of the family inet


class ObjectKind(Word):
    """The kinds of objects that rules name beside counters."""

    LIMIT = "limit"
    QUOTA = "quota"
    SYNPROXY = "synproxy"
    CT_HELPER = "ct helper"
    CT_TIMEOUT = "ct timeout"
    CT_EXPECTATION = "ct expectation"
    FLOWTABLE = "flowtable"


class TableFlag(Word):
    """What a table is beside its objects."""

    DORMANT = "dormant"  #: its base chains are not called
    OWNER = "owner"  #: only the program that made it changes it
    PERSIST = "persist"  #: it stays when that program ends


class ChainType(Word):
    """What a base chain does besides filtering."""

    FILTER = "filter"
    NAT = "nat"  #: sees the first packet of a connection and binds it
    ROUTE = "route"  #: looks the route up again where the packet changed


#: The hooks that each type of chains can have (nf_tables_api.c, nft_chain_parse_hook).
HOOKS_OF_TYPE = {
    ChainType.FILTER: frozenset(HookName),
    ChainType.NAT: frozenset(HookName) - {HookName.FORWARD, HookName.INGRESS},
    ChainType.ROUTE: frozenset({HookName.OUTPUT}),
}


class Policy(Word):
    """What becomes of a packet that no rule of a base chain decided."""

    ACCEPT = "accept"
    DROP = "drop"


# --- sets ---------------------------------------------------------------------------------------


class SetPolicy(Word):
    """What the kernel chooses the form of a set by."""

    PERFORMANCE = "performance"
    MEMORY = "memory"


class SetFlag(Word):
    """What a set can do."""

    CONSTANT = "constant"
    DYNAMIC = "dynamic"  #: rules change it
    INTERVAL = "interval"  #: its elements may be ranges
    TIMEOUT = "timeout"  #: its elements may leave after a time


class SetOperation(Word):
    """What a rule does to an element of a set."""

    ADD = "add"
    UPDATE = "update"  #: adds it, or begins its timeout anew
    DELETE = "delete"


# --- expressions --------------------------------------------------------------------------------


class MetaKey(Word):
    """What the kernel knows about a packet."""

    MARK = "mark"
    IIF = "iif"
    OIF = "oif"
    IIFNAME = "iifname"
    OIFNAME = "oifname"
    IIFGROUP = "iifgroup"
    OIFGROUP = "oifgroup"
    L4PROTO = "l4proto"
    PROTOCOL = "protocol"
    NFPROTO = "nfproto"
    PKTTYPE = "pkttype"
    LENGTH = "length"
    RANDOM = "random"
    SKUID = "skuid"
    SKGID = "skgid"
    CPU = "cpu"
    CGROUP = "cgroup"
    NFTRACE = "nftrace"
    RTCLASSID = "rtclassid"
    IPSEC = "ipsec"  #: ``secpath`` is an older word for it
    HOUR = "hour"
    DAY = "day"
    TIME = "time"
    PRIORITY = "priority"
    IIFTYPE = "iiftype"
    OIFTYPE = "oiftype"
    SDIF = "sdif"
    SDIFNAME = "sdifname"


class CtKey(Word):
    """What the kernel knows about a connection."""

    STATE = "state"
    STATUS = "status"
    MARK = "mark"
    DIRECTION = "direction"
    ZONE = "zone"
    ID = "id"
    BYTES = "bytes"
    PACKETS = "packets"
    AVGPKT = "avgpkt"
    PROTOCOL = "protocol"
    L3PROTO = "l3proto"
    PROTO_SRC = "proto-src"
    PROTO_DST = "proto-dst"
    IP_SADDR = "ip saddr"
    IP_DADDR = "ip daddr"
    IP6_SADDR = "ip6 saddr"
    IP6_DADDR = "ip6 daddr"
    LABEL = "label"
    HELPER = "helper"
    EXPIRATION = "expiration"
    EVENT = "event"  #: what programs are told of it; is set alone


class Direction(Word):
    """The side of a connection that sends a packet."""

    EITHER = ""
    ORIGINAL = "original"
    REPLY = "reply"


class PayloadBase(Word):
    """Where the bits of a packet are counted from."""

    LINK = "ll"
    NETWORK = "nh"
    TRANSPORT = "th"
    INNER = "ih"  #: what is behind the transport header


class FibFlag(Word):
    """The keys of a fib lookup."""

    SADDR = "saddr"
    DADDR = "daddr"
    MARK = "mark"
    IIF = "iif"
    OIF = "oif"


class FibResult(Word):
    """The result of a fib lookup."""

    TYPE = "type"
    OIF = "oif"
    OIFNAME = "oifname"


class RtKey(Word):
    """What a packet's route says."""

    CLASSID = "classid"
    MTU = "mtu"  #: the largest TCP segment that fits the path
    IP_NEXTHOP = "ip nexthop"
    IP6_NEXTHOP = "ip6 nexthop"
    IPSEC = "ipsec"


class SocketKey(Word):
    """What a packet's socket says."""

    TRANSPARENT = "transparent"
    WILDCARD = "wildcard"
    MARK = "mark"


class IpsecDirection(Word):
    """Whether a transformation is behind the packet or before it."""

    IN = "in"
    OUT = "out"


class IpsecKey(Word):
    """What identifies a transformation."""

    REQID = "reqid"
    SPI = "spi"
    IP_SADDR = "ip saddr"
    IP_DADDR = "ip daddr"
    IP6_SADDR = "ip6 saddr"
    IP6_DADDR = "ip6 daddr"


class OsfKey(Word):
    """What is asked of a system."""

    NAME = "name"
    VERSION = "version"  #: with the name: ``Linux:3.0``


class Tunnel(Word):
    """A header that other headers are inside."""

    VXLAN = "vxlan"
    GENEVE = "geneve"
    GRE = "gre"
    GRETAP = "gretap"


class OsfTtl(Word):
    """How a TTL is compared with that of a system."""

    EXACT = ""
    LOOSE = "loose"
    SKIP = "skip"


class NumgenMode(Word):
    """How the next number is found."""

    INC = "inc"
    RANDOM = "random"


class BitOperator(Word):
    """How two values become one, bit by bit, or how far one is shifted."""

    LEFT = "<<"
    RIGHT = ">>"
    AND = "&"
    XOR = "^"
    OR = "|"

    @property
    def binding(self) -> int:
        """How close it binds: of several operators, the one with the larger number goes first."""
        return _BINDINGS[self]

    @property
    def is_shift(self) -> bool:
        """Whether the number behind it is one of places, not of bits."""
        return self in _SHIFTS


_SHIFTS = frozenset({BitOperator.LEFT, BitOperator.RIGHT})
_BINDINGS = {
    BitOperator.LEFT: 4, BitOperator.RIGHT: 4, BitOperator.AND: 3, BitOperator.XOR: 2,
    BitOperator.OR: 1,
}  # fmt: skip


class Operator(Word):
    """How a value is compared."""

    EQ = "=="
    NE = "!="
    LT = "<"
    GT = ">"
    LE = "<="
    GE = ">="
    SOME = "in"  #: some of these bits are set
    NONE = "!"  #: none of these bits is set

    @property
    def is_order(self) -> bool:
        """Whether it compares which value is larger."""
        return self in _ORDERS


_ORDERS = frozenset({Operator.LT, Operator.GT, Operator.LE, Operator.GE})

# --- statements ---------------------------------------------------------------------------------


class Period(Word):
    """The time that a rate is counted over."""

    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


class LimitUnit(Word):
    """What a rate counts."""

    PACKETS = "packets"
    BYTES = "bytes"


class NatKind(Word):
    """What of a connection is bound, and to what."""

    SNAT = "snat"
    DNAT = "dnat"
    MASQUERADE = "masquerade"
    REDIRECT = "redirect"


class NatFlag(Word):
    """How an address or a port is chosen."""

    RANDOM = "random"
    FULLY_RANDOM = "fully-random"
    PERSISTENT = "persistent"


class RejectProtocol(Word):
    """The protocol of the answer to the sender of a rejected packet."""

    ICMP = "icmp"
    ICMPV6 = "icmpv6"
    ICMPX = "icmpx"  #: of a table of the family inet: for packets of either family
    TCP = "tcp"


class LogLevel(Word):
    """The level of a line in the kernel's log."""

    WARN = ""  #: the kernel's own choice, which nft does not list
    EMERG = "emerg"
    ALERT = "alert"
    CRIT = "crit"
    ERR = "err"
    NOTICE = "notice"
    INFO = "info"
    DEBUG = "debug"
    AUDIT = "audit"  #: no line, but a record of the audit system


class LogFlag(Word):
    """What else a line in the log says."""

    TCP_SEQUENCE = "tcp sequence"
    TCP_OPTIONS = "tcp options"
    IP_OPTIONS = "ip options"
    SKUID = "skuid"
    ETHER = "ether"


class QueueFlag(Word):
    """What becomes of packets that no program takes, and which queue they go to."""

    BYPASS = "bypass"
    FANOUT = "fanout"


class SynproxyFlag(Word):
    """TCP options that the proxy offers."""

    TIMESTAMP = "timestamp"
    SACK_PERM = "sack-perm"
