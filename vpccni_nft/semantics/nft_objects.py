"""What rules mean that name an object of their table.

Kernel: net/netfilter/nft_limit.c, nft_quota.c and nft_synproxy.c, whose objects do what the
statements do, with one state for all rules; nft_ct.c for what connections are given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..iptables.protocols import parse_protocol
from ..model.oracle import Position
from ..model.packet import STATE_BITS, Event, NoMeaning
from ..nft import objects as o
from ..nft import statements as s
from .nft_shown import shown

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from ..model.algebra import Bool
    from ..model.effects import View
    from ..model.packet import State
    from ..nft.words import ObjectKind

    Objects = Mapping[tuple[ObjectKind, str], o.NamedObject]


def named(use: s.UseObject, table: str, objects: Objects, view: View) -> tuple[s.Statement, View]:
    """The statement that an object stands for, at the one place of all rules that name it."""
    found = objects.get((use.kind, use.name))
    if found is None:
        raise NoMeaning(f"the table {table} has no {use.kind} {use.name}")
    if not isinstance(found, o.NamedStatement):
        return use, view
    return found.statement, attrs.evolve(view, place=Position(table, f"{use.kind} {use.name}", 0))


def give(found: o.NamedObject, state: State, when: Bool) -> None:
    """Give a connection that is not confirmed a helper, or times of its own."""
    details: tuple[Hashable, ...]
    algebra = state.algebra
    if isinstance(found, o.Flowtable):
        # Of connections of TCP and UDP (nft_flow_offload_eval); what it does to later packets of
        # them is said beside the proof: nft/unread.py.
        flows = algebra.any(state.is_("protocol", 6), state.is_("protocol", 17))
        taken = algebra.all(when, state.has_connection, flows)
        state.emit(taken, Event(found.kind, (found,)))
        return
    match found:
        case o.CtHelper(helper=helper, protocol=protocol, l3proto=family):
            details = (helper, protocol, family)
        case o.CtTimeout(policy=policy, protocol=protocol, l3proto=family):
            details = (policy, protocol, family)
        case _:
            raise NoMeaning(f"no meaning for {shown(found)}")
    fresh = state.has_bits("ct_state", STATE_BITS["new"] | STATE_BITS["related"])
    own = state.is_("protocol", parse_protocol(protocol))
    state.emit(algebra.all(when, state.has_connection, fresh, own), Event(found.kind, details))
