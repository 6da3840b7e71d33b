"""What of a rule can be the key of a set or map: fields that must have one of a few values.

Keys stand in one order in every set and map: interfaces, addresses, protocol, ports, mark.

- A key is compared with ``==``, and its value is there for every packet: addresses, interfaces'
  names (empty where there is no interface), the protocol, the mark. Ports are there for protocols
  that have some, and the protocol is part of the key wherever a port of any protocol is. A packet
  without the field fits no rule and no element.
- Masked marks and interfaces' wildcards are none: sets of nft 1.0.1 cannot hold them.
- Conditions do nothing, so that their order does not matter; those behind a statement that does
  something stay where they are.
"""

from __future__ import annotations

import functools
import itertools
import math
from bisect import bisect
from typing import TYPE_CHECKING

import attrs

from ..core.values import Family
from ..nft import expressions as x
from ..nft import statements as s
from ..text.nft_expression_text import PROTOCOL_NAMES, element_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from ..nft.ast import Rule

#: The fields, in the order in which they stand in a key.
ORDER = ("iifname", "oifname", "saddr", "daddr", "protocol", "sport", "dport", "mark")
ADDRESSES = ("saddr", "daddr")
PORTS = ("sport", "dport")

#: The most keys that a rule may stand for.
MOST_KEYS = 64

#: Interfaces' names do not stand in one key with ranges: nft takes that from 1.0.3 on.
NAMES = frozenset({"iifname", "oifname"})

_META = {"iifname": "iifname", "oifname": "oifname", "l4proto": "protocol", "mark": "mark"}
_PROTOCOLS = {
    PROTOCOL_NAMES[number]: x.Protocol(number) for number in (6, 17, 33, 132, 136)
}  # fmt: skip

#: First and last value, both included; names of interfaces are equal or not.
Interval = tuple["int | str", "int | str"]
Key = tuple[Interval, ...]


@attrs.frozen(eq=False)
class Keyed:
    """A rule, taken apart."""

    rule: Rule
    #: The literals that each field may be.
    fields: Mapping[str, tuple[x.Expression, ...]]
    #: The conditions, each with the field that it is about.
    conditions: tuple[tuple[s.Match, str], ...]
    rest: tuple[s.Statement, ...]  #: from the first statement on that is more than a condition

    def keys(self, order: tuple[str, ...]) -> list[tuple[Key, tuple[x.Expression, ...]]]:
        """The keys that the rule is for, as numbers and as literals."""
        found = itertools.product(*(self.fields[field] for field in order))
        return [(tuple(map(_interval, literals)), literals) for literals in found]

    def conditions_but(self, fields: Set[str]) -> tuple[s.Match, ...]:
        """The conditions that are not about some fields."""
        if len(self.conditions) <= len(fields) and all(
            field in fields for _, field in self.conditions
        ):
            return ()
        return tuple(match for match, field in self.conditions if field not in fields)


def keyed(rule: Rule, counting: Set[str]) -> Keyed:
    """Take a rule apart; ``counting`` names the sets whose elements count lookups."""
    fields: dict[str, tuple[x.Expression, ...]] = {}
    conditions: list[tuple[s.Match, str]] = []
    at = 0
    for step in rule.statements:
        if type(step) is not s.Match:
            break
        field = _add_field(step, fields)
        if not field and (
            s.is_stateful(step)
            or (isinstance(step.right, x.SetReference) and step.right.name in counting)
        ):
            break
        at += 1
        conditions.append((step, field))
    if any(len(literals) > 1 for literals in fields.values()):
        count = math.prod(map(len, fields.values()))
        if count > MOST_KEYS:
            fields = {field: few for field, few in fields.items() if len(few) == 1}
    return Keyed(rule, fields, tuple(conditions), rule.statements[at:])


def _add_field(match: s.Match, fields: dict[str, tuple[x.Expression, ...]]) -> str:
    """Note the values that a match leaves to a field; the answer is the field, or nothing."""
    left = match.left
    protocol = None
    if type(left) is x.Payload:
        if left.field in PORTS:
            protocol = _PROTOCOLS.get(left.protocol)
        known = protocol or (left.field in ADDRESSES and left.protocol in {"ip", "ip6"})
        field = left.field if known else ""
    elif type(left) is x.Meta:
        field = _META.get(left.key, "")
    else:
        return ""
    if not field or field in fields or match.operator != "==":
        return ""
    right = match.right
    literals = right.elements if isinstance(right, x.AnonymousSet) else (right,)
    if any(interval(literal) is None for literal in literals):
        return ""
    if protocol and fields.setdefault("protocol", (protocol,)) != (protocol,):
        return ""
    fields[field] = literals
    return field


