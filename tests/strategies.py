"""Strategies for the nodes of iptables: what ``parse`` can make of a text, and nothing else.

``MATCHES`` and ``TARGETS`` have a strategy for the node of every room; they know of no place.
``rules`` and what is above it put them where iptables takes them: in their tables and chains,
behind the protocol that they need.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeVar

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from vpccni_nft import extensions
from vpccni_nft.core.values import (
    Address,
    AddressRange,
    Family,
    MaskedMark,
    Negatable,
    Network,
    PortRange,
    mask_of_length,
)
from vpccni_nft.extensions.matches import addrtype, conntrack, multiport, physdev, recent, statistic
from vpccni_nft.extensions.matches import set as ip_set
from vpccni_nft.extensions.matches.comment import Comment
from vpccni_nft.extensions.matches.icmp import Icmp
from vpccni_nft.extensions.matches.icmp6 import Icmp6
from vpccni_nft.extensions.matches.mark import Mark
from vpccni_nft.extensions.matches.nfacct import WITHOUT_QUOTA, Nfacct
from vpccni_nft.extensions.matches.rpfilter import RpFilter
from vpccni_nft.extensions.matches.sctp import SCOPES, ChunkTypes, Sctp
from vpccni_nft.extensions.matches.state import State
from vpccni_nft.extensions.matches.tcp import FLAGS, FlagTest, Tcp
from vpccni_nft.extensions.matches.udp import Udp
from vpccni_nft.extensions.message_types import MessageType
from vpccni_nft.extensions.nat import NatFlags, NatRange
from vpccni_nft.extensions.states import NAT_BITS, STATES
from vpccni_nft.extensions.targets import connmark, reject
from vpccni_nft.extensions.targets.accept import Accept
from vpccni_nft.extensions.targets.ct import Ct
from vpccni_nft.extensions.targets.dnat import Dnat
from vpccni_nft.extensions.targets.drop import Drop
from vpccni_nft.extensions.targets.log import PREFIX_LENGTH, Log
from vpccni_nft.extensions.targets.mark import SetMark
from vpccni_nft.extensions.targets.masquerade import Masquerade
from vpccni_nft.extensions.targets.notrack import Notrack
from vpccni_nft.extensions.targets.redirect import Redirect
from vpccni_nft.extensions.targets.return_ import Return
from vpccni_nft.extensions.targets.snat import Snat
from vpccni_nft.iptables import (
    Chain,
    Counters,
    Goto,
    Interface,
    Jump,
    Match,
    Policy,
    Rule,
    Ruleset,
    Table,
    Target,
    UnknownMatch,
    UnknownTarget,
)

T = TypeVar("T")

Room = type[Any]  #: the node of a match or of a target
ByFamily = Callable[[Family], SearchStrategy[T]]

FULL = 0xFFFFFFFF
LARGEST_COUNT = 2**63 - 1

TCP, UDP, DCCP, SCTP, UDPLITE, ICMP, ICMPV6 = 6, 17, 33, 132, 136, 1, 58
WITH_PORTS = (TCP, UDP, DCCP, SCTP, UDPLITE)

#: The built-in chains of each table, in the order in which they are saved.
BUILT_IN = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}

# --- words and values ---------------------------------------------------------------------------

families = st.sampled_from(Family)
marks = st.one_of(
    st.integers(0, FULL),
    st.sampled_from((0, 1, 0x80, 0x4000, 0x8000, FULL)),
    st.integers(0, 31).map(lambda place: 1 << place),
)
masked_marks = st.one_of(
    st.builds(MaskedMark, marks, marks),
    marks.map(MaskedMark),
    marks.map(lambda bits: MaskedMark(bits, bits)),
)
port_numbers = st.one_of(st.integers(0, 0xFFFF), st.sampled_from((0, 1, 80, 443, 0xFFFF)))
counters = st.builds(
    Counters,
    *(st.one_of(st.integers(0, 3), st.integers(0, LARGEST_COUNT)) for _ in ("packets", "bytes")),
)


def _as_read(text: str, largest: int) -> str:
    """As much of a text as fits in so many bytes, as ``Source`` reads it."""
    return text.encode("utf-8", "surrogateescape")[:largest].decode("utf-8", "surrogateescape")


#: Lone surrogates stand for bytes that are no text.
_ANY = st.one_of(st.characters(codec="utf-8", exclude_characters="\0\n"), st.just("\udcff"))
_PLAIN = st.sampled_from("abcdefghixyzABCXYZ0123456789-_")
_ODD = st.sampled_from("-_.,:;/!*+?#$@&|~^%=<>(){}[]'`\\é☃")


@functools.cache
def texts(largest: int, *, smallest: int = 0) -> SearchStrategy[str]:
    """What may stand in quotes: anything but the end of a line."""
    several = (
        st.text(chars, max_size=largest) for chars in (_PLAIN, _ANY, st.sampled_from("a \"'"))
    )
    return (
        st.one_of(*several)
        .map(lambda text: _as_read(text, largest))
        .filter(lambda text: len(text) >= smallest)
    )


@functools.cache
def words(largest: int, *, smallest: int = 1) -> SearchStrategy[str]:
    """What may stand without quotes."""
    unquoted = _ANY.filter(lambda char: not char.isspace() and char != '"')
    several = (
        st.text(chars, min_size=smallest, max_size=largest)
        for chars in (_PLAIN, st.one_of(_PLAIN, _ODD), unquoted)
    )
    return st.one_of(*several).map(lambda text: _as_read(text, largest))


def negatable(values: SearchStrategy[T]) -> SearchStrategy[Negatable[T]]:
    return st.builds(Negatable[T], values, st.booleans())


def perhaps(values: SearchStrategy[T]) -> SearchStrategy[T | None]:
    """Often nothing."""
    return st.none() | values


def perhaps_negated(values: SearchStrategy[T]) -> SearchStrategy[Negatable[T] | None]:
    return perhaps(negatable(values))


def some_of(names: tuple[str, ...], *, smallest: int = 1) -> SearchStrategy[tuple[str, ...]]:
    """Some of the names, in the order in which they are given."""
    chosen = st.sets(st.sampled_from(names), min_size=smallest)
    return chosen.map(lambda those: tuple(name for name in names if name in those))


@functools.cache
def addresses(family: Family) -> SearchStrategy[Address]:
    usual = {
        Family.IP: ("0.0.0.0", "10.0.0.1", "127.0.0.1", "169.254.169.254", "255.255.255.255"),  # noqa: S104
        Family.IP6: ("::", "::1", "fd00::1", "::ffff:10.0.0.1", "::10.0.0.1", "ff02::1"),
    }
    return st.one_of(
        st.integers(0, family.all_ones).map(lambda value: Address(family, value)),
        st.sampled_from(usual[family]).map(Address.parse),
    )


@functools.cache
def masks(family: Family) -> SearchStrategy[int]:
    """Masks of any length, and masks with gaps, but not the one of no bits."""
    contiguous = st.integers(1, family.bits).map(lambda length: mask_of_length(family, length))
    return st.one_of(contiguous, contiguous, st.integers(1, family.all_ones))


@functools.cache
def networks(family: Family) -> SearchStrategy[Network]:
    return st.builds(
        lambda address, mask: Network(family, address.value & mask, mask),
        addresses(family),
        masks(family),
    )


@functools.cache
def network_tests(family: Family) -> SearchStrategy[Negatable[Network]]:
    """As ``-s`` has them: iptables prints the network of all addresses only where it is negated."""
    everything = Negatable(Network(family, 0, 0), negated=True)
    return st.one_of(negatable(networks(family)), negatable(networks(family)), st.just(everything))


@functools.cache
def address_ranges(family: Family) -> SearchStrategy[AddressRange]:
    ends = st.lists(addresses(family), min_size=2, max_size=2)
    wide = ends.map(lambda pair: AddressRange(*sorted(pair, key=lambda address: address.value)))
    return st.one_of(addresses(family).map(lambda one: AddressRange(one, one)), wide)


port_ranges = st.one_of(
    port_numbers.map(lambda port: PortRange(port, port)),
    st.lists(port_numbers, min_size=2, max_size=2).map(lambda pair: PortRange(*sorted(pair))),
)
interfaces = st.one_of(
    st.sampled_from(("lo", "eth0", "eni1234abcd", "veth0*", "*", "all")).map(Interface),
    words(15).filter(lambda name: not name.endswith("+")).map(Interface),
    st.sampled_from(("eni", "vlan", "veth*", "a+")).map(
        lambda name: Interface(name, wildcard=True)
    ),
    words(14, smallest=0).map(lambda name: Interface(name, wildcard=True)),
)
interface_tests = perhaps_negated(interfaces)
#: A rule for protocol 0 is a rule for all of them, and has no ``-p``.
protocols = st.one_of(
    st.sampled_from((TCP, UDP, DCCP, SCTP, UDPLITE, ICMP, ICMPV6)), st.integers(1, 255)
)

# --- matches ------------------------------------------------------------------------------------


def _is_right(node: addrtype.AddrType) -> bool:
    return bool(node.source or node.destination) and not (node.limit_in and node.limit_out)


def _address_types(_family: Family) -> SearchStrategy[Match]:
    types = st.one_of(some_of(addrtype.TYPES), some_of(addrtype.SHARED), st.just(("LOCAL",)))
    return st.builds(
        addrtype.AddrType,
        source=perhaps_negated(types),
        destination=perhaps_negated(types),
        limit_in=st.booleans(),
        limit_out=st.booleans(),
    ).filter(_is_right)


def _comments(_family: Family) -> SearchStrategy[Match]:
    return st.builds(Comment, texts(255))


def _connections(family: Family) -> SearchStrategy[Match]:
    ports = perhaps_negated(port_ranges)
    everything = st.just(Network(family, 0, 0))
    ends = perhaps_negated(st.one_of(networks(family), networks(family), everything))
    seconds = st.one_of(st.integers(0, FULL), st.integers(0, 100))
    states = perhaps_negated(some_of((*STATES, *NAT_BITS)))
    directions = st.sampled_from(("", *conntrack.DIRECTIONS))
    status = perhaps_negated(some_of(conntrack.STATUSES))
    return st.one_of(
        # All options at once, of which nft seldom can say every one.
        st.builds(
            conntrack.Conntrack,
            states=states,
            protocol=perhaps_negated(st.integers(0, 255)),
            original_source=ends,
            original_destination=ends,
            reply_source=ends,
            reply_destination=ends,
            original_source_port=ports,
            original_destination_port=ports,
            reply_source_port=ports,
            reply_destination_port=ports,
            status=status,
            expire=perhaps_negated(
                st.lists(seconds, min_size=2, max_size=2).map(lambda two: (min(two), max(two)))
            ),
            direction=directions,
        ),
        st.builds(conntrack.Conntrack, states=states),
        st.builds(conntrack.Conntrack, status=status, direction=directions, original_source=ends),
        st.builds(
            conntrack.Conntrack,
            protocol=negatable(st.just(TCP)),
            original_destination_port=ports,
            reply_source_port=ports,
            reply_destination=ends,
        ),
    ).filter(lambda node: node != conntrack.Conntrack())


codes = perhaps(st.integers(0, 255))


def _icmp(_family: Family) -> SearchStrategy[Match]:
    message = st.builds(MessageType, st.integers(0, 254), codes)
    return st.builds(Icmp, negatable(st.one_of(message, message, st.none())))


def _icmp6(_family: Family) -> SearchStrategy[Match]:
    return st.builds(Icmp6, negatable(st.builds(MessageType, st.integers(0, 255), codes)))


def _mark_tests(_family: Family) -> SearchStrategy[Match]:
    return st.builds(Mark, negatable(masked_marks))


def _several_ports(_family: Family) -> SearchStrategy[Match]:
    lists = st.lists(port_ranges, min_size=1, max_size=multiport.MOST_PORTS).map(_no_more_ports)
    options = st.sampled_from((multiport.SOURCE, multiport.DESTINATION, multiport.EITHER))
    return st.builds(multiport.Multiport, options, negatable(lists))


def _no_more_ports(ports: list[PortRange]) -> tuple[PortRange, ...]:
    """As many as fit; a range takes two places."""
    places = [1 + (range_.first != range_.last) for range_ in ports]
    fitting = (end for end in range(len(ports), 0, -1) if sum(places[:end]) <= multiport.MOST_PORTS)
    return tuple(ports[: next(fitting)])


def _accounts(_family: Family) -> SearchStrategy[Match]:
    usual = st.sampled_from(sorted(WITHOUT_QUOTA))
    return st.builds(Nfacct, st.one_of(usual, words(31), texts(31, smallest=1)))


def _bridge_ports(_family: Family) -> SearchStrategy[Match]:
    flag = perhaps_negated(st.just(True))
    port = perhaps_negated(words(15))
    return st.builds(
        physdev.Physdev, is_in=flag, in_port=port, is_out=flag, out_port=port, is_bridged=flag
    ).filter(lambda node: bool(node.tests))


list_names = st.one_of(st.sampled_from(("DEFAULT", "DEFAULT", "ssh", "é")), words(199))


def _recent_addresses(family: Family) -> SearchStrategy[Match]:
    mask = st.one_of(st.just(Address(family, family.all_ones)), perhaps(addresses(family)))
    common = {"negated": st.booleans(), "name": list_names, "mask": mask}
    seconds = st.one_of(st.sampled_from((1, 60)), st.integers(1, FULL))
    changes = st.sampled_from((recent.Operation.SET, recent.Operation.REMOVE))
    looks = st.sampled_from((recent.Operation.CHECK, recent.Operation.UPDATE))
    return st.one_of(
        st.builds(recent.Recent, operation=changes, destination=st.booleans(), **common),
        st.builds(
            recent.Recent,
            operation=looks,
            seconds=perhaps(seconds),
            reap=st.booleans(),
            hit_count=perhaps(st.one_of(st.just(1), st.integers(1, FULL))),
            same_ttl=st.booleans(),
            destination=st.booleans(),
            **common,
        ).filter(lambda node: not node.reap or node.seconds is not None),
    )


def _reverse_paths(_family: Family) -> SearchStrategy[Match]:
    flag = st.booleans()
    return st.builds(RpFilter, loose=flag, validmark=flag, accept_local=flag, invert=flag)


def _sctp(_family: Family) -> SearchStrategy[Match]:
    port = perhaps_negated(port_ranges)
    types = st.one_of(st.sampled_from(("INIT", "DATA:BE,SACK", "ALL", "NONE")), words(30))
    chunks = negatable(st.builds(ChunkTypes, st.sampled_from(SCOPES), types))
    return st.builds(
        Sctp,
        source_port=port,
        destination_port=port,
        chunk_types=st.one_of(st.none(), st.none(), chunks),
    )


def _sets(_family: Family) -> SearchStrategy[Match]:
    count = st.one_of(st.integers(0, 9), st.integers(0, LARGEST_COUNT))
    tests = perhaps(
        st.one_of(
            st.builds(ip_set.CountTest, st.just("eq"), negatable(count)),
            st.builds(ip_set.CountTest, st.sampled_from(("lt", "gt")), st.builds(Negatable, count)),
        )
    )
    ways = st.lists(st.sampled_from(("src", "dst")), min_size=1, max_size=6).map(tuple)
    one_way = st.sampled_from((("src",), ("dst",)))
    names = st.one_of(st.sampled_from(("KUBE-CLUSTER-IP", "cali40masq")), words(31))
    return st.one_of(
        st.builds(
            ip_set.MatchSet,
            members=negatable(st.builds(ip_set.Members, names, ways)),
            return_nomatch=st.booleans(),
            keep_counters=st.booleans(),
            keep_subcounters=st.booleans(),
            packets=tests,
            bytes=tests,
        ),
        st.builds(ip_set.MatchSet, members=negatable(st.builds(ip_set.Members, names, one_way))),
    )


def _states(_family: Family) -> SearchStrategy[Match]:
    return st.builds(State, negatable(some_of(STATES)))


def _statistics(_family: Family) -> SearchStrategy[Match]:
    certain = statistic.CERTAIN
    every = st.one_of(st.integers(1, 5), st.integers(1, FULL))
    return st.one_of(
        st.builds(
            statistic.Statistic,
            mode=st.just(statistic.Mode.RANDOM),
            negated=st.booleans(),
            probability=st.one_of(st.integers(0, certain), st.sampled_from((0, 1, certain))),
        ),
        every.flatmap(
            lambda number: st.builds(
                statistic.Statistic,
                mode=st.just(statistic.Mode.NTH),
                negated=st.booleans(),
                every=st.just(number),
                packet=st.integers(0, number - 1),
            )
        ),
    )


def _tcp(_family: Family) -> SearchStrategy[Match]:
    port = perhaps_negated(port_ranges)
    names = some_of(FLAGS, smallest=0)
    flags = st.one_of(
        st.builds(FlagTest, names, names),
        st.just(FlagTest(("FIN", "SYN", "RST", "ACK"), ("SYN",))),
    )
    return st.builds(
        Tcp,
        source_port=port,
        destination_port=port,
        option=st.one_of(st.none(), st.none(), perhaps_negated(st.integers(1, 255))),
        flags=perhaps_negated(flags),
    )


def _udp(_family: Family) -> SearchStrategy[Match]:
    port = perhaps_negated(port_ranges)
    return st.builds(Udp, source_port=port, destination_port=port)


#: The strategy for the node of every room of ``extensions.MATCHES``.
MATCHES: Mapping[type[Match], ByFamily[Match]] = MappingProxyType(
    {
        addrtype.AddrType: _address_types,
        Comment: _comments,
        conntrack.Conntrack: _connections,
        Icmp: _icmp,
        Icmp6: _icmp6,
        Mark: _mark_tests,
        multiport.Multiport: _several_ports,
        Nfacct: _accounts,
        physdev.Physdev: _bridge_ports,
        recent.Recent: _recent_addresses,
        RpFilter: _reverse_paths,
        Sctp: _sctp,
        ip_set.MatchSet: _sets,
        State: _states,
        statistic.Statistic: _statistics,
        Tcp: _tcp,
        Udp: _udp,
    }
)

# --- targets ------------------------------------------------------------------------------------


def _alone(node: type[Target]) -> ByFamily[Target]:
    """A target that has no options."""
    return lambda _family: st.builds(node)


def _connection_marks(_family: Family) -> SearchStrategy[Target]:
    shift = st.one_of(st.just(0), st.just(0), st.integers(-31, 31))
    copies = st.sampled_from((connmark.Mode.SAVE, connmark.Mode.RESTORE))
    same = st.builds(
        lambda mode, mask: connmark.Connmark(mode=mode, ctmask=mask, nfmask=mask), copies, marks
    )
    mask = st.one_of(st.just(FULL), marks)
    return st.one_of(
        st.builds(
            connmark.Connmark,
            mode=st.just(connmark.Mode.SET),
            value=marks,
            ctmask=mask,
            shift=shift,
        ),
        st.builds(connmark.Connmark, mode=copies, ctmask=mask, nfmask=mask, shift=shift),
        same,
    )


def _tracking(_family: Family) -> SearchStrategy[Target]:
    names = st.one_of(st.just(""), words(15))
    events = st.sampled_from(("", "", "new,destroy", "reply"))
    nothing = st.just("")
    zone = st.one_of(st.integers(1, 0xFFFF), st.none())
    direction = st.sampled_from(("", "original", "reply"))

    def with_(
        notrack: SearchStrategy[bool], words_: SearchStrategy[str], lists: SearchStrategy[str]
    ) -> SearchStrategy[Ct]:
        options: dict[str, SearchStrategy[Any]] = {
            "notrack": notrack,
            "helper": words_,
            "timeout": words_,
            "events": lists,
            "expectation_events": lists,
        }
        return st.one_of(
            st.builds(Ct, **options), st.builds(Ct, zone=zone, direction=direction, **options)
        )

    return st.one_of(with_(st.booleans(), names, events), with_(st.booleans(), nothing, nothing))


def nat_ranges(
    family: Family, *, alone: bool, based: bool, lone_address: bool = True
) -> SearchStrategy[NatRange]:
    """``alone``: ports without an address; ``based``: ports that are shifted."""
    where: SearchStrategy[AddressRange | None] = address_ranges(family)
    base = st.one_of(st.none(), st.none(), port_numbers) if based else st.none()
    forms = [st.builds(NatRange, where, port_ranges, base)]
    if lone_address:
        forms.append(st.builds(NatRange, where))
    if alone:
        forms.append(st.builds(NatRange, st.none(), port_ranges, base))
    return st.one_of(*forms)


def _nat_flags(*, fully: bool, persistent: bool) -> SearchStrategy[NatFlags]:
    yes_or_no, no = st.booleans(), st.just(False)
    return st.builds(
        NatFlags,
        random=yes_or_no,
        fully_random=yes_or_no if fully else no,
        persistent=yes_or_no if persistent else no,
    )


def _dnat(family: Family) -> SearchStrategy[Target]:
    flags = _nat_flags(fully=False, persistent=True)
    return st.builds(Dnat, nat_ranges(family, alone=True, based=True), flags)


def _snat(family: Family) -> SearchStrategy[Target]:
    flags = _nat_flags(fully=True, persistent=True)
    return st.builds(Snat, nat_ranges(family, alone=True, based=False), flags)


def _masquerade(_family: Family) -> SearchStrategy[Target]:
    flags = _nat_flags(fully=True, persistent=False)
    return st.builds(Masquerade, perhaps(port_ranges), flags)


def _redirect(_family: Family) -> SearchStrategy[Target]:
    flags = _nat_flags(fully=False, persistent=False)
    return st.builds(Redirect, perhaps(port_ranges), flags)


def _log(_family: Family) -> SearchStrategy[Target]:
    flag = st.booleans()
    return st.builds(
        Log,
        prefix=st.one_of(st.just(""), texts(PREFIX_LENGTH)),
        level=st.integers(0, 7),
        tcp_sequence=flag,
        tcp_options=flag,
        ip_options=flag,
        uid=flag,
        macdecode=flag,
    )


def _set_marks(_family: Family) -> SearchStrategy[Target]:
    return st.builds(SetMark, masked_marks)


def _reject(family: Family) -> SearchStrategy[Target]:
    kinds = [kind for kind in reject.KINDS.values() if kind.family in (family, None)]
    return st.builds(reject.Reject, perhaps(st.sampled_from(kinds)))


#: The strategy for the node of every room of ``extensions.TARGETS``.
TARGETS: Mapping[type[Target], ByFamily[Target]] = MappingProxyType(
    {
        Accept: _alone(Accept),
        connmark.Connmark: _connection_marks,
        Ct: _tracking,
        Dnat: _dnat,
        Drop: _alone(Drop),
        Log: _log,
        Masquerade: _masquerade,
        Notrack: _alone(Notrack),
        Redirect: _redirect,
        reject.Reject: _reject,
        Return: _alone(Return),
        SetMark: _set_marks,
        Snat: _snat,
    }
)

# --- what has no room ---------------------------------------------------------------------------

_names = st.one_of(
    st.sampled_from(("--foo", "--tos", "--set-mark")), words(9).map(lambda word: f"--{word}")
)
_arguments = st.lists(words(12).filter(lambda word: word[0] not in "-!"), max_size=2)
_foreign = st.builds(
    lambda option, arguments: (*option, *arguments),
    st.one_of(_names.map(lambda name: (name,)), _names.map(lambda name: ("!", name))),
    _arguments,
)


def _unknown(names: SearchStrategy[str], *, smallest: int) -> SearchStrategy[dict[str, Any]]:
    """Names and words as an unknown node keeps them."""
    several = st.lists(_foreign, min_size=smallest, max_size=3)
    together = several.map(lambda parts: tuple(word for part in parts for word in part))
    return st.fixed_dictionaries({"name": names, "words": together})


unknown_matches = _unknown(st.sampled_from(("hashlimit", "tcpmss", "set2")), smallest=0).map(
    lambda fields: UnknownMatch(**fields)
)
unknown_targets = _unknown(st.sampled_from(("TCPMSS", "NFLOG", "MARKER")), smallest=1).map(
    lambda fields: UnknownTarget(**fields)
)

# --- places -------------------------------------------------------------------------------------


@attrs.frozen
class Place:
    """A chain's place: ``hooks`` are the built-in chains that lead to it."""

    family: Family
    table: str
    hooks: frozenset[str]

    def is_under(self, *hooks: str) -> bool:
        return self.hooks.issubset(hooks)


