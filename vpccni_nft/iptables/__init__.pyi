"""What type checkers see: also the matches and targets, which load when they are first asked for.

A match or target that is new is added here: ``tests/unit/test_types.py`` says so.
"""

from ..core.values import Address, AddressRange, Family, MaskedMark, Negatable, Network, PortRange
from ..extensions.matches.addrtype import AddrType
from ..extensions.matches.ah import Ah
from ..extensions.matches.bpf import Bpf
from ..extensions.matches.cgroup import Cgroup
from ..extensions.matches.cluster import Cluster
from ..extensions.matches.comment import Comment
from ..extensions.matches.connbytes import ConnBytes
from ..extensions.matches.connlabel import ConnLabel
from ..extensions.matches.connlimit import Connlimit
from ..extensions.matches.conntrack import Conntrack
from ..extensions.matches.cpu import Cpu
from ..extensions.matches.dccp import Dccp
from ..extensions.matches.devgroup import DevGroup
from ..extensions.matches.dscp import Dscp
from ..extensions.matches.ecn import Ecn
from ..extensions.matches.esp import Esp
from ..extensions.matches.eui64 import Eui64
from ..extensions.matches.frag import Frag
from ..extensions.matches.hashlimit import ByteRate, Hashlimit
from ..extensions.matches.helper import Helper
from ..extensions.matches.hop_limit import Hl, HopTest, Ttl
from ..extensions.matches.icmp import Icmp, Icmp6, MessageType
from ..extensions.matches.ipcomp import IpComp
from ..extensions.matches.iprange import Ends, IpRange
from ..extensions.matches.ipv6header import Ipv6Header
from ..extensions.matches.ipvs import Ipvs
from ..extensions.matches.length import Length
from ..extensions.matches.limit import Limit
from ..extensions.matches.mac import Mac
from ..extensions.matches.mark import ConnectionMark, Mark
from ..extensions.matches.mh import Mh
from ..extensions.matches.multiport import Multiport
from ..extensions.matches.nfacct import Nfacct
from ..extensions.matches.option_headers import Dst, Hbh, HeaderOption
from ..extensions.matches.osf import Osf
from ..extensions.matches.owner import Owner
from ..extensions.matches.physdev import Physdev
from ..extensions.matches.pkttype import PktType
from ..extensions.matches.policy import Element, IpsecPolicy
from ..extensions.matches.quota import Quota
from ..extensions.matches.rateest import RateEst
from ..extensions.matches.realm import Realm
from ..extensions.matches.recent import Operation, Recent
from ..extensions.matches.rpfilter import RpFilter
from ..extensions.matches.rt import Rt
from ..extensions.matches.sctp import ChunkTypes, Sctp
from ..extensions.matches.set import CountTest, MatchSet
from ..extensions.matches.socket import Socket
from ..extensions.matches.srh import Bounds, Srh
from ..extensions.matches.state import State
from ..extensions.matches.statistic import Statistic, StatisticMode
from ..extensions.matches.string_ import String
from ..extensions.matches.tcp import FlagTest, Tcp
from ..extensions.matches.tcpmss import TcpMss
from ..extensions.matches.time import Time
from ..extensions.matches.tos import MaskedTos, Tos
from ..extensions.matches.u32 import U32, Comparison, Step
from ..extensions.matches.udp import Udp
from ..extensions.shared.number_ranges import NumberRange
from ..extensions.shared.rates import Rate
from ..extensions.shared.set_names import Members
from ..extensions.targets.audit import Audit
from ..extensions.targets.checksum import Checksum
from ..extensions.targets.classify import Classify
from ..extensions.targets.clusterip import ClusterIp
from ..extensions.targets.connmark import Connmark, ConnmarkMode
from ..extensions.targets.connsecmark import ConnSecMark
from ..extensions.targets.ct import Ct, Notrack
from ..extensions.targets.dscp import SetDscp
from ..extensions.targets.ecn import SetEcn
from ..extensions.targets.hmark import Hmark
from ..extensions.targets.hop_limit import HopChange, SetHl, SetTtl
from ..extensions.targets.idletimer import IdleTimer
from ..extensions.targets.led import Led
from ..extensions.targets.log import Log
from ..extensions.targets.mark import SetMark
from ..extensions.targets.nat import Dnat, Masquerade, NatFlags, NatRange, Redirect, Snat
from ..extensions.targets.netmap import Netmap
from ..extensions.targets.nflog import Nflog
from ..extensions.targets.npt import Dnpt, NptPrefixes, Snpt
from ..extensions.targets.queue import Nfqueue, Queue
from ..extensions.targets.rateest import Estimate
from ..extensions.targets.reject import Kind, Reject
from ..extensions.targets.secmark import SecMark
from ..extensions.targets.set import SetTarget
from ..extensions.targets.synproxy import Synproxy
from ..extensions.targets.tcpmss import SetMss
from ..extensions.targets.tcpoptstrip import TcpOptStrip
from ..extensions.targets.tee import Tee
from ..extensions.targets.tos import SetTos
from ..extensions.targets.tproxy import Tproxy
from ..extensions.targets.trace import Trace
from ..extensions.targets.ulog import Ulog
from ..extensions.targets.verdicts import Accept, Drop, Return
from .ast import (
    Chain,
    Counters,
    Goto,
    Interface,
    Jump,
    Match,
    Policy,
    Rule,
    Ruleset,
    Table,
    Target,
    UnknownMatch,
    UnknownTarget,
)

