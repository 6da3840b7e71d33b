"""The matches and targets of iptables: one module each, or one for twins that differ in a constant.

A new one is a module in ``matches`` or ``targets``, its line here, a rule in the grammar, vectors
in ``tests/vectors`` and nothing else; a test holds that these agree.

A module loads when it is first asked for: a node's dump names a dozen of them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import attrs

from .extension import Extension

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..iptables.ast import Match, Target


@attrs.frozen
class Registry(Mapping[str, Extension[Any]]):
    """The extensions of one kind by name.

    Each stands in its module, under the name of its record where the module has several.
    """

    folder: str
    places: dict[str, str]

    def __getitem__(self, name: str) -> Extension[Any]:
        return _record(self.folder, self.places[name])

    def find(self, name: str) -> Extension[Any] | None:
        """The same as ``get``, and quicker: rules ask by the thousand."""
        place = self.places.get(name)
        return _record(self.folder, place) if place else None

    def __contains__(self, name: object) -> bool:
        return name in self.places

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


@cache
def _record(folder: str, place: str) -> Extension[Any]:
    module, _, record = place.partition(".")
    found: Extension[Any] = getattr(
        import_module(f".{folder}.{module}", __name__), record or "EXTENSION"
    )
    return found


#: What may stand after ``-m``, by name.
MATCHES = Registry("matches", {
    "addrtype": "addrtype", "ah": "ah", "bpf": "bpf", "cgroup": "cgroup", "cluster": "cluster",
    "comment": "comment", "connbytes": "connbytes", "connlabel": "connlabel",
    "connlimit": "connlimit", "connmark": "mark.CONNMARK", "conntrack": "conntrack", "cpu": "cpu",
    "dccp": "dccp", "devgroup": "devgroup", "dscp": "dscp", "dst": "option_headers.DST",
    "ecn": "ecn", "esp": "esp", "eui64": "eui64", "frag": "frag", "hashlimit": "hashlimit",
    "hbh": "option_headers.HBH", "helper": "helper", "hl": "hop_limit.HL", "icmp": "icmp.ICMP4",
    "icmp6": "icmp.ICMP6", "ipcomp": "ipcomp", "iprange": "iprange", "ipv6header": "ipv6header",
    "ipvs": "ipvs", "length": "length", "limit": "limit", "mac": "mac", "mark": "mark.MARK",
    "mh": "mh", "multiport": "multiport", "nfacct": "nfacct", "osf": "osf", "owner": "owner",
    "physdev": "physdev", "pkttype": "pkttype", "policy": "policy", "quota": "quota",
    "rateest": "rateest", "realm": "realm", "recent": "recent", "rpfilter": "rpfilter", "rt": "rt",
    "sctp": "sctp", "set": "set", "socket": "socket", "srh": "srh", "state": "state",
    "statistic": "statistic", "string": "string_", "tcp": "tcp", "tcpmss": "tcpmss", "time": "time",
    "tos": "tos", "ttl": "hop_limit.TTL", "u32": "u32", "udp": "udp",
})  # fmt: skip

#: What may stand after ``-j`` other than the name of a chain, by name.
TARGETS = Registry("targets", {
    "ACCEPT": "verdicts.ACCEPT", "AUDIT": "audit", "CHECKSUM": "checksum", "CLASSIFY": "classify",
    "CLUSTERIP": "clusterip", "CONNMARK": "connmark", "CONNSECMARK": "connsecmark", "CT": "ct.CT",
    "DNAT": "nat.DNAT", "DNPT": "npt.DNPT", "DROP": "verdicts.DROP", "DSCP": "dscp", "ECN": "ecn",
    "HL": "hop_limit.HL", "HMARK": "hmark", "IDLETIMER": "idletimer", "LED": "led", "LOG": "log",
    "MARK": "mark", "MASQUERADE": "nat.MASQUERADE", "NETMAP": "netmap", "NFLOG": "nflog",
    "NFQUEUE": "queue.NFQUEUE", "NOTRACK": "ct.NOTRACK", "QUEUE": "queue.QUEUE",
    "RATEEST": "rateest", "REDIRECT": "nat.REDIRECT", "REJECT": "reject",
    "RETURN": "verdicts.RETURN", "SECMARK": "secmark", "SET": "set", "SNAT": "nat.SNAT",
    "SNPT": "npt.SNPT", "SYNPROXY": "synproxy", "TCPMSS": "tcpmss", "TCPOPTSTRIP": "tcpoptstrip",
    "TEE": "tee", "TOS": "tos", "TPROXY": "tproxy", "TRACE": "trace", "TTL": "hop_limit.TTL",
    "ULOG": "ulog",
})  # fmt: skip


def extension_of(node: Match | Target) -> Extension[Any]:
    """The record of a match or a target, which stands in the module of its class."""
    return _of_class(type(node).__module__, type(node).__name__)


@cache
def _of_class(module: str, name: str) -> Extension[Any]:
    declared = vars(sys.modules[module])
    node = declared[name]
    return next(
        record
        for record in declared.values()
        if isinstance(record, Extension) and record.node is node
    )