@attrs.frozen(kw_only=True)
class Needs:
    """Where iptables takes a room; None is everywhere."""

    family: Family | None = None
    tables: tuple[str, ...] | None = None
    hooks: tuple[str, ...] | None = None
    protocols: tuple[int, ...] | None = None

    def fit(self, place: Place, protocol: int | None) -> bool:
        return (
            self.family in (None, place.family)
            and (self.tables is None or place.table in self.tables)
            and (self.hooks is None or place.is_under(*self.hooks))
            and (self.protocols is None or protocol in self.protocols)
        )


NEEDS: dict[type[Match | Target], Needs] = {
    Icmp: Needs(family=Family.IP, protocols=(ICMP,)),
    Icmp6: Needs(family=Family.IP6, protocols=(ICMPV6,)),
    multiport.Multiport: Needs(protocols=WITH_PORTS),
    RpFilter: Needs(tables=("raw", "mangle"), hooks=("PREROUTING",)),
    Sctp: Needs(protocols=(SCTP,)),
    Tcp: Needs(protocols=(TCP,)),
    Udp: Needs(protocols=(UDP,)),
    Ct: Needs(tables=("raw",)),
    Dnat: Needs(tables=("nat",), hooks=("PREROUTING", "OUTPUT")),
    Drop: Needs(tables=("filter", "mangle", "raw", "security")),
    Masquerade: Needs(tables=("nat",), hooks=("POSTROUTING",)),
    Notrack: Needs(tables=("raw",)),
    Redirect: Needs(tables=("nat",), hooks=("PREROUTING", "OUTPUT")),
    reject.Reject: Needs(tables=("filter",)),
    Snat: Needs(tables=("nat",), hooks=("INPUT", "POSTROUTING")),
}
ANYWHERE = Needs()