__all__ = [
    "U32", "Accept", "AddrType", "Address", "AddressRange", "Ah", "Audit", "Bounds", "Bpf",
    "ByteRate", "Cgroup", "Chain", "Checksum", "ChunkTypes", "Classify", "Cluster", "ClusterIp",
    "Comment", "Comparison", "ConnBytes", "ConnLabel", "ConnSecMark", "ConnectionMark",
    "Connlimit", "Connmark", "ConnmarkMode", "Conntrack", "CountTest", "Counters", "Cpu", "Ct",
    "Dccp", "DevGroup", "Dnat", "Dnpt", "Drop", "Dscp", "Dst", "Ecn", "Element", "Ends", "Esp",
    "Estimate", "Eui64", "Family", "FlagTest", "Frag", "Goto", "Hashlimit", "Hbh",
    "HeaderOption", "Helper", "Hl", "Hmark", "HopChange", "HopTest", "Icmp", "Icmp6",
    "IdleTimer", "Interface", "IpComp", "IpRange", "IpsecPolicy", "Ipv6Header", "Ipvs", "Jump",
    "Kind", "Led", "Length", "Limit", "Log", "Mac", "Mark", "MaskedMark", "MaskedTos",
    "Masquerade", "Match", "MatchSet", "Members", "MessageType", "Mh", "Multiport", "NatFlags",
    "NatRange", "Negatable", "Netmap", "Network", "Nfacct", "Nflog", "Nfqueue", "Notrack",
    "NptPrefixes", "NumberRange", "Operation", "Osf", "Owner", "Physdev", "PktType", "Policy",
    "PortRange", "Queue", "Quota", "Rate", "RateEst", "Realm", "Recent", "Redirect", "Reject",
    "Return", "RpFilter", "Rt", "Rule", "Ruleset", "Sctp", "SecMark", "SetDscp", "SetEcn",
    "SetHl", "SetMark", "SetMss", "SetTarget", "SetTos", "SetTtl", "Snat", "Snpt", "Socket",
    "Srh", "State", "Statistic", "StatisticMode", "Step", "String", "Synproxy", "Table",
    "Target", "Tcp", "TcpMss", "TcpOptStrip", "Tee", "Time", "Tos", "Tproxy", "Trace", "Ttl",
    "Udp", "Ulog", "UnknownMatch", "UnknownTarget", "save",
]  # fmt: skip

def save(ruleset: Ruleset) -> str: ...
