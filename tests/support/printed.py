"""Rules that iptables-save prints as they are, and what it prints."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from vpccni_nft import iptables
from vpccni_nft import strategies as own
from vpccni_nft.core.values import PortRange
from vpccni_nft.extensions.matches.connbytes import ConnBytes
from vpccni_nft.extensions.matches.connlabel import ConnLabel
from vpccni_nft.extensions.matches.conntrack import Conntrack
from vpccni_nft.extensions.matches.hashlimit import Hashlimit
from vpccni_nft.extensions.matches.nfacct import Nfacct
from vpccni_nft.extensions.matches.policy import IpsecPolicy
from vpccni_nft.extensions.matches.recent import Recent
from vpccni_nft.extensions.matches.sctp import Sctp
from vpccni_nft.extensions.matches.set import MatchSet
from vpccni_nft.extensions.matches.tcp import Tcp
from vpccni_nft.extensions.matches.time import Time
from vpccni_nft.extensions.matches.udp import Udp
from vpccni_nft.extensions.shared.number_ranges import NumberRange
from vpccni_nft.extensions.shared.rates import Rate
from vpccni_nft.extensions.targets.clusterip import ClusterIp
from vpccni_nft.extensions.targets.ct import Ct, Notrack
from vpccni_nft.extensions.targets.idletimer import IdleTimer
from vpccni_nft.extensions.targets.led import Led
from vpccni_nft.extensions.targets.nflog import Nflog
from vpccni_nft.extensions.targets.rateest import Estimate
from vpccni_nft.extensions.targets.reject import Reject
from vpccni_nft.extensions.targets.secmark import SecMark
from vpccni_nft.extensions.targets.set import SetTarget
from vpccni_nft.extensions.targets.ulog import Ulog

from .corpus import without_times


def is_printed(node: iptables.Match | iptables.Target) -> bool:
    """Whether the kernel can have this node without other objects, and iptables prints it so."""
    printed = True
    match node:
        case Tcp() | Udp() | Sctp():
            ports = (node.source_port, node.destination_port)
            printed = not any(
                test and test.value == PortRange(0, 0xFFFF) and not test.negated for test in ports
            ) and not (isinstance(node, Sctp) and node.chunk_types)
        case Conntrack(status=status):
            # iptables-save 1.8.9 leaves out a mask with gaps, and so writes another rule.
            networks = (
                node.original_source,
                node.original_destination,
                node.reply_source,
                node.reply_destination,
            )
            printed = all(test is None or test.value.length is not None for test in networks)
            printed &= not (status and "NONE" in status.value and len(status.value) > 1)
        case ConnBytes(count=count):
            # 0:0 is printed as 0, which is read as all numbers.
            printed = count.value != NumberRange(0, 0)
        case IpsecPolicy(elements=elements):
            ends = (end for one in elements for end in (one.tunnel_source, one.tunnel_destination))
            printed = all(end is None or end.value.length is not None for end in ends)
        case Time(date_stop=date_stop):
            printed = date_stop is not None
        case Recent(mask=mask):
            printed = mask is not None
        case Reject(kind=kind):
            printed = kind is not None
        case Ct():
            names = (node.helper, node.timeout, node.events, node.expectation_events)
            printed = not any(names)
        case MatchSet() | SetTarget() | Nfacct() | Notrack():
            printed = False
        case Hashlimit(rate=rate, interval=interval):
            # iptables-save 1.8.9 prints the rate of a second, which is read as that of its unit.
            printed = interval is None or not isinstance(rate, Rate) or rate.unit == "sec"
        case ConnLabel() | ClusterIp() | IdleTimer() | Led() | SecMark() | Estimate() | Ulog():
            # These need a kernel module, hardware, a policy, a file, or a name that is not taken.
            printed = False
        case Nflog(range=length):
            printed = not length  # iptables warns of it
    return printed


#: Protocols that iptables names by itself; other names depend on /etc/protocols.
PRINTED = own.Taste(
    wanted=is_printed,
    interface_tests=own.perhaps_negated(
        own.interfaces.filter(lambda interface: not interface.is_any)
    ),
    protocols=st.sampled_from((6, 17, 132, 136, 1, 58)),
)


def rules_of(text: str) -> list[str]:
    """The lines without remarks and counters."""
    lines = without_times(text).split("\n")
    return [re.sub(r"\[\d+:\d+\] ?", "", line) for line in lines if not line.startswith("# ")]
