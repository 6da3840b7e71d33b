"""Addresses, networks, interfaces, ports, marks and words, as ``parse`` makes them of a text."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..core.values import (
    Address,
    AddressRange,
    Family,
    MaskedMark,
    Negatable,
    Network,
    PortRange,
    mask_of_length,
)
from ..iptables import Counters, Interface

T = TypeVar("T")

#: A strategy for each of the two families.
ByFamily = Callable[[Family], SearchStrategy[T]]

FULL = 0xFFFFFFFF
LARGEST_COUNT = 2**63 - 1

TCP, UDP, DCCP, SCTP, UDPLITE, ICMP, ICMPV6 = 6, 17, 33, 132, 136, 1, 58
ESP, AH, IPCOMP, MOBILITY = 50, 51, 108, 135
WITH_PORTS = (TCP, UDP, DCCP, SCTP, UDPLITE)

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
    """Values with and without a ``!``."""
    return st.builds(Negatable[T], values, st.booleans())


def perhaps(values: SearchStrategy[T]) -> SearchStrategy[T | None]:
    """Often nothing."""
    return st.none() | values


def perhaps_negated(values: SearchStrategy[T]) -> SearchStrategy[Negatable[T] | None]:
    """Often nothing, and otherwise values with and without a ``!``."""
    return perhaps(negatable(values))


def some_of(names: tuple[str, ...], *, smallest: int = 1) -> SearchStrategy[tuple[str, ...]]:
    """Some of the names, in the order in which they are given."""
    chosen = st.sets(st.sampled_from(names), min_size=smallest)
    return chosen.map(lambda those: tuple(name for name in names if name in those))


@functools.cache
def addresses(family: Family) -> SearchStrategy[Address]:
    """Any address, often one that is special."""
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
    """Networks of any mask but the one of no bits."""
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
    """Ranges whose ends are in order, often of one address."""
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