def needed_protocols(node: Match | Target) -> tuple[int, ...] | None:
    """The protocols of which a rule with this node must have one."""
    with_ports = (
        (isinstance(node, Dnat | Snat) and node.to.ports)
        or (isinstance(node, Masquerade | Redirect) and node.ports)
    )  # fmt: skip
    if with_ports:
        return (TCP, UDP, SCTP, DCCP, ICMP)
    if isinstance(node, reject.Reject) and node.kind and node.kind.name == "tcp-reset":
        return (TCP,)
    return NEEDS.get(type(node), ANYWHERE).protocols


def fits(node: Match | Target, place: Place, protocol: int | None) -> bool:
    """Whether iptables takes a node in this place."""
    if not NEEDS.get(type(node), ANYWHERE).fit(place, protocol):
        return False
    needed = needed_protocols(node)
    if needed is not None and protocol not in needed:
        return False
    if isinstance(node, addrtype.AddrType):
        into, out_of = ("PREROUTING", "INPUT", "FORWARD"), ("FORWARD", "OUTPUT", "POSTROUTING")
        return not (
            (node.limit_in and not place.is_under(*into))
            or (node.limit_out and not place.is_under(*out_of))
        )
    if isinstance(node, physdev.Physdev) and (node.is_out or node.out_port):
        return "OUTPUT" not in place.hooks
    return True


