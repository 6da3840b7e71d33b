"""cluster: whether the packet's connection is for this node of a cluster.

Kernel: net/netfilter/xt_cluster.c, xt_cluster_mt: a hash of the address that the connection came
from, or its master's where a helper foresaw it. nft's ``jhash`` (nft_hash.c) is the same function
of the same bytes on machines that store the lowest byte first, but knows no master. Of an IPv6
address the match hashes the first four bytes only (NF_CT_TUPLE_L3SIZE is a number of words;
measured on Linux 6.18), which nft cannot.

Before all that, the match takes a packet that was sent to a multicast hardware address and to one
host's address of IP for one that was sent to this node alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM, RELATED_SOURCE
from ...core.values import Address, Family, Negatable
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind
from ...model.packet import PACKET_TYPES
from ...nft import expressions as x
from ...nft import statements as s
from ...nft.expressions import NETWORK_HEADER
from .. import kinds as k
from ..extension import Extension, Prologue
from ..forms import number
from ..option_table import Option, OptionTable, exactly_one
from ..placement import ANYWHERE
from ..shared.compare import always_or_never
from ..shared.marks import HAS_ENTRY

if TYPE_CHECKING:
    from ...model.algebra import Bool
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece

#: XT_CLUSTER_NODES_MAX.
MOST_NODES = 32

_MULTICAST = {
    Family.IP: x.Prefix(Address.parse("224.0.0.0"), 4),
    Family.IP6: x.Prefix(Address.parse("ff00::"), 8),
}
_TYPE = x.Meta("pkttype")


@attrs.frozen(kw_only=True)
class Cluster(Match):
    """``-m cluster`` with its options."""

    nodes: Negatable[int]  #: a bit for each node that this is
    total: int
    seed: int

    def __attrs_post_init__(self) -> None:
        if self.nodes.value >= 1 << self.total:
            raise ValueError("there are not so many nodes")


def meaning(node: Cluster, view: View) -> Test:
    """There is an entry, and its hash names one of the nodes; the packet type may change."""
    state, algebra = view.state, view.state.algebra
    one = algebra.const(0, 32)
    if node.total > 1:
        oracle = Oracle(OracleKind.JHASH, parameters=(node.total, node.seed))
        source = state.fields["ct_original_saddr"]
        if state.family is Family.IP6:
            source = algebra.extract(source, 96, 32)
        hashed = view.ask(oracle, source, width=32)
        below = algebra.ule(hashed, algebra.const(node.total - 1, 32))
        one = algebra.ite(below, hashed, one)
    is_one = algebra.any(
        *(
            algebra.equal(one, algebra.const(number, 32))
            for number in range(node.total)
            if node.nodes.value >> number & 1
        )
    )
    holds = algebra.all(state.has_entry, view.negate(is_one, negated=node.nodes.negated))
    host = state.word("packet_type", PACKET_TYPES["host"])
    return Test(holds, assignments=((_is_misdirected(view), "packet_type", host),))


def _is_misdirected(view: View) -> Bool:
    """A multicast of the link layer for one address, which no node sends or forwards."""
    state, algebra = view.state, view.state.algebra
    if state.hook not in {"prerouting", "input"}:
        return algebra.false
    first = 0xE0 << 24 if state.family is Family.IP else 0xFF << 120
    mask = 0xF0 << 24 if state.family is Family.IP else 0xFF << 120
    return algebra.all(
        state.is_("packet_type", PACKET_TYPES["multicast"]),
        algebra.not_(state.is_("daddr", first, mask)),
    )


def lower(node: Cluster, context: Context) -> tuple[Piece, ...]:
    """Mend the packet's type where it can be wrong, and look the hash up among the nodes."""
    context.approximate(
        RELATED_SOURCE,
        "nft hashes the source of the connection itself, while cluster hashes that of"
        " the master connection",
    )
    return (*_mend_type(context), *_hash(node, context))


def _mend_type(context: Context) -> tuple[Piece, ...]:
    """Nothing is forwarded, sent or passed on whose type is wrong (ip_forward, ip6_forward)."""
    if not context.hooks & {"PREROUTING", "INPUT"}:
        return ()
    if context.hooks != {"PREROUTING"}:
        raise context.refuse(
            "cluster corrects the packet type, which nft can do in prerouting only"
        )
    address = x.Payload(NETWORK_HEADER[context.family], "daddr")
    misdirected = (
        s.Match(_TYPE, "==", x.Symbol("multicast")),
        s.Match(address, "!=", _MULTICAST[context.family]),
    )
    return (Prologue(((*misdirected, s.Assign(_TYPE, x.Symbol("host"))),)),)


def _hash(node: Cluster, context: Context) -> tuple[s.Match, ...]:
    numbers = tuple(number for number in range(node.total) if node.nodes.value >> number & 1)
    if len(numbers) in (0, node.total):
        return (HAS_ENTRY, *always_or_never(holds=bool(numbers) is not node.nodes.negated))
    if context.family is Family.IP6:
        raise context.refuse(
            "cluster hashes the start of an IPv6 address, and nft hashes all of it"
        )
    source = x.Ct("ip saddr", "original")
    literals = tuple(map(x.Number, numbers))
    right = literals[0] if len(literals) == 1 else x.AnonymousSet(literals)
    sign = "!=" if node.nodes.negated else "=="
    return (s.Match(x.Hash(source, node.total, node.seed), sign, right),)


def _draw(total: int) -> k.ValueKind:
    one = k.Integers(0, total - 1).map(lambda number: 1 << number)
    nodes = one | k.Integers(0, (1 << total) - 1)
    return k.Build(Cluster, nodes=k.negatable(nodes), total=total, seed=k.Integers(0, k.FULL))


def aim(node: Cluster, draft: Draft) -> None:
    """A connection whose source has the number of one of the nodes."""
    draft.fit_entry()
    fitting = [
        number
        for number in range(node.total)
        if bool(node.nodes.value >> number & 1) is not node.nodes.negated
    ]
    if fitting:
        source = draft.fields["ct_original_saddr"] >> draft.family.bits - 32
        oracle = Oracle(OracleKind.JHASH, parameters=(node.total, node.seed))
        draft.answer(oracle, draft.random.choice(fitting), source)


_HEX = number(text=lambda value: f"0x{value:08x}")

EXTENSION = Extension(
    name="cluster",
    node=Cluster,
    options=OptionTable.of(
        Option("--cluster-local-nodemask", _HEX, "nodes", negatable=True),
        Option(
            "--cluster-local-node",
            number(MOST_NODES, smallest=1),
            "nodes",
            negatable=True,
            keep=lambda node: Negatable(1 << node.value - 1, node.negated),
            show=lambda _node: None,
        ),
        Option("--cluster-total-nodes", number(MOST_NODES, smallest=1), "total", required=True),
        Option("--cluster-hash-seed", _HEX, "seed", required=True),
        exactly_one("--cluster-local-node", "--cluster-local-nodemask"),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=(k.Integers(1, 4) | k.Integers(1, MOST_NODES)).then(_draw),
    aim=aim,
    nft="jhash ct original ip saddr mod NODES seed SEED { NUMBERS }",
    codes=(RELATED_SOURCE, NO_NFT_FORM),
    uses_conntrack=True,
    reads_entry=lambda _node: True,
)
