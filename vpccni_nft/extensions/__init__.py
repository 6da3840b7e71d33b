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
    ah,
    bpf,
    cgroup,
    cluster,
    comment,
    connbytes,
    connlabel,
    connlimit,
    connmark,
    conntrack,
    cpu,
    dccp,
    devgroup,
    dscp,
    dst,
    ecn,
    esp,
    eui64,
    frag,
    hashlimit,
    hbh,
    helper,
    hl,
    icmp,
    icmp6,
    ipcomp,
    iprange,
    ipv6header,
    ipvs,
    length,
    limit,
    mac,
    mark,
    mh,
    multiport,
    nfacct,
    osf,
    owner,
    physdev,
    pkttype,
    policy,
    quota,
    rateest,
    realm,
    recent,
    rpfilter,
    rt,
    sctp,
    socket,
    srh,
    state,
    statistic,
    string_,
    tcp,
    tcpmss,
    time,
    tos,
    ttl,
    u32,
    udp,
)
from .matches import set as ip_set
from .targets import (
    accept,
    audit,
    checksum,
    classify,
    clusterip,
    connsecmark,
    ct,
    dnat,
    dnpt,
    drop,
    hmark,
    idletimer,
    led,
    log,
    masquerade,
    netmap,
    nflog,
    nfqueue,
    notrack,
    queue,
    redirect,
    reject,
    return_,
    secmark,
    snat,
    snpt,
    synproxy,
    tcpoptstrip,
    tee,
    tproxy,
    trace,
    ulog,
)
from .targets import connmark as change_connmark
from .targets import dscp as set_dscp
from .targets import ecn as set_ecn
from .targets import hl as set_hl
from .targets import mark as set_mark
from .targets import rateest as count_rate
from .targets import set as change_set
from .targets import tcpmss as set_tcpmss
from .targets import tos as set_tos
from .targets import ttl as set_ttl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..iptables.ast import Match, Target

#: What may stand after ``-m``, by name.
MATCHES: Mapping[str, Extension[Any]] = MappingProxyType(
    {
        room.EXTENSION.name: room.EXTENSION
        for room in (
            addrtype,
            ah,
            bpf,
            cgroup,
            cluster,
            comment,
            connbytes,
            connlabel,
            connlimit,
            connmark,
            conntrack,
            cpu,
            dccp,
            devgroup,
            dscp,
            dst,
            ecn,
            esp,
            eui64,
            frag,
            hashlimit,
            hbh,
            helper,
            hl,
            icmp,
            icmp6,
            ip_set,
            ipcomp,
            iprange,
            ipv6header,
            ipvs,
            length,
            limit,
            mac,
            mark,
            mh,
            multiport,
            nfacct,
            osf,
            owner,
            physdev,
            pkttype,
            policy,
            quota,
            rateest,
            realm,
            recent,
            rpfilter,
            rt,
            sctp,
            socket,
            srh,
            state,
            statistic,
            string_,
            tcp,
            tcpmss,
            time,
            tos,
            ttl,
            u32,
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
            change_connmark,
            change_set,
            audit,
            checksum,
            classify,
            clusterip,
            connsecmark,
            count_rate,
            ct,
            dnat,
            dnpt,
            drop,
            hmark,
            idletimer,
            led,
            log,
            masquerade,
            netmap,
            nflog,
            nfqueue,
            notrack,
            queue,
            redirect,
            reject,
            return_,
            secmark,
            set_dscp,
            set_ecn,
            set_hl,
            set_mark,
            set_tcpmss,
            set_tos,
            set_ttl,
            snat,
            snpt,
            synproxy,
            tcpoptstrip,
            tee,
            tproxy,
            trace,
            ulog,
        )
    }
)

_BY_NODE = {known.node: known for known in (*MATCHES.values(), *TARGETS.values())}


def extension_of(node: Match | Target) -> Extension[Any]:
    """The room that a node was declared in."""
    return _BY_NODE[type(node)]