def places_of(node: Room) -> list[Place]:
    """The built-in chains whose rules may have this room."""
    needs = NEEDS.get(node, ANYWHERE)
    protocol = needs.protocols[0] if needs.protocols else None
    every = (
        Place(family, table, frozenset({chain}))
        for family in Family
        for table, chains in BUILT_IN.items()
        for chain in chains
    )
    return [place for place in every if needs.fit(place, protocol)]


# --- rules --------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class Taste:
    """Which of the rooms, nodes and base options are wanted."""

    rooms: frozenset[Room] = frozenset((*MATCHES, *TARGETS))
    wanted: Callable[[Match | Target], bool] = lambda _node: True
    interface_tests: SearchStrategy[Negatable[Interface] | None] = interface_tests
    protocols: SearchStrategy[int] = protocols


EVERYTHING = Taste()


@functools.cache
def _every_node(family: Family, taste: Taste) -> Mapping[Room, SearchStrategy[Any]]:
    by_family: Mapping[Room, ByFamily[Any]] = {**MATCHES, **TARGETS}
    return {room: make(family).filter(taste.wanted) for room, make in by_family.items()}


def nodes(room: Room, family: Family, taste: Taste = EVERYTHING) -> SearchStrategy[Any]:
    """The nodes of one room."""
    return _every_node(family, taste)[room]


