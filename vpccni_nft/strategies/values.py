"""Addresses, networks, interfaces, ports and marks, as ``parse`` makes them of a text."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..core.values import Address, AddressRange, Family, Negatable, Network
from ..extensions import kinds
from ..iptables import Counters
from ..iptables.protocols import DCCP, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE
from .kinds import strategy

T = TypeVar("T")

#: A strategy for each of the two families.
ByFamily = Callable[[Family], SearchStrategy[T]]

families = st.sampled_from(Family)
marks = strategy(kinds.MARK, Family.IP)
masked_marks = strategy(kinds.MASKED_MARK, Family.IP)
port_numbers = strategy(kinds.PORT, Family.IP)
port_ranges = strategy(kinds.PORT_RANGE, Family.IP)
interfaces = strategy(kinds.INTERFACE, Family.IP)
counters = st.builds(
    Counters,
    *(
        st.one_of(st.integers(0, 3), st.integers(0, kinds.LARGEST_COUNT))
        for _ in ("packets", "bytes")
    ),
)


def words(largest: int, *, smallest: int = 1) -> SearchStrategy[str]:
    """What may stand without quotes."""
    return strategy(kinds.Unquoted(largest, smallest), Family.IP)


def negatable(values: SearchStrategy[T]) -> SearchStrategy[Negatable[T]]:
    """Values with and without a ``!``."""
    return st.builds(Negatable[T], values, st.booleans())


def perhaps(values: SearchStrategy[T]) -> SearchStrategy[T | None]:
    """Often nothing."""
    return st.none() | values


def perhaps_negated(values: SearchStrategy[T]) -> SearchStrategy[Negatable[T] | None]:
    """Often nothing, and otherwise values with and without a ``!``."""
    return perhaps(negatable(values))


def addresses(family: Family) -> SearchStrategy[Address]:
    """Any address, often one that is special."""
    return strategy(kinds.ADDRESS, family)


def networks(family: Family) -> SearchStrategy[Network]:
    """Networks of any mask but the one of no bits."""
    return strategy(kinds.NETWORK, family)


def address_ranges(family: Family) -> SearchStrategy[AddressRange]:
    """Ranges whose ends are in order, often of one address."""
    return strategy(kinds.ADDRESS_RANGE, family)


@functools.cache
def network_tests(family: Family) -> SearchStrategy[Negatable[Network]]:
    """As ``-s`` has them: iptables prints the network of all addresses only where it is negated."""
    everything = Negatable(Network(family, 0, 0), negated=True)
    return st.one_of(negatable(networks(family)), negatable(networks(family)), st.just(everything))


interface_tests = perhaps_negated(interfaces)
#: A rule for protocol 0 is a rule for all of them, and has no ``-p``.
protocols = st.one_of(
    st.sampled_from((TCP, UDP, DCCP, SCTP, UDPLITE, ICMP, ICMPV6)), st.integers(1, 255)
)
