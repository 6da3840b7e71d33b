"""CLUSTERIP: one of several nodes with one address answers, by a hash of the packet.

Kernel: net/ipv4/netfilter/ipt_CLUSTERIP.c until Linux 6.2. It answers ARP requests with a multicast
address, and takes packets whose hash is for this node. nft has no such statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...core.values import Family
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.oracle import Oracle, OracleKind
from ...model.packet import ACCEPT, DROP, Event
from .. import kinds as k
from ..extension import Extension
from ..forms import NUMBER, WORD, choice, number
from ..option_table import Option, OptionTable
from ..placement import Placement

if TYPE_CHECKING:
    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context

MODES = ("sourceip", "sourceip-sourceport", "sourceip-sourceport-destport")


@attrs.frozen(kw_only=True)
class ClusterIp(Target):
    """``-j CLUSTERIP --new`` with its options; all of them are printed."""

    mode: str
    mac: str
    nodes: int
    node: int
    seed: int = 0


def meaning(node: ClusterIp, view: View) -> Effect:
    """Accept what the hash gives to this node, drop the rest."""
    state = view.state
    ends = (state.fields[name] for name in ("saddr", "sport", "dport"))
    oracle = Oracle(
        OracleKind.CLUSTER_IS_OURS, parameters=(node.mode, node.nodes, node.node, node.seed)
    )
    ours = view.says(oracle, *ends)
    return Effect(
        events=(Event("cluster", (node.mac,)),),
        verdicts=((state.algebra.not_(ours), DROP),),
        verdict=ACCEPT,
    )


def lower(_node: ClusterIp, context: Context) -> tuple[s.Statement, ...]:
    """There is no form."""
    raise context.refuse(
        "nft does not answer for an address that several nodes share",
        "Linux dropped CLUSTERIP in 6.3 as well; the match cluster replaced it",
    )


EXTENSION = Extension(
    name="CLUSTERIP",
    node=ClusterIp,
    options=OptionTable.of(
        Option("--new", required=True),
        Option("--hashmode", choice(*MODES), "mode", required=True),
        Option("--clustermac", WORD, "mac", required=True),
        Option("--total-nodes", number(16), "nodes", required=True),
        Option("--local-node", number(16), "node", required=True),
        Option("--hash-init", NUMBER, "seed", always=True),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(family=Family.IP, tables=("filter",), hooks=("INPUT",)),
    draw=k.Build(
        ClusterIp,
        mode=k.Among(MODES),
        mac=k.Among(("01:00:5E:00:00:20", "01:00:5E:7F:00:01")),
        nodes=k.Integers(1, 16),
        node=k.Integers(1, 16),
        seed=k.Integers(0, k.FULL),
    ),
    nft="none: nft answers for no address; gone since Linux 6.3",
    codes=(NO_NFT_FORM,),
)