#: Protocols that no room needs are alike for all of them.
_NEEDED = frozenset((*WITH_PORTS, ICMP, ICMPV6))


@functools.cache
def _fitting(
    kind: Literal["matches", "targets"], place: Place, protocol: int | None, taste: Taste
) -> SearchStrategy[Any]:
    """The matches or targets that a rule may have."""
    rooms: Mapping[Room, object] = MATCHES if kind == "matches" else TARGETS
    fitting = [
        nodes(room, place.family, taste)
        for room in rooms
        if room in taste.rooms and NEEDS.get(room, ANYWHERE).fit(place, protocol)
    ]
    return st.one_of(*fitting).filter(lambda node: fits(node, place, protocol))


@functools.cache
def _with_its_protocol(family: Family, taste: Taste, place: Place) -> Mapping[Room, Any]:
    """The nodes of each room that fit in a place, behind the protocol that they need."""
    return {
        room: strategy.filter(lambda node: _fits_with_its_protocol(node, place))
        for room, strategy in _every_node(family, taste).items()
    }


_perhaps_networks = {family: perhaps(network_tests(family)) for family in Family}
_fragments = perhaps_negated(st.just(True))
_perhaps_counters = perhaps(counters)
_few = st.integers(0, 3)
_yes_or_no = st.booleans()
_calls: SearchStrategy[Callable[[str], Target]] = st.sampled_from((Jump, Goto))


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
    has_to = draw(_with_its_protocol(place.family, taste, place)[room]) if room else None
    protocol = draw(_protocol_tests(needed_protocols(has_to) if has_to else None, taste))
    number = protocol.value if protocol and not protocol.negated else None
    if number not in _NEEDED:
        number = None
    listed: list[Match] = [
        draw(_fitting("matches", place, number, taste)) for _ in range(draw(_few))
    ]
    if isinstance(has_to, Match):
        listed.append(has_to)
        if draw(_yes_or_no):
            listed.reverse()
    target: Target | None = None
    if isinstance(has_to, Target):
        target = has_to
    elif draw(_yes_or_no) and chains:
        called: str = draw(st.sampled_from(chains))
        target = draw(_calls)(called)
    elif draw(_yes_or_no):
        target = draw(_fitting("targets", place, number, taste))
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
    needed = needed_protocols(node)
    return fits(node, place, needed[0] if needed else None)


