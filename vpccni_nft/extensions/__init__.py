"""The matches and targets of iptables, one room each.

A new one is a module in ``matches`` or ``targets``, its name here, a rule in the grammar, vectors
in ``tests/vectors`` and nothing else; a test holds that these agree.

A room loads when it is first asked for: a node's dump names a dozen of them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

import attrs

from .extension import Extension

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..iptables.ast import Match, Target


@attrs.frozen
class Rooms(Mapping[str, Extension[Any]]):
    """The extensions of one kind by name, each in the module of its name in lower case."""

    folder: str
    names: tuple[str, ...]

    def __getitem__(self, name: str) -> Extension[Any]:
        if name not in self.names:
            raise KeyError(name)
        return _room(self.folder, name)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


@cache
def _room(folder: str, name: str) -> Extension[Any]:
    module = name.lower()
    if iskeyword(module) or module == "string":  # which is one of Python's own
        module += "_"
    room: Extension[Any] = import_module(f".{folder}.{module}", __name__).EXTENSION
    return room


#: What may stand after ``-m``, by name.
MATCHES = Rooms("matches", (
    "addrtype", "ah", "bpf", "cgroup", "cluster", "comment", "connbytes", "connlabel",
    "connlimit", "connmark", "conntrack", "cpu", "dccp", "devgroup", "dscp", "dst", "ecn", "esp",
    "eui64", "frag", "hashlimit", "hbh", "helper", "hl", "icmp", "icmp6", "ipcomp", "iprange",
    "ipv6header", "ipvs", "length", "limit", "mac", "mark", "mh", "multiport", "nfacct", "osf",
    "owner", "physdev", "pkttype", "policy", "quota", "rateest", "realm", "recent", "rpfilter",
    "rt", "sctp", "set", "socket", "srh", "state", "statistic", "string", "tcp", "tcpmss", "time",
    "tos", "ttl", "u32", "udp",
))  # fmt: skip

#: What may stand after ``-j`` other than the name of a chain, by name.
TARGETS = Rooms("targets", (
    "ACCEPT", "AUDIT", "CHECKSUM", "CLASSIFY", "CLUSTERIP", "CONNMARK", "CONNSECMARK", "CT",
    "DNAT", "DNPT", "DROP", "DSCP", "ECN", "HL", "HMARK", "IDLETIMER", "LED", "LOG", "MARK",
    "MASQUERADE", "NETMAP", "NFLOG", "NFQUEUE", "NOTRACK", "QUEUE", "RATEEST", "REDIRECT",
    "REJECT", "RETURN", "SECMARK", "SET", "SNAT", "SNPT", "SYNPROXY", "TCPMSS", "TCPOPTSTRIP",
    "TEE", "TOS", "TPROXY", "TRACE", "TTL", "ULOG",
))  # fmt: skip


@cache
def _of_module(name: str) -> Extension[Any]:
    room: Extension[Any] = sys.modules[name].EXTENSION
    return room


def extension_of(node: Match | Target) -> Extension[Any]:
    """The room that a node was declared in."""
    return _of_module(type(node).__module__)
