"""The matches and targets of iptables, one room each.

A new one is a module in ``matches`` or ``targets``, a line here, a rule in the grammar, vectors in
``tests/vectors`` and nothing else; a test holds that these agree.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .extension import Extension
from .matches import (
    addrtype,
    comment,
    conntrack,
    icmp,
    icmp6,
    mark,
    multiport,
    nfacct,
    physdev,
    recent,
    rpfilter,
    sctp,
    state,
    statistic,
    tcp,
    udp,
)
from .matches import set as ip_set
from .targets import (
    accept,
    connmark,
    ct,
    dnat,
    drop,
    log,
    masquerade,
    notrack,
    redirect,
    reject,
    return_,
    snat,
)
from .targets import mark as set_mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..iptables.ast import Match, Target

#: What may stand after ``-m``, by name.
MATCHES: Mapping[str, Extension[Any]] = MappingProxyType(
    {
        room.EXTENSION.name: room.EXTENSION
        for room in (
            addrtype,
            comment,
            conntrack,
            icmp,
            icmp6,
            ip_set,
            mark,
            multiport,
            nfacct,
            physdev,
            recent,
            rpfilter,
            sctp,
            state,
            statistic,
            tcp,
            udp,
        )
    }
)

#: What may stand after ``-j`` other than the name of a chain, by name.
TARGETS: Mapping[str, Extension[Any]] = MappingProxyType(
    {
        room.EXTENSION.name: room.EXTENSION
        for room in (
            accept,
            connmark,
            ct,
            dnat,
            drop,
            log,
            masquerade,
            notrack,
            redirect,
            reject,
            return_,
            set_mark,
            snat,
        )
    }
)

_BY_NODE = {known.node: known for known in (*MATCHES.values(), *TARGETS.values())}


def extension_of(node: Match | Target) -> Extension[Any]:
    """The room that a node was declared in."""
    return _BY_NODE[type(node)]