@functools.cache
def _protocol_tests(
    needed: tuple[int, ...] | None, taste: Taste
) -> SearchStrategy[Negatable[int] | None]:
    if needed:
        return st.sampled_from(needed).map(Negatable)
    common = st.sampled_from((TCP, UDP, ICMP, ICMPV6)).map(Negatable)
    return st.one_of(st.none(), common, negatable(taste.protocols))


# --- chains and tables --------------------------------------------------------------------------

#: A chain may begin like a target, an option or a word of nft, but is called like no target.
chain_names = st.one_of(
    st.sampled_from(
        """
        KUBE-SERVICES AWS-SNAT-CHAIN-0 cali-PREROUTING f2b-sshd ACCEPTED LOGDROP RETURN-1 CT-ZONE
        MARKED DNAT+ SNAT2 REJECT_ drop accept counter filter 1st _ .x a.b a/b é ☃ input # $x @x {x
        """.split()
    ),
    words(28).filter(lambda name: name[0] not in "-!"),
).filter(
    lambda name: name not in extensions.TARGETS and name not in BUILT_IN["mangle"]
)  # fmt: skip


_up_to = {most: st.integers(0, most) for most in range(9)}
_several_chains = {most: st.lists(chain_names, max_size=most, unique=True) for most in range(9)}
_several_hooks = {table: some_of(chains).map(frozenset) for table, chains in BUILT_IN.items()}
_policies = st.sampled_from(Policy)


