"""The nodes of every match that is known; they know of no place."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..core.values import Address, Family, Negatable, Network, PortRange
from ..extensions.matches import addrtype, conntrack, multiport, physdev, recent, statistic
from ..extensions.matches import set as ip_set
from ..extensions.matches.comment import Comment
from ..extensions.matches.connlimit import Connlimit
from ..extensions.matches.hashlimit import PARTS, ByteRate, Hashlimit
from ..extensions.matches.hashlimit import STEPS as HASH_STEPS
from ..extensions.matches.icmp import Icmp, Icmp6, MessageType
from ..extensions.matches.limit import STEPS, Limit
from ..extensions.matches.mark import ConnectionMark, Mark
from ..extensions.matches.nfacct import WITHOUT_QUOTA, Nfacct
from ..extensions.matches.quota import Quota
from ..extensions.matches.rpfilter import RpFilter
from ..extensions.matches.sctp import SCOPES, ChunkTypes, Sctp
from ..extensions.matches.state import State
from ..extensions.matches.tcp import FLAGS, FlagTest, Tcp
from ..extensions.matches.udp import Udp
from ..extensions.shared.rates import UNITS, Rate
from ..extensions.shared.set_names import Members
from ..extensions.shared.states import NAT_BITS, STATES
from ..iptables import Match
from .header_matches import HEADER_MATCHES
from .host_matches import HOST_MATCHES
from .values import (
    FULL,
    LARGEST_COUNT,
    TCP,
    ByFamily,
    addresses,
    masked_marks,
    negatable,
    networks,
    perhaps,
    perhaps_negated,
    port_ranges,
    some_of,
    texts,
    words,
)


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


_codes = perhaps(st.integers(0, 255))


def _icmp(_family: Family) -> SearchStrategy[Match]:
    message = st.builds(MessageType, st.integers(0, 254), _codes)
    return st.builds(Icmp, negatable(st.one_of(message, message, st.none())))


def _icmp6(_family: Family) -> SearchStrategy[Match]:
    return st.builds(Icmp6, negatable(st.builds(MessageType, st.integers(0, 255), _codes)))


def _mark_tests(_family: Family) -> SearchStrategy[Match]:
    return st.builds(Mark, negatable(masked_marks))


def _connection_mark_tests(_family: Family) -> SearchStrategy[Match]:
    return st.builds(ConnectionMark, negatable(masked_marks))


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


_list_names = st.one_of(st.sampled_from(("DEFAULT", "DEFAULT", "ssh", "é")), words(199))


def _recent_addresses(family: Family) -> SearchStrategy[Match]:
    mask = st.one_of(st.just(Address(family, family.all_ones)), perhaps(addresses(family)))
    common = {"negated": st.booleans(), "name": _list_names, "mask": mask}
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


def _rates(steps: int) -> SearchStrategy[Rate]:
    """Rates as they are printed; some of those that can be written are printed otherwise."""
    amounts = st.one_of(st.integers(1, 9), st.integers(1, steps))
    return st.builds(
        lambda amount, unit: Rate.parse(f"{amount}/{unit}", steps),
        amounts,
        st.sampled_from(tuple(UNITS)),
    ).filter(lambda rate: Rate.parse(str(rate), steps) == rate)


def _limits(_family: Family) -> SearchStrategy[Match]:
    burst = st.one_of(st.just(5), st.integers(1, 10_000))
    return st.builds(Limit, rate=_rates(STEPS), burst=burst)


def _quotas(_family: Family) -> SearchStrategy[Match]:
    octets = st.one_of(st.integers(0, 100), st.integers(0, 2**64 - 1))
    return st.builds(Quota, negatable(octets))


def _connection_limits(family: Family) -> SearchStrategy[Match]:
    return st.builds(
        Connlimit,
        limit=st.one_of(st.integers(0, 3), st.integers(0, FULL)),
        above=st.booleans(),
        length=st.one_of(st.just(family.bits), st.integers(0, family.bits)),
        destination=st.booleans(),
    )


def _hash_limits(family: Family) -> SearchStrategy[Match]:
    lengths = perhaps(st.integers(0, family.bits - 1))
    seldom = st.one_of(st.just(0), st.just(0), st.integers(1, 100_000))
    milliseconds = st.one_of(st.sampled_from((1000, 60_000)), st.integers(1, FULL))
    common = {
        "above": st.booleans(),
        "parts": some_of(PARTS, smallest=0),
        "name": st.one_of(st.sampled_from(("ssh", "http")), words(15)).filter(_is_table_name),
        "size": seldom,
        "most": seldom,
        "gc_interval": milliseconds,
        "expire": milliseconds,
        "source_length": lengths,
        "destination_length": lengths,
    }
    # An interval of one second is not printed, and is read as that of the rate's unit.
    interval = st.one_of(st.none(), st.integers(2, 60))
    burst = st.one_of(st.just(5), st.integers(1, 1_000_000))
    byte_rates = st.builds(
        lambda octets, burst: attrs.evolve(ByteRate.of_bytes(octets), burst=burst),
        st.one_of(st.integers(16, 4096), st.integers(16, 1 << 30)),
        st.one_of(st.just(0), st.integers(1, 5)),
    ).filter(_is_printed_rate)
    return st.one_of(
        st.builds(Hashlimit, rate=_rates(HASH_STEPS), burst=burst, interval=interval, **common),
        st.builds(Hashlimit, rate=byte_rates, **common),
    )


def _is_table_name(name: str) -> bool:
    return "/" not in name and name not in {".", ".."}


def _is_printed_rate(rate: ByteRate) -> bool:
    """Whether the printed burst is read as the same number of fillings."""
    if not rate.burst:
        return True
    text = rate.burst_text.removesuffix("b")
    factor = {"k": 1 << 10, "m": 1 << 20}.get(text[-1], 1)
    octets = int(text.rstrip("km")) * factor
    return octets >= rate.bytes and -(-octets // rate.bytes) == rate.burst


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
            members=negatable(st.builds(Members, names, ways)),
            return_nomatch=st.booleans(),
            keep_counters=st.booleans(),
            keep_subcounters=st.booleans(),
            packets=tests,
            bytes=tests,
        ),
        st.builds(ip_set.MatchSet, members=negatable(st.builds(Members, names, one_way))),
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
        ConnectionMark: _connection_mark_tests,
        Connlimit: _connection_limits,
        conntrack.Conntrack: _connections,
        Hashlimit: _hash_limits,
        Icmp: _icmp,
        Icmp6: _icmp6,
        Limit: _limits,
        Mark: _mark_tests,
        multiport.Multiport: _several_ports,
        Nfacct: _accounts,
        physdev.Physdev: _bridge_ports,
        Quota: _quotas,
        recent.Recent: _recent_addresses,
        RpFilter: _reverse_paths,
        Sctp: _sctp,
        ip_set.MatchSet: _sets,
        State: _states,
        statistic.Statistic: _statistics,
        Tcp: _tcp,
        Udp: _udp,
        **HEADER_MATCHES,
        **HOST_MATCHES,
    }
)
