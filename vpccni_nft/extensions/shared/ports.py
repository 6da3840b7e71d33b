"""Ports of the transport header, which ``tcp``, ``udp``, ``sctp`` and ``multiport`` test.

Kernel: net/netfilter/xt_tcpudp.c, xt_sctp.c, xt_multiport.c. None of them matches a fragment that
has no header.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from ...core.values import PortRange
from ...iptables.protocols import SCTP, TCP, UDP
from ...nft import expressions as x
from ..forms import PORTS
from ..option_table import Option
from .compare import compare_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...core.values import Negatable
    from ...model.algebra import Bool
    from ...model.effects import View
    from ...nft import statements as s

#: The two options that all of them have but for ``multiport``.
PORT_OPTIONS = (
    Option("--sport", PORTS, "source_port", negatable=True, spellings=("--source-port",)),
    Option("--dport", PORTS, "destination_port", negatable=True, spellings=("--destination-port",)),
)

#: nft's words for the protocols whose headers begin with two ports.
HEADERS = {TCP: "tcp", UDP: "udp", 33: "dccp", SCTP: "sctp", 136: "udplite"}


def port_fits(view: View, field: str, test: Negatable[PortRange] | None) -> Bool:
    """Whether a port is in the range, or outside it after a ``!``; any port where there is none."""
    if not test:
        return view.state.algebra.true
    inside = view.state.between(field, test.value.first, test.value.last)
    return view.negate(inside, negated=test.negated)


def ports_fit(
    view: View, source: Negatable[PortRange] | None, destination: Negatable[PortRange] | None
) -> Bool:
    """Whether there are ports at all, and both fit."""
    return view.state.algebra.all(
        view.state.is_("fragment", 0),
        port_fits(view, "sport", source),
        port_fits(view, "dport", destination),
    )


def lower_ports(
    header: str, source: Negatable[PortRange] | None, destination: Negatable[PortRange] | None
) -> Iterator[s.Match]:
    """Compare the source's port, then the destination's."""
    for field, test in (("sport", source), ("dport", destination)):
        if test:
            yield from compare_ports(x.Payload(header, field), (test.value,), negated=test.negated)


def disjoint(ports: tuple[PortRange, ...]) -> tuple[PortRange, ...]:
    """The same ports without overlaps, which nft's sets do not take.

    >>> disjoint((PortRange(80, 80), PortRange(1, 9), PortRange(5, 12)))
    (PortRange(first=1, last=12), PortRange(first=80, last=80))
    """
    ordered = sorted(ports, key=lambda range_: range_.first)
    if all(one.last < other.first for one, other in itertools.pairwise(ordered)):
        return ports
    merged: list[PortRange] = []
    for range_ in ordered:
        if merged and range_.first <= merged[-1].last:
            last = max(merged[-1].last, range_.last)
            merged[-1] = PortRange(merged[-1].first, last)
        else:
            merged.append(range_)
    return tuple(merged)