@st.composite
def tables(
    draw: st.DrawFn,
    family: Family,
    name: str,
    taste: Taste = EVERYTHING,
    most_chains: int = 4,
    most_rules: int = 3,
) -> Table:
    """A table with all its built-in chains, and others that the rules call without loops.

    Chains have the order of iptables-save: the built-in ones first, then the others by name.
    """
    built_in = BUILT_IN[name]
    # A chain calls only chains that come later here, from places that it may be in itself.
    ranked = draw(_several_chains[most_chains])
    hooks = {chain: frozenset({chain}) for chain in built_in}
    for chain in ranked:
        hooks[chain] = frozenset(draw(_several_hooks[name]))
    rules_of: dict[str, tuple[Rule, ...]] = {}
    for index, chain in enumerate(hooks):
        later = ranked[max(0, index + 1 - len(built_in)) :]
        callees = tuple(callee for callee in later if hooks[chain] <= hooks[callee])
        place = Place(family, name, hooks[chain])
        numbers = range(draw(_up_to[most_rules]))
        rules_of[chain] = tuple(draw_rule(draw, place, callees, taste) for _ in numbers)
    own = sorted(ranked, key=lambda chain: chain.encode("utf-8", "surrogateescape"))
    return Table(
        family,
        name,
        (
            *(Chain(chain, draw(_policies), rules_of[chain], draw(counters)) for chain in built_in),
            *(Chain(chain, None, rules_of[chain], draw(counters)) for chain in own),
        ),
    )


