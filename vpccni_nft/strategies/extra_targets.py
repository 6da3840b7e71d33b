"""The nodes of the targets that rewrite packets, copy them, or give them to programs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..core.values import Address, Family, MaskedMark, Network, mask_of_length
from ..extensions.targets.audit import TYPES, Audit
from ..extensions.targets.checksum import Checksum
from ..extensions.targets.classify import Classify
from ..extensions.targets.clusterip import MODES, ClusterIp
from ..extensions.targets.connsecmark import ConnSecMark
from ..extensions.targets.dscp import LARGEST, SetDscp
from ..extensions.targets.ecn import SetEcn
from ..extensions.targets.hmark import Hmark
from ..extensions.targets.hop_limit import HopChange, SetHl, SetTtl
from ..extensions.targets.idletimer import LABEL_LENGTH, IdleTimer
from ..extensions.targets.led import Led
from ..extensions.targets.netmap import Netmap
from ..extensions.targets.nflog import PREFIX_LENGTH, Nflog
from ..extensions.targets.npt import Dnpt, NptPrefixes, Snpt
from ..extensions.targets.queue import Nfqueue, Queue
from ..extensions.targets.rateest import Estimate
from ..extensions.targets.secmark import SecMark
from ..extensions.targets.synproxy import Synproxy
from ..extensions.targets.tcpmss import LARGEST as LARGEST_SEGMENT
from ..extensions.targets.tcpmss import SetMss
from ..extensions.targets.tcpoptstrip import TcpOptStrip
from ..extensions.targets.tee import Tee
from ..extensions.targets.tos import SetTos
from ..extensions.targets.tproxy import Tproxy
from ..extensions.targets.trace import Trace
from ..extensions.targets.ulog import PREFIX_LENGTH as ULOG_PREFIX_LENGTH
from ..extensions.targets.ulog import Ulog
from ..iptables import Target
from .values import FULL, ByFamily, addresses, masked_marks, perhaps, texts, words

_FLAG = st.booleans()
_BYTE = st.integers(0, 0xFF)
_SHORT = st.one_of(st.integers(0, 5), st.integers(0, 0xFFFF))


def _always(strategy: SearchStrategy[Target]) -> ByFamily[Target]:
    """The same for both families."""
    return lambda _family: strategy


def _prefixes(family: Family, *, smallest: int = 0) -> SearchStrategy[Network]:
    """Networks that a length says."""
    return st.builds(_network, addresses(family), st.integers(smallest, family.bits))


def _network(address: Address, length: int) -> Network:
    mask = mask_of_length(address.family, length)
    return Network(address.family, address.value & mask, mask)


def _npt(node: type[Dnpt | Snpt]) -> ByFamily[Target]:
    prefix = _prefixes(Family.IP6)
    return _always(st.builds(node, st.builds(NptPrefixes, prefix, prefix)))


def _hops(node: type[SetTtl | SetHl]) -> ByFamily[Target]:
    kinds = st.sampled_from(("set", "set", "set", "inc", "dec"))
    return _always(st.builds(node, st.builds(HopChange, kinds, _BYTE)))


_bit = st.one_of(st.none(), st.integers(0, 1))
_ecn = st.one_of(
    st.builds(SetEcn, ip=st.integers(0, 3)),
    # Beside --ecn-tcp-remove nothing else is printed.
    st.builds(SetEcn, ece=_bit, cwr=_bit, ip=perhaps(st.integers(0, 3))).filter(
        lambda node: node != SetEcn() and (node.ip is None or (node.ece, node.cwr) != (0, 0))
    ),
    st.just(SetEcn(ece=0, cwr=0)),
)

_times = st.sampled_from(("250.0ms", "1.0s", "500us"))

_nodes = st.integers(1, 16)
_cluster = st.builds(
    ClusterIp,
    mode=st.sampled_from(MODES),
    mac=st.sampled_from(("01:00:5E:00:00:20", "01:00:5E:7F:00:01")),
    nodes=_nodes,
    node=_nodes,
    seed=st.integers(0, FULL),
)

_hash_marks = st.builds(
    lambda modulus, prefix, random: Hmark(
        (
            ("--hmark-src-prefix", str(prefix)),
            ("--hmark-rnd", f"0x{random:08x}"),
            ("--hmark-mod", str(modulus)),
        )
    ),
    st.integers(1, FULL),
    st.integers(0, 32),
    st.integers(0, FULL),
)

_nflog = st.one_of(
    *(
        st.builds(
            Nflog,
            group=_SHORT,
            prefix=st.one_of(st.just(""), texts(PREFIX_LENGTH)),
            threshold=_SHORT,
            **size,
        )
        for size in (
            {"size": perhaps(st.integers(0, FULL))},
            {"range": st.integers(0, FULL)},
        )
    )
)

_queue_numbers = st.lists(_SHORT, min_size=2, max_size=2, unique=True).map(sorted)
_nfqueue = st.one_of(
    _SHORT.flatmap(
        lambda number: st.builds(Nfqueue, first=st.just(number), last=st.just(number), bypass=_FLAG)
    ),
    _queue_numbers.flatmap(
        lambda ends: st.builds(
            Nfqueue, first=st.just(ends[0]), last=st.just(ends[1]), bypass=_FLAG, fanout=_FLAG
        )
    ),
)

_synproxy = st.builds(
    Synproxy,
    sack=_FLAG,
    timestamp=_FLAG,
    wscale=perhaps(st.integers(0, 14)),
    mss=perhaps(_SHORT),
    ecn=st.sampled_from((False, False, False, True)),
)

_sizes = st.one_of(st.none(), st.integers(536, 1460), st.integers(0, LARGEST_SEGMENT))
_option_numbers = st.sets(st.integers(2, 255), max_size=5).map(lambda some: tuple(sorted(some)))
_tos = st.one_of(
    st.builds(SetTos, _BYTE), st.builds(SetTos, _BYTE, st.one_of(_BYTE, st.just(0x3F)))
)


def _tee(family: Family) -> SearchStrategy[Target]:
    return st.builds(Tee, addresses(family), st.one_of(st.just(""), st.just(""), words(15)))


def _tproxy(family: Family) -> SearchStrategy[Target]:
    nowhere = st.just(Address(family, 0))
    return st.builds(
        Tproxy,
        port=_SHORT,
        address=st.one_of(nowhere, addresses(family)),
        mark=st.one_of(st.just(MaskedMark(0, 0)), masked_marks),
    )


#: The strategy for the node of each of these rooms.
EXTRA_TARGETS: Mapping[type[Target], ByFamily[Target]] = MappingProxyType(
    {
        Audit: _always(st.builds(Audit, st.sampled_from(TYPES))),
        Checksum: _always(st.builds(Checksum)),
        Classify: _always(st.builds(Classify, _SHORT, _SHORT)),
        ClusterIp: _always(_cluster),
        ConnSecMark: _always(st.builds(ConnSecMark, _FLAG)),
        Dnpt: _npt(Dnpt),
        SetDscp: _always(st.builds(SetDscp, st.integers(0, LARGEST))),
        SetEcn: _always(_ecn),
        SetHl: _hops(SetHl),
        Hmark: _always(_hash_marks),
        IdleTimer: _always(st.builds(IdleTimer, st.integers(0, FULL), words(LABEL_LENGTH), _FLAG)),
        Led: _always(st.builds(Led, texts(20), perhaps(st.integers(0, 0x7FFFFFFF)), _FLAG)),
        Netmap: lambda family: st.builds(Netmap, _prefixes(family)),
        Nflog: _always(_nflog),
        Nfqueue: _always(_nfqueue),
        Queue: _always(st.builds(Queue)),
        Estimate: _always(st.builds(Estimate, words(15), _times, _times)),
        SecMark: _always(st.builds(SecMark, words(255))),
        Snpt: _npt(Snpt),
        Synproxy: _always(_synproxy),
        SetMss: _always(st.builds(SetMss, _sizes)),
        TcpOptStrip: _always(st.builds(TcpOptStrip, _option_numbers)),
        Tee: _tee,
        SetTos: _always(_tos),
        Tproxy: _tproxy,
        Trace: _always(st.builds(Trace)),
        SetTtl: _hops(SetTtl),
        Ulog: _always(
            st.builds(
                Ulog,
                prefix=st.one_of(st.just(""), texts(ULOG_PREFIX_LENGTH)),
                group=st.integers(1, 32),
                copy_range=_SHORT,
                threshold=st.integers(1, 50),
            )
        ),
    }
)
