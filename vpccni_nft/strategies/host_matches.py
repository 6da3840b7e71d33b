"""The nodes of the matches that ask what the host knows of a packet: sockets, links, time."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..core.values import Family, Negatable, Network
from ..extensions.matches import cluster, connbytes, helper, osf, owner, policy, time
from ..extensions.matches.cgroup import Cgroup
from ..extensions.matches.connlabel import ConnLabel
from ..extensions.matches.cpu import Cpu
from ..extensions.matches.devgroup import DevGroup
from ..extensions.matches.iprange import Ends, IpRange
from ..extensions.matches.ipvs import Ipvs
from ..extensions.matches.mac import Mac
from ..extensions.matches.pkttype import TYPES, PktType
from ..extensions.matches.rateest import RateEst
from ..extensions.matches.realm import Realm
from ..extensions.matches.socket import Socket
from ..extensions.shared.number_ranges import NumberRange
from ..iptables import Match
from .values import (
    FULL,
    ByFamily,
    addresses,
    masked_marks,
    negatable,
    networks,
    perhaps,
    perhaps_negated,
    some_of,
    texts,
    words,
)

_flag = st.booleans()


def _ranges(largest: int) -> SearchStrategy[NumberRange]:
    """Numbers from one to another, often a single one."""
    number = st.one_of(st.integers(0, 3), st.integers(0, largest))
    wide = st.lists(number, min_size=2, max_size=2).map(lambda two: NumberRange(*sorted(two)))
    return st.one_of(number.map(lambda one: NumberRange(one, one)), wide)


def _control_groups(_family: Family) -> SearchStrategy[Match]:
    class_id = st.one_of(st.integers(0, 3), st.integers(0, FULL))
    return st.one_of(
        st.builds(Cgroup, class_id=negatable(class_id)),
        st.builds(Cgroup, path=negatable(texts(511))),
    )


def _clusters(_family: Family) -> SearchStrategy[Match]:
    def of(total: int) -> SearchStrategy[cluster.Cluster]:
        nodes = st.integers(0, (1 << total) - 1)
        one = st.integers(0, total - 1).map(lambda number: 1 << number)
        seed = st.integers(0, FULL)
        return st.builds(
            cluster.Cluster,
            nodes=negatable(st.one_of(one, nodes)),
            total=st.just(total),
            seed=seed,
        )

    return st.one_of(st.integers(1, 4), st.integers(1, cluster.MOST_NODES)).flatmap(of)


def _is_connbytes(node: connbytes.ConnBytes) -> bool:
    """A ``!`` before one number says nothing."""
    return not node.count.negated or node.count.value.first != node.count.value.last


def _connection_counts(_family: Family) -> SearchStrategy[Match]:
    least = st.integers(0, 3000).map(lambda first: NumberRange(first, connbytes.LARGEST))
    return st.builds(
        connbytes.ConnBytes,
        count=negatable(st.one_of(least, _ranges(3000), _ranges(connbytes.LARGEST))),
        mode=st.sampled_from(tuple(connbytes.MODES)),
        direction=st.sampled_from(tuple(connbytes.DIRECTIONS)),
    ).filter(_is_connbytes)


def _labels(_family: Family) -> SearchStrategy[Match]:
    label = st.one_of(st.integers(0, 2), st.integers(0, 127))
    return st.builds(ConnLabel, label=negatable(label), set=_flag)


def _processors(_family: Family) -> SearchStrategy[Match]:
    return st.builds(Cpu, negatable(st.one_of(st.integers(0, 3), st.integers(0, FULL))))


def _device_groups(_family: Family) -> SearchStrategy[Match]:
    group = perhaps_negated(masked_marks)
    return st.builds(DevGroup, source=group, destination=group).filter(
        lambda node: bool(node.source or node.destination)
    )


def _helpers(_family: Family) -> SearchStrategy[Match]:
    name = st.one_of(st.sampled_from(("ftp", "ftp-2121", "sip", "")), texts(helper.NAME_LENGTH))
    return st.builds(helper.Helper, negatable(name))


def _address_ranges(family: Family) -> SearchStrategy[Match]:
    ends = perhaps_negated(st.builds(Ends, addresses(family), addresses(family)))
    return st.builds(IpRange, source=ends, destination=ends).filter(
        lambda node: bool(node.source or node.destination)
    )


def _virtual_services(_family: Family) -> SearchStrategy[Match]:
    return st.builds(
        Ipvs,
        st.sampled_from(
            (
                ("--ipvs",),
                ("!", "--ipvs"),
                ("--proto", "6", "--vaddr", "10.0.0.1", "--vport", "80", "--vdir", "REPLY"),
                ("--vproto", "6", "!", "--vmethod", "MASQ", "--vportctl", "21"),
            )
        ),
    )


def _macs(_family: Family) -> SearchStrategy[Match]:
    return st.builds(Mac, negatable(st.one_of(st.integers(0, 3), st.integers(0, (1 << 48) - 1))))


def _systems(_family: Family) -> SearchStrategy[Match]:
    name = st.one_of(st.sampled_from(("Linux", "Windows")), words(osf.NAME_LENGTH))
    level = st.one_of(st.none(), st.integers(0, 2))
    return st.builds(
        osf.Osf,
        genre=negatable(name.filter(lambda text: " " not in text)),
        ttl=level,
        log=st.one_of(st.none(), st.none(), level),
    )


def _owners(_family: Family) -> SearchStrategy[Match]:
    ids = perhaps_negated(_ranges(owner.LARGEST))
    exists = st.one_of(st.none(), st.none(), perhaps_negated(st.just(True)))
    several = st.builds(
        owner.Owner,
        uid=ids,
        gid=ids,
        socket_exists=exists,
        supplementary=st.sampled_from((False, False, False, True)),
    )
    return several.filter(
        lambda node: (
            bool(node.uid or node.gid or node.socket_exists)
            and bool(node.gid or not node.supplementary)
        )
    )


def _packet_types(_family: Family) -> SearchStrategy[Match]:
    return st.builds(PktType, negatable(st.sampled_from(tuple(TYPES))))


def _policies(family: Family) -> SearchStrategy[Match]:
    number = st.one_of(st.integers(0, 3), st.integers(0, FULL))
    read = {"reqid": perhaps_negated(number), "spi": perhaps_negated(number)}
    network: SearchStrategy[Network] = networks(family)
    protocol = perhaps_negated(st.sampled_from((50, 51, 108)))
    mode = perhaps_negated(st.sampled_from(policy.MODES))
    any_mode = st.builds(policy.Element, protocol=protocol, mode=mode, **read)
    every = st.builds(
        policy.Element,
        protocol=protocol,
        mode=st.just(Negatable("tunnel")),
        tunnel_destination=perhaps_negated(network),
        tunnel_source=perhaps_negated(network),
        **read,
    )
    some = st.builds(policy.Element, **read)
    element = st.one_of(some, some, any_mode, every)
    direction = st.sampled_from(("in", "out"))
    not_empty = element.filter(lambda one: one != policy.Element())
    several = st.lists(not_empty, min_size=1, max_size=policy.MOST_ELEMENTS).map(tuple)
    return st.one_of(
        st.builds(policy.Policy, direction=direction),
        st.builds(policy.Policy, direction=direction, elements=st.tuples(element)),
        st.builds(policy.Policy, direction=direction, elements=several, strict=st.just(True)),
    )


def _estimates(_family: Family) -> SearchStrategy[Match]:
    return st.builds(
        RateEst,
        st.sampled_from(
            (
                ("--rateest", "a", "!", "--rateest-lt", "--rateest-bps", "100000bit"),
                ("--rateest", "a", "--rateest-gt", "--rateest-pps", "100"),
                ("--rateest1", "a", "--rateest-eq", "--rateest-bps", "--rateest2", "b"),
            )
        ),
    )


def _realms(_family: Family) -> SearchStrategy[Match]:
    return st.builds(Realm, negatable(masked_marks))


def _sockets(_family: Family) -> SearchStrategy[Match]:
    rarely = st.sampled_from((False, False, False, True))
    return st.builds(Socket, transparent=_flag, no_wildcard=_flag, restore_mark=rarely)


def _times(_family: Family) -> SearchStrategy[Match]:
    second = st.one_of(st.sampled_from((0, 7200, 36000, 79200)), st.integers(0, time.LAST_SECOND))
    date = st.one_of(st.just(time.LAST_DATE), st.integers(1, FULL))
    week = st.one_of(st.just(tuple(range(7))), some_of(tuple(range(7))))  # type: ignore[arg-type]
    month = st.sampled_from((time.MONTH_DAYS, time.MONTH_DAYS, time.MONTH_DAYS, (1, 2, 31)))
    return st.builds(
        time.Time,
        start=second,
        stop=st.one_of(second, st.just(time.LAST_SECOND)),
        month_days=month,
        week_days=week,
        date_start=st.one_of(st.just(0), date),
        date_stop=perhaps(date),
        kernel_zone=_flag,
        contiguous=_flag,
    ).filter(lambda node: not node.contiguous or node.start >= node.stop)


#: The strategies for the nodes of these rooms.
HOST_MATCHES: Mapping[type[Match], ByFamily[Match]] = MappingProxyType(
    {
        Cgroup: _control_groups,
        cluster.Cluster: _clusters,
        connbytes.ConnBytes: _connection_counts,
        ConnLabel: _labels,
        Cpu: _processors,
        DevGroup: _device_groups,
        helper.Helper: _helpers,
        IpRange: _address_ranges,
        Ipvs: _virtual_services,
        Mac: _macs,
        osf.Osf: _systems,
        owner.Owner: _owners,
        PktType: _packet_types,
        policy.Policy: _policies,
        RateEst: _estimates,
        Realm: _realms,
        Socket: _sockets,
        time.Time: _times,
    }
)
