"""What a meaning asks of the world beside the packet: each question, and how a reader sees it.

An oracle is what is asked, of which object, with which parameters: never a text that is put
together in one place and taken apart in another. Two meanings get one answer exactly where their
oracles and their arguments are equal. ``str`` of an oracle is for readers alone.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Hashable


class OracleKind(enum.Enum):
    """What is asked. The value is the sentence: ``object`` and the parameters stand in braces."""

    # Routes and addresses: the arguments are the address and the interface (and the mark).
    FIB_TYPE = "fib type"
    ROUTE_TYPE = "route is {object}"  #: whether a route has this type, for IPv6's addrtype
    ROUTE_BACK = "route back"
    ROUTE_BACK_TO_ITSELF = "route back to itself"
    HAS_ROUTE = "has a route"
    NEXT_HOP = "next hop"
    ROUTE = "route"  #: of a packet: by a device, to the node itself, or none
    ROUTE_DEVICE = "device of the route"
    ROUTE_REALM = "realm of the route"
    DEVICE_GROUP = "group of the device"
    SOCKET_FIELD = "{object} of the socket that the packet goes to"
    WHOLE_LENGTH = "length of what its fragments make"
    FORWARDED_PRIORITY = "priority of what is forwarded"
    PATH_SEGMENT = "largest segment on the path"
    PRIMARY_ADDRESS = "primary address"
    CHOSEN_ADDRESS = "address of {0}-{1}"  #: which address of a range NAT takes
    CHOSEN_PORT = "port of {0}-{1}"
    FREE_PORT = "source port that NAT leaves"  #: another one where the packet's own is taken
    MAPPED_PREFIX = "npt {0} {1}"

    # Chance, counters and limits: the object is the place, or the set that keeps them.
    RANDOM = "random at {object}"  #: 31 bits
    NUMBER_BELOW = "number below {0} at {object}"
    COUNTER = "counter of {0} at {object}"
    WITHIN = "within {0} at {object}"
    WITHIN_OF_SET = "within {0} of {object}"
    CONNECTIONS = "connections at {object}"
    ESTIMATE = "the estimate at {object} fits {0}"

    # Sets: the object is the set.
    MEMBER = "member of {object}"  #: of a recent list, with the age that is young enough
    ELEMENT_STAYS = "an element with {0} ms left is still there"
    MEMBER_AFTER = "member of {object} after {0}"  #: after a chain, or after old ones were reaped
    MEMBER_COUNTED = "{0}"  #: whether an element of an ipset has the counters that are looked for
    MEMBER_COUNTED_HERE = "{0} at {object}"
    RECENT_SEEN = "seen {0} in {object}"  #: and with the age that is young enough
    RECENT_LISTED = "listed all the same in {object}"

    # Bytes of the packet that are no field of the model.
    HEADER_FIELD = "{object}"
    NETWORK_BYTE = "byte {object} from the network header on"
    TRANSPORT_BYTE = "byte {object} from the transport header on"
    FRAGMENT_BYTE = "byte {object} of a further fragment"
    NETWORK_LENGTH = "bytes from the network header on"
    TRANSPORT_LENGTH = "bytes from the transport header on"
    BITS_FURTHER_ON = "bits network further on"
    HAS_BITS_FURTHER_ON = "has bits network further on"
    HAS_EXTENSION_HEADER = "exthdr {object}"
    HAS_OPTIONS = "{object} options {0}"  #: of a header of options
    BEHIND_AH = "behind ah"
    HAS_TCP_OPTION = "tcp option {0}"
    HAS_TCP_OPTION_FIELD = "has tcp option {0} {1}"
    TCP_OPTION_FIELD = "tcp option {0} {1}"
    HAS_IP_OPTION = "has ip option {0} {1}"
    IP_OPTION_FIELD = "ip option {0} {1}"
    HAS_SCTP_CHUNK = "has sctp chunk {0} {1}"
    SCTP_CHUNK_FIELD = "sctp chunk {0} {1}"
    HAS_DCCP_OPTION = "dccp option {0}"
    SCTP_CHUNKS = "sctp chunks {0} {1}"
    ROUTING_ADDRESSES = "rt has {0} in this order"
    PREVIOUS_SEGMENT = "previous segment"
    NEXT_SEGMENT = "next segment"
    HAS_TEXT = "text {0!r}{1} in {2}-{3} by {4}"
    BPF = "bpf {0} {1}"
    SYSTEM = "system"  #: the operating system by a SYN packet
    SYSTEM_VERSION = "system and version {0}"
    SYSTEM_BY_TTL = "system {0}"
    LOOKS_LIKE_SYSTEM = "looks like {0} by the TTL {1}"
    SOURCE_IS_EUI64 = "the source is made of the MAC address"
    INTERFACE_TYPE = "type of the interface"
    CAME_BY_ETHERNET = "came by Ethernet"

    # Hashes: functions of the arguments.
    JHASH = "jhash mod {0} seed {1}"
    SYMMETRIC_HASH = "symhash mod {0}"
    HASH_MARK = "hash mark {0}"
    HAS_HASH_MARK = "has hash mark {0}"
    CLUSTER_IS_OURS = "cluster {0} {1} {2} {3}"

    # Time.
    EPOCH_SECOND = "second of the epoch"
    SECOND_OF_DAY = "second of the day"
    DAY_OF_WEEK = "day of the week"
    DAY_OF_MONTH = "day of the month {0} days ago"

    # Sockets, and what serves the packet.
    SOCKET_OF_NO_PROGRAM = "has a socket of no program"
    SOCKET_IS_OPEN = "the socket is open"
    SOCKET_IS_FOUND = "a socket is found"
    SOCKET_IS_FULL = "the socket is full"
    SOCKET_IS_TRANSPARENT = "the socket is transparent"
    SOCKET_IS_WILDCARD = "the socket is for any address"
    SOCKET_MARK = "mark of the socket"
    TRANSPARENT_SOCKET = "transparent socket for {0} {1}"
    OTHER_GROUP = "some other group is in {0}"
    CONTROL_GROUP = "is in the control group {object}"
    VIRTUAL_SERVICE = "is of the virtual service {0}"
    QUEUE_DROPS = "queue {0}-{1} drops"

    # What was given anew: the object is ROUTE or SOCKET.
    GIVEN_ANEW = "{0} of {object}, since another one was given"

    # Connections and transformations.
    TRANSFORMATIONS = "transformations {object}"
    TRANSFORMATION = "{0} of transformation {1} {object}"
    TRANSFORMATION_HAS = "transformation {1} {object} has {0}"
    TRAFFIC = "{0} of {object}"  #: packets, bytes or their mean, of a direction
    LABELS_ARE_KEPT = "the connection keeps labels"
    HELPER_FORESAW = "a helper foresaw the connection"
    CONNECTION_IS_ATTACHED = "the packet was made with its connection"
    IS_LOOPED_BACK = "the node hears what it has sent itself"
    CONNECTION_NUMBER = "number of the connection"
    MASTER_HELPER = "helper of the master"
    TEMPLATE = "{object} of the template"  #: which other packets may have changed
    SECONDS_LEFT = "seconds left"


#: What draws a random number.
DRAWS = frozenset({OracleKind.RANDOM, OracleKind.NUMBER_BELOW})

#: What draws a random number, or counts in turn.
CHOICES = DRAWS | {OracleKind.COUNTER}


@attrs.frozen(cache_hash=True)
class Position:
    """Where a match or statement stands, so that its draws and counts are its own."""

    table: str  #: as iptables calls it; no two tables of a side and family have it
    chain: str
    number: int  #: among the matches of the chain that draw or count, or that of the rule
    match: int | None = None  #: the number in the rule, of matches that neither draw nor count

    def __str__(self) -> str:
        if self.match is None:
            return f"{self.chain} draw {self.number}"
        return f"{self.chain} rule {self.number} match {self.match}"


@attrs.frozen(cache_hash=True)
class Oracle:
    """A question to the world, but for its arguments, which are words of the packet."""

    kind: OracleKind
    object: Hashable = ""  #: what it is about: a set, a place, a header's field, ...
    parameters: tuple[Hashable, ...] = ()

    def __str__(self) -> str:
        return self.kind.value.format(*self.parameters, object=self.object)

    @property
    def topic(self) -> str:
        """What it is about, where many oracles of a kind are summed up."""
        return _TOPICS.get(self.kind) or str(self)


#: The set that the labels of the packet's connection are.
LABELS = "labels of the connection"

#: What the packet is given anew on its way through a hook. What is known of it is asked for with
#: what has happened to it so far, as of every object that keeps state.
ROUTE, SOCKET, OPTIONS_OF_TCP = "the packet's route", "the packet's socket", "the options of TCP"

#: What is given without a look at what was given before.
GIVEN = frozenset({ROUTE, SOCKET, OPTIONS_OF_TCP})

#: The fields that a route is looked up by, beside the address and the mark (nft_fib_ipv4.c,
#: nft_fib_ipv6.c, ipt_rpfilter.c): rules of routing may hang on them.
ROUTE_KEY = ("saddr", "daddr", "tos")


#: Bits of how long an element that was listed stays: milliseconds and one; one: for ever.
LISTED_BITS = 64

#: The number of elements that a set that rules fill has room for, where nothing else is said.
USUAL_SIZE = 65535


def _without_usual(size: int | None) -> int | None:
    return None if size == USUAL_SIZE else size


@attrs.frozen(cache_hash=True)
class KeptSet:
    """A set that packets or time change, by all that decides how it does.

    Two sets are one for the world, and for a proof, only where all of this is equal.
    """

    name: str  #: as iptables calls it
    table: str = ""  #: of a set that is not the only one of its name
    timeout: int | None = None  #: seconds that an element stays, unless its rule says otherwise
    #: The most elements, where that is not the usual number.
    size: int | None = attrs.field(default=None, converter=_without_usual)
    #: Whatever else decides what is in it: how the rules of a list look.
    policy: tuple[Hashable, ...] = ()

    def __str__(self) -> str:
        return self.name


@attrs.frozen
class HeaderField:
    """A field of a header, as nft names both."""

    header: str
    field: str

    def __str__(self) -> str:
        return f"{self.header} {self.field}"


@attrs.frozen
class Bound:
    """What may pass: so much in a period, and at once, or in all where there is no period."""

    amount: int
    unit: str = "packets"  #: or ``bytes``
    per: str = ""  #: a period, as nft calls it
    burst: int = 0
    interval: int | None = None  #: seconds over which the rate is measured, if it is

    def __str__(self) -> str:
        if not self.per:
            return f"{self.amount} {self.unit}"
        unit = " bytes" if self.unit == "bytes" else ""
        measured = "" if self.interval is None else f" measured over {self.interval} seconds"
        return f"{self.amount}{unit}/{self.per} burst {self.burst}{measured}"


#: What many oracles of a kind are about, whatever their objects.
_TOPICS = {
    OracleKind.RANDOM: "random numbers",
    OracleKind.NUMBER_BELOW: "random numbers",
    OracleKind.COUNTER: "counters of every nth packet",
    OracleKind.WITHIN: "limits",
    OracleKind.WITHIN_OF_SET: "limits",
    OracleKind.CONNECTIONS: "numbers of connections",
    OracleKind.CHOSEN_ADDRESS: "addresses that NAT takes of a range",
    OracleKind.CHOSEN_PORT: "ports that NAT takes of a range",
    OracleKind.FREE_PORT: "source ports that NAT finds taken",
    OracleKind.NETWORK_BYTE: "bytes of the packet",
    OracleKind.TRANSPORT_BYTE: "bytes of the packet",
    OracleKind.FRAGMENT_BYTE: "bytes of fragments",
    OracleKind.NETWORK_LENGTH: "the packet's length",
    OracleKind.TRANSPORT_LENGTH: "the packet's length",
}


def header_field(header: str, field: str) -> Oracle:
    """The oracle of a header's field."""
    return Oracle(OracleKind.HEADER_FIELD, HeaderField(header, field))


def extension_header(name: str) -> Oracle:
    """The oracle of whether there is an extension header."""
    return Oracle(OracleKind.HAS_EXTENSION_HEADER, name)


def system_of_syn(ttl: str) -> Oracle:
    """The oracle of the operating system that sent a SYN packet, by one of nft's words for TTLs."""
    return Oracle(OracleKind.SYSTEM_BY_TTL, parameters=(ttl,)) if ttl else Oracle(OracleKind.SYSTEM)


def route_of(direction: str) -> str:
    """What the transformations of a direction hang on: those to come are of the route."""
    return ROUTE if direction == "out" else ""


def member(of: Hashable, *parameters: Hashable) -> Oracle:
    """The oracle of what is in a set."""
    return Oracle(OracleKind.MEMBER, of, parameters)
