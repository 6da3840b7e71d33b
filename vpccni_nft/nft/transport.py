"""Whether a rule that maps ports says of which transport protocol they are.

nft takes no other (nftables: src/evaluate.c, nat_evaluate_transport; measured with 1.0.6, 1.1.3 and
1.1.6). The protocol is known by what is compared with it, and by any read of its header. Programs
that speak to the kernel themselves write others, which nft lists: MiniUPnPd compares the byte of
IPv4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.values import Family
from .expressions import (
    AnonymousSet,
    Concat,
    Ct,
    Lookup,
    Meta,
    Pair,
    Payload,
    Range,
    RawPayload,
    SetReference,
)
from .statements import Match, Nat, parts_of
from .words import Operator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .ast import Rule, Set
    from .expressions import Expression
    from .statements import Statement

#: Headers that are not those of one transport protocol.
_OTHERS = frozenset({"ether", "vlan", "ip", "ip6", "th"})

#: What has the number of the protocol for its value.
_NUMBERS = (Meta("l4proto"), Payload("ip", "protocol"), Payload("ip6", "nexthdr"))
_BYTE = RawPayload("nh", 72, 8)


def ports_without_protocol(rule: Rule, sets: Mapping[str, Set], *, both: bool) -> Nat | None:
    """The statement that maps ports of any protocol; ``both``: in a table of the family inet."""
    known = by_byte = False
    for statement in rule.statements:
        if isinstance(statement, Nat):
            known = known or (by_byte and statement.family is Family.IP)
            return None if known or not _maps_ports(statement, sets) else statement
        known = known or _says_protocol(statement, both=both)
        by_byte = by_byte or _compares_byte(statement)
    return None


def _compares_byte(statement: Statement) -> bool:
    """Whether it compares the byte that is the protocol in IPv4."""
    match statement:
        case Match(left, Operator.EQ, right):
            return left == _BYTE and not isinstance(right, Range)
    return False


def _says_protocol(statement: Statement, *, both: bool) -> bool:
    match statement:
        case Match(left, Operator.EQ, right) if left in _NUMBERS and not isinstance(right, Range):
            # Newer releases take a set of them there, and none of the values of a header.
            return left == _NUMBERS[0] or not isinstance(right, SetReference)
        case Match(Ct("protocol"), Operator.EQ, right) if not both:
            return not isinstance(right, Range)
    return _reads_header(statement)


def _reads_header(node: Statement | Expression) -> bool:
    return any(isinstance(one, Payload) and one.protocol not in _OTHERS for one in parts_of(node))


def _maps_ports(nat: Nat, sets: Mapping[str, Set]) -> bool:
    """Whether it maps ports, and no map that it asks is asked by the protocol."""
    if _reads_header(nat):
        return False
    if isinstance(nat.address, Lookup):
        keys = nat.address.key.parts if isinstance(nat.address.key, Concat) else (nat.address.key,)
        if any(key in _NUMBERS for key in keys):
            return False
        return nat.port is not None or _holds_ports(nat.address.map, sets)
    return nat.port is not None


def _holds_ports(held: AnonymousSet | SetReference, sets: Mapping[str, Set]) -> bool:
    elements = held.elements if isinstance(held, AnonymousSet) else ()
    if isinstance(held, SetReference) and held.name in sets:
        data = getattr(sets[held.name], "data", ())
        return len(data) > 1
    return any(isinstance(one, Pair) and isinstance(one.value, Concat) for one in elements)