_every_room: tuple[Room, ...] = (*MATCHES, *TARGETS)
_places = {room: st.sampled_from(places_of(room)) for room in _every_room}


@st.composite
def tables_of_room(draw: st.DrawFn, room: Room, taste: Taste = EVERYTHING) -> Table:
    """A table whose first rules all have a node of one room."""
    place = draw(_places[room])
    (hook,) = place.hooks
    numbers = range(1 + draw(_few))
    some = [draw_rule(draw, place, ("CALLED",), taste, room) for _ in numbers]
    chains = tuple(
        Chain(chain, Policy.ACCEPT, tuple(some) if chain == hook else (), Counters(0, 0))
        for chain in BUILT_IN[place.table]
    )
    return Table(place.family, place.table, (*chains, Chain("CALLED", None, (), Counters(0, 0))))


class Order(enum.Enum):
    """How deep the chains of a cascade call each other."""

    SHORT = range(2, 17)
    LONG = range(17, 24)


_MARKED = Taste(rooms=frozenset({Mark, Comment, Accept, Return, SetMark}))


@st.composite
def cascades(draw: st.DrawFn, family: Family, order: Order) -> Table:
    """A table of chains each of which calls the next one in its last rule."""
    name = draw(st.sampled_from(("mangle", "filter", "nat")))
    built_in = BUILT_IN[name]
    start = draw(st.sampled_from(built_in))
    place = Place(family, name, frozenset({start}))
    length = draw(st.sampled_from(order.value))
    path = [start, *(f"CHAIN-{number:02}" for number in range(length))]
    rules_of: dict[str, tuple[Rule, ...]] = {}
    for chain, following in zip(path, [*path[1:], ""], strict=True):
        some = [draw_rule(draw, place, (), _MARKED) for _ in range(draw(_up_to[1]))]
        if following:
            last = draw_rule(draw, place, (), _MARKED)
            some.append(attrs.evolve(last, target=draw(_calls)(following)))
        rules_of[chain] = tuple(some)
    return Table(
        family,
        name,
        tuple(
            Chain(
                chain,
                Policy.ACCEPT if chain in built_in else None,
                rules_of.get(chain, ()),
                Counters(0, 0),
            )
            for chain in dict.fromkeys((*built_in, *path))
        ),
    )


_several_tables = {
    most: st.lists(
        st.tuples(families, st.sampled_from(tuple(BUILT_IN))),
        min_size=1,
        max_size=most,
        unique=True,
    )
    for most in range(1, 5)
}


@st.composite
def rulesets(
    draw: st.DrawFn, taste: Taste = EVERYTHING, most_tables: int = 3, most_rules: int = 2
) -> Ruleset:
    """Tables of any names and families, each one once."""
    chosen = draw(_several_tables[most_tables])
    return Ruleset(
        tuple(draw(tables(family, name, taste, most_rules=most_rules)) for family, name in chosen)
    )
