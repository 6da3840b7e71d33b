"""The nodes of the matches that read packet headers; they know of no place."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..core.values import Family, Negatable, Network
from ..extensions.matches import dccp, ipv6header, srh, u32
from ..extensions.matches.ah import Ah
from ..extensions.matches.bpf import Bpf
from ..extensions.matches.dscp import Dscp
from ..extensions.matches.ecn import Ecn
from ..extensions.matches.esp import Esp
from ..extensions.matches.eui64 import Eui64
from ..extensions.matches.frag import Frag
from ..extensions.matches.hop_limit import SIGNS, Hl, HopTest, Ttl
from ..extensions.matches.ipcomp import IpComp
from ..extensions.matches.length import Length
from ..extensions.matches.mh import Mh
from ..extensions.matches.option_headers import Dst, Hbh, HeaderOption
from ..extensions.matches.rt import Rt
from ..extensions.matches.string_ import END, MOST_BYTES, String
from ..extensions.matches.tcpmss import TcpMss
from ..extensions.matches.tos import MaskedTos, Tos
from ..extensions.shared.number_ranges import NumberRange
from ..iptables import Match
from .values import (
    FULL,
    ByFamily,
    addresses,
    negatable,
    networks,
    perhaps,
    perhaps_negated,
    port_ranges,
    some_of,
    words,
)

_bytes = st.integers(0, 255)
_flag = st.booleans()


def _ranges(largest: int) -> SearchStrategy[NumberRange]:
    """Ranges of one number or several, but not of all."""
    numbers = st.one_of(st.integers(0, 9), st.integers(0, largest))
    ends = st.lists(numbers, min_size=2, max_size=2)
    return st.one_of(
        numbers.map(lambda number: NumberRange(number, number)),
        ends.map(lambda pair: NumberRange(*sorted(pair))),
    ).filter(lambda range_: range_ != NumberRange(0, largest))


def _perhaps_in(largest: int) -> SearchStrategy[Negatable[NumberRange] | None]:
    return perhaps_negated(_ranges(largest))


def _lengths(unit: int) -> SearchStrategy[Negatable[int] | None]:
    """Bytes of a header, which has whole units."""
    return perhaps_negated(
        st.one_of(st.integers(1, 5).map(lambda units: unit * units), st.integers(1, FULL))
    )


def _authentications(_family: Family) -> SearchStrategy[Match]:
    return st.one_of(
        st.builds(Ah, spi=_perhaps_in(FULL)),
        st.builds(Ah, spi=_perhaps_in(FULL), length=_lengths(4), reserved=_flag),
    )


def _programs(_family: Family) -> SearchStrategy[Match]:
    code = st.sampled_from(("1,6 0 0 1", "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0"))
    return st.one_of(
        st.builds(Bpf, st.just("--bytecode"), code),
        st.builds(Bpf, st.just("--object-pinned"), words(20).map(lambda name: f"/{name}")),
    )


def _dccp(_family: Family) -> SearchStrategy[Match]:
    port = perhaps_negated(port_ranges)
    option = perhaps_negated(st.integers(1, 255))
    return st.builds(
        dccp.Dccp,
        source_port=port,
        destination_port=port,
        types=perhaps_negated(some_of(dccp.TYPES)),
        option=st.one_of(st.none(), st.none(), option),
    )


def _code_points(_family: Family) -> SearchStrategy[Match]:
    return st.builds(Dscp, negatable(st.integers(0, 63)))


_header_options = st.lists(
    st.builds(HeaderOption, _bytes, perhaps(_bytes)), min_size=1, max_size=16
).map(tuple)
_few_header_options = st.one_of(st.just(()), st.just(()), st.just(()), _header_options)


def _destination_options(_family: Family) -> SearchStrategy[Match]:
    return st.builds(Dst, length=_lengths(8), options=_few_header_options)


def _hop_by_hop_options(_family: Family) -> SearchStrategy[Match]:
    return st.builds(Hbh, length=_lengths(8), options=_few_header_options)


def _congestion(_family: Family) -> SearchStrategy[Match]:
    flag = perhaps_negated(st.just(True))
    ip = perhaps_negated(st.integers(0, 3))
    return st.builds(Ecn, ece=flag, cwr=flag, ip=ip).filter(lambda node: node != Ecn())


def _encrypted(_family: Family) -> SearchStrategy[Match]:
    return st.builds(Esp, _perhaps_in(FULL))


def _own_addresses(_family: Family) -> SearchStrategy[Match]:
    return st.just(Eui64())


def _fragments(_family: Family) -> SearchStrategy[Match]:
    ends = st.sampled_from(((False, False), (True, False), (False, True)))
    return ends.flatmap(
        lambda more_and_last: st.builds(
            Frag,
            id=_perhaps_in(FULL),
            length=perhaps_negated(st.integers(1, FULL)),
            reserved=_flag,
            first=_flag,
            more=st.just(more_and_last[0]),
            last=st.just(more_and_last[1]),
        )
    )


_hop_tests = st.one_of(
    st.builds(HopTest, st.just("eq"), negatable(_bytes)),
    st.builds(HopTest, st.sampled_from(tuple(SIGNS)), st.builds(Negatable, _bytes)),
)


def _time_to_live(_family: Family) -> SearchStrategy[Match]:
    return st.builds(Ttl, _hop_tests)


def _hop_limits(_family: Family) -> SearchStrategy[Match]:
    return st.builds(Hl, _hop_tests)


def _compressed(_family: Family) -> SearchStrategy[Match]:
    return st.builds(IpComp, negatable(st.one_of(_ranges(0xFFFF), _ranges(FULL))), _flag)


def _headers(_family: Family) -> SearchStrategy[Match]:
    first = tuple(name for name in ipv6header.HEADERS if name not in ipv6header.LAST)
    exact = st.builds(
        lambda some, last: (*some, last),
        some_of(tuple(name for name in first if name != "ah"), smallest=0),
        st.sampled_from(ipv6header.LAST),
    )
    names = st.one_of(some_of(first), some_of(tuple(ipv6header.HEADERS)))
    return st.one_of(
        st.builds(ipv6header.Ipv6Header, headers=negatable(exact)),
        st.builds(ipv6header.Ipv6Header, headers=negatable(some_of(first)), soft=st.just(True)),
        st.builds(ipv6header.Ipv6Header, headers=negatable(names), soft=_flag),
    )


def _packet_lengths(_family: Family) -> SearchStrategy[Match]:
    everything = st.just(NumberRange(0, 0xFFFF))
    return st.builds(Length, negatable(st.one_of(_ranges(0xFFFF), _ranges(1500), everything)))


def _mobility(_family: Family) -> SearchStrategy[Match]:
    return st.builds(Mh, _perhaps_in(255))


def _routing(_family: Family) -> SearchStrategy[Match]:
    plain = st.builds(
        Rt,
        type=perhaps_negated(st.one_of(st.integers(0, 4), st.integers(0, FULL))),
        segments_left=perhaps_negated(st.one_of(_ranges(255), _ranges(FULL))),
        length=_lengths(8),
    )
    some = st.lists(addresses(Family.IP6), min_size=1, max_size=3).map(tuple)
    type_0 = st.builds(
        Rt,
        type=st.just(Negatable(0)),
        segments_left=_perhaps_in(255),
        reserved=_flag,
        addresses=some,
        anywhere=st.sampled_from((False, False, True)),
    )
    return st.one_of(plain, type_0)


def _bounds(number: int) -> SearchStrategy[srh.Bounds]:
    """The kernel has one number for all of them."""
    test = perhaps_negated(st.just(number))
    return st.builds(srh.Bounds, equal=test, above=test, below=test)


def _segment_routing(_family: Family) -> SearchStrategy[Match]:
    small = st.one_of(st.integers(0, 3), _bytes)
    bounds = st.one_of(st.just(srh.Bounds()), small.flatmap(_bounds))
    only = small.map(lambda number: srh.Bounds(equal=Negatable(number)))
    segment = perhaps_negated(
        st.one_of(
            networks(Family.IP6).filter(lambda network: network.length is not None),
            st.just(Network(Family.IP6, 0, 0)),
        )
    )
    node = st.builds(
        srh.Srh,
        next_header=perhaps_negated(st.sampled_from((4, 6, 41))),
        length=bounds,
        segments_left=only,
        last_entry=bounds,
        tag=perhaps_negated(st.integers(0, 0xFFFF)),
        last=segment,
    )
    return st.one_of(
        node,
        node.map(lambda one: attrs.evolve(one, segments_left=one.last_entry, last_entry=_FIRST)),
        st.builds(srh.Srh, segments_left=only, previous=segment, next=segment),
    )


_FIRST = srh.Bounds(equal=Negatable(1))


def _texts(_family: Family) -> SearchStrategy[Match]:
    text = st.one_of(st.sampled_from((b"abc", b'a "b\\c', b"\x00\xff", b"a\\", b"|61|")))
    offsets = st.lists(st.one_of(st.just(END), st.integers(0, END)), min_size=2, max_size=2)
    return st.builds(
        lambda pattern, algorithm, ends, ignores_case: String(
            pattern=pattern,
            algorithm=algorithm,
            start=min(ends),
            end=max(ends),
            ignores_case=ignores_case,
        ),
        negatable(st.one_of(text, st.binary(min_size=1, max_size=MOST_BYTES))),
        st.sampled_from(("bm", "kmp")),
        st.one_of(st.just([0, END]), offsets),
        _flag,
    )


def _segment_sizes(_family: Family) -> SearchStrategy[Match]:
    return st.builds(TcpMss, negatable(st.one_of(_ranges(0xFFFF), st.just(NumberRange(0, 0xFFFF)))))


def _service_types(_family: Family) -> SearchStrategy[Match]:
    masks = st.one_of(st.sampled_from((0xFF, 0xFC, 0x3F, 0x03, 0x1E, 0)), _bytes)
    return masks.flatmap(
        lambda mask: st.builds(
            Tos,
            negatable(
                st.one_of(
                    _bytes.map(lambda value: MaskedTos(value & mask, mask)),
                    st.builds(MaskedTos, _bytes, st.just(mask)),
                )
            ),
        )
    )


def _numbers(largest: int) -> SearchStrategy[u32.Numbers]:
    return st.one_of(
        st.integers(0, largest).map(lambda number: (number, number)),
        st.tuples(st.integers(0, largest), st.integers(0, largest)),
    )


_TO_TRANSPORT = (u32.Step(">>", 22), u32.Step("&", 0x3C))


@st.composite
def _comparisons(draw: st.DrawFn) -> u32.Comparison:
    offset = draw(st.one_of(st.sampled_from((0, 3, 4, 6, 9, 12, 100)), st.integers(0, 300)))
    masks = st.one_of(
        st.sampled_from((0xFF, 0xFFFF, 0xFF0000, 0xF0000000, 0)), st.integers(0, FULL)
    )
    shifts = st.sampled_from((1, 8, 16, 24, 31, 0))
    step = st.one_of(
        st.builds(u32.Step, st.just("&"), masks),
        st.builds(u32.Step, st.sampled_from(("<<", ">>")), shifts),
    )
    steps = tuple(draw(st.lists(step, max_size=3)))
    elsewhere = draw(st.sampled_from(("", "", "", "transport", "anywhere")))
    if elsewhere == "transport":
        offset, steps = 0, (*_TO_TRANSPORT, u32.Step("@", draw(st.integers(0, 20))), *steps)
    elif elsewhere:
        steps = (*steps, u32.Step("@", offset))
    numbers = st.one_of(_numbers(9), _numbers(0xFFFF), _numbers(FULL))
    return u32.Comparison(offset, steps, tuple(draw(st.lists(numbers, min_size=1, max_size=3))))


#: That a packet is no further fragment, which the transport header needs.
_WHOLE = u32.Comparison(4, (u32.Step("&", 0x1FFF),), ((0, 0),))


def _words_of_packets(_family: Family) -> SearchStrategy[Match]:
    tests = st.lists(_comparisons(), min_size=1, max_size=3).map(tuple)
    return st.builds(u32.U32, negatable(st.one_of(tests, tests.map(lambda some: (_WHOLE, *some)))))


#: The strategy for the node of each room that reads headers.
HEADER_MATCHES: Mapping[type[Match], ByFamily[Match]] = MappingProxyType(
    {
        Ah: _authentications,
        Bpf: _programs,
        dccp.Dccp: _dccp,
        Dscp: _code_points,
        Dst: _destination_options,
        Ecn: _congestion,
        Esp: _encrypted,
        Eui64: _own_addresses,
        Frag: _fragments,
        Hbh: _hop_by_hop_options,
        Hl: _hop_limits,
        IpComp: _compressed,
        ipv6header.Ipv6Header: _headers,
        Length: _packet_lengths,
        Mh: _mobility,
        Rt: _routing,
        srh.Srh: _segment_routing,
        String: _texts,
        TcpMss: _segment_sizes,
        Tos: _service_types,
        Ttl: _time_to_live,
        u32.U32: _words_of_packets,
    }
)