def interval(literal: x.Expression) -> Interval | None:
    """A literal's first and last value, or None where it cannot be a part of a key."""
    match literal:
        case x.Number(value) | x.Hex(value) | x.Protocol(value):
            return value, value
        case x.Host(address):
            return address.value, address.value
        case x.Prefix(address, length):
            return address.value, address.value | (1 << address.family.bits - length) - 1
        case x.Range(x.Number(low), x.Number(high)):
            return low, high
        case x.Range(x.Host(low), x.Host(high)):
            return low.value, high.value
        case x.Interface(name, False):
            return name, name
        case _:
            return None


def _interval(literal: x.Expression) -> Interval:
    found = interval(literal)
    assert found is not None
    return found


def whole_key(fields: Set[str]) -> tuple[str, ...]:
    """Fields in their order; ports only together with the protocol."""
    order = tuple(field for field in ORDER if field in fields)
    if "protocol" not in fields:
        return tuple(field for field in order if field not in PORTS)
    return order


def key_expression(order: tuple[str, ...], family: Family, protocol: str = "th") -> x.Expression:
    """What is looked up; ports are those of ``protocol``."""
    header = x.NETWORK_HEADER[family]
    parts: list[x.Expression] = []
    for field in order:
        if field in ADDRESSES:
            parts.append(x.Payload(header, field))
        elif field in PORTS:
            parts.append(x.Payload(protocol, field))
        else:
            parts.append(x.Meta({"protocol": "l4proto"}.get(field, field)))
    return parts[0] if len(parts) == 1 else x.Concat(tuple(parts))


@functools.cache
def read_by(order: tuple[str, ...], family: Family) -> Set[x.Expression]:
    """The expressions that a rule may set and so change a key; ports by any protocol's name."""
    read: set[x.Expression] = set()
    for field in order:
        if field in PORTS:
            read |= {x.Payload(header, field) for header in (*_PROTOCOLS, "th")}
        else:
            read.add(key_expression((field,), family))
    return frozenset(read)


def key_type(order: tuple[str, ...], family: Family) -> str:
    """The data type of a key."""
    address = "ipv4_addr" if family is Family.IP else "ipv6_addr"
    types = {
        "iifname": "ifname", "oifname": "ifname", "saddr": address, "daddr": address,
        "protocol": "inet_proto", "sport": "inet_service", "dport": "inet_service", "mark": "mark",
    }  # fmt: skip
    return " . ".join(types[field] for field in order)


def key_literal(literals: tuple[x.Expression, ...]) -> x.Expression:
    """A key as an element of a set."""
    plain = tuple(map(_plain, literals))
    return plain[0] if len(plain) == 1 else x.Concat(plain)


def _plain(literal: x.Expression) -> x.Expression:
    """A range of one value as that value."""
    if isinstance(literal, x.Range) and literal.low == literal.high:
        return literal.low
    return literal


def key_text(literals: tuple[x.Expression, ...]) -> str:
    """A key as a part of a name."""
    words = [element_text(_plain(literal)) for literal in literals]
    return "-".join(words).replace('"', "")


def needs_protocol(statements: tuple[s.Statement, ...]) -> bool:
    """Whether nft wants to know the protocol in the rule itself."""
    return any(
        isinstance(step, s.Nat | s.Tproxy | s.Synproxy)
        or (isinstance(step, s.Reject) and step.protocol == "tcp")
        or (
            isinstance(step, s.Match)
            and isinstance(step.left, x.Ct)
            and step.left.key.startswith("proto-")
        )
        for step in statements
    )


def is_range(key: Key) -> bool:
    """Whether some part of the key is more than one value."""
    return any(low != high for low, high in key)


@attrs.define
class Regions:
    """Keys no two of which any packet has.

    One field: any number of ranges. Several: few keys with ranges among any number without, as
    each of these is compared with all others.
    """

    MOST_RANGES = 64

    order: tuple[str, ...]
    _points: set[Key] = attrs.Factory(set)
    _ranges: list[Key] = attrs.Factory(list)
    _sorted: list[Interval] = attrs.Factory(list)

    def add(self, key: Key) -> bool:
        """Take in a key that has nothing in common with the others; else there is no change."""
        ranged = is_range(key)
        if ranged and not NAMES.isdisjoint(self.order):
            return False
        if len(self.order) == 1:
            at = bisect(self._sorted, key[0])
            around = self._sorted[max(at - 1, 0) : at + 1]
            if any(_overlap(key, (other,)) for other in around):
                return False
            self._sorted.insert(at, key[0])
        elif self._meets(key, ranged=ranged):
            return False
        (self._ranges.append if ranged else self._points.add)(key)
        return True

    def _meets(self, key: Key, *, ranged: bool) -> bool:
        """Whether a key of several parts has something in common with another, or might have."""
        if key in self._points or any(_overlap(key, other) for other in self._ranges):
            return True
        return ranged and (
            len(self._ranges) == self.MOST_RANGES
            or any(_overlap(key, other) for other in self._points)
        )


def _overlap(one: Key, other: Key) -> bool:
    """Whether a packet can have both keys."""
    return all(
        low <= last and first <= high  # type: ignore[operator]
        for (low, high), (first, last) in zip(one, other, strict=True)
    )
