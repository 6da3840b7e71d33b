"""What proofs of whole paths rest on, and what no such proof knows of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import iptables
from ..extensions.matches.cgroup import Cgroup
from ..extensions.matches.policy import IpsecPolicy
from ..extensions.matches.socket import Socket
from ..extensions.targets.queue import Nfqueue, Queue
from ..model.path import RECEIVED
from ..nft import expressions as x
from ..nft import statements as s
from ..simulate.constants import values_in
from .side import nodes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..core.values import Family
    from ..model.known_node import KnownNode
    from ..model.path import Path
    from .side import Side

#: From here on conntrack confirms what comes through (NF_IP_PRI_CONNTRACK_CONFIRM).
_CONFIRM_PRIORITY = (1 << 31) - 1


def assumed_of_node(node: KnownNode, families: Iterable[Family]) -> Iterator[str]:
    """What an answer about a node as it is known rests on, as sentences."""
    count = sum(map(len, node.addresses.values()))
    yield f"packets are those of the node {node.recorded}, with its {count} addresses"
    for family in families:
        if routing := node.routing.get(family):
            routes = sum(map(len, routing.tables.values()))
            marks = routing.mark_bits
            yield (
                f"{family.title}: received packets are routed by its {len(routing.rules)} rules and"
                f" {routes} routes, which see"
                + (f" of the mark the bits {marks:#x} alone" if marks else " no mark")
            )
        else:
            yield f"{family.title}: its routes are not known, and can be any"
    if node.has_vrf:
        yield "routes are not known where devices have tables of their own (VRF)"
    yield from node.doubts


def assumed_on_paths(internal: int, node: KnownNode | None) -> Iterator[str]:
    """What an answer about paths rests on besides, as sentences."""
    whatever = "" if node else ", whatever it is set up to answer (--facts says it)"
    yield f"routing answers both sides the same for the same packet{whatever}"
    yield (
        "packets behind the first one of a connection belong to a connection that began under these"
        " rules, and that both sides have bound and marked the same way, as is proved of first"
        " packets"
    )
    yield "what conntrack notes of packets that are dropped is not compared"
    yield (
        "how the kernel itself answers packets that have no route, or no time to live, is not"
        " compared"
    )
    if internal:
        yield (
            f"only the rules look at the mark bits {internal:#x}: no routing rule, no other program"
            " and no other device does (--internal-mark)"
        )


def unknown_on_paths(before: Side, after: Side, path: Path, family: Family) -> str:
    """Why a path can be compared hook by hook only; empty where it can be compared as a whole.

    A packet that a program decides about may come back as another one; a socket, a next hop and a
    transformation are other ones at other hooks.
    """
    for side in (before, after):
        for chain in side.chains(family):
            if chain.hook in path.hooks and chain.priority >= _CONFIRM_PRIORITY:
                return "a base chain runs where conntrack confirms connections"
        for value in _values(side, family):
            if why := _changes_on_the_way(value, path):
                return why
    return ""


def _values(side: Side, family: Family) -> Iterator[object]:
    for ruleset in side.rulesets:
        for table in ruleset.tables:
            if family in table.families:
                yield from (
                    nodes_of(table) if isinstance(table, iptables.Table) else values_in(table)
                )


def _changes_on_the_way(value: object, path: Path) -> str:
    match value:
        case Queue() | Nfqueue() | s.Queue():
            return "a program that packets are queued to may change them"
        case IpsecPolicy() | x.Ipsec() | x.Meta(key="ipsec"):
            return "a transformation may be another one at another hook"
        case x.Rt(key=key) if key != "classid":
            return f"rt {key} may be another one at another hook"
        case Socket() | Cgroup() | x.Socket() | x.Meta(key="cgroup") if path is RECEIVED:
            return "a packet may get its socket between two hooks"
        case _:
            return ""
