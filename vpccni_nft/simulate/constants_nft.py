"""The constants of an nft ruleset, and their neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.packet import interface_word
from ..nft import expressions as x
from ..nft import statements as s
from ..nft.inet import implied_family
from .constants import Constants, values_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..core.values import Family
    from ..nft.ast import Ruleset

#: What fields are compared with, by nft's word for the field.
_KINDS = {
    "saddr": "addresses", "daddr": "addresses", "sport": "ports", "dport": "ports",
    "mark": "marks", "l4proto": "protocols", "protocol": "protocols", "nexthdr": "protocols",
    "iifname": "interfaces", "oifname": "interfaces", "iif": "interfaces", "oif": "interfaces",
    "type": "message_types", "code": "message_codes",
}  # fmt: skip
#: The largest values; addresses and interfaces are as large as they are written.
_LARGEST = {
    "ports": 0xFFFF, "marks": 0xFFFFFFFF, "protocols": 255, "message_types": 255,
    "message_codes": 255,
}  # fmt: skip


#: Elements of a named set that are looked at.
_MOST_ELEMENTS = 100


def add_constants(found: Constants, ruleset: Ruleset, family: Family) -> None:
    """Add those of a family's tables."""
    for table in ruleset.tables:
        if family in table.families:
            sets = {one.name: one.elements[:_MOST_ELEMENTS] for one in table.sets if one.elements}
            for statement in values_in(table):
                if isinstance(statement, s.Statement) and is_for(statement, family):
                    add_of(found, statement, sets)


def is_for(statement: s.Statement, family: Family) -> bool:
    """Whether a statement says something of packets of a family."""
    own = statement.family if isinstance(statement, s.Nat | s.Tproxy) else None
    return {own, implied_family(statement)} <= {None, family}


def add_of(
    found: Constants, statement: s.Statement, sets: Mapping[str, tuple[x.Expression, ...]]
) -> None:
    """Add those of a statement; ``sets`` are the elements of those that it may name."""
    match statement:
        case s.Match(key, _, x.SetReference(name)) | s.VerdictMap(key, x.SetReference(name)):
            for element in sets.get(name, ()):
                _add(found, _fields(key), element)
        case s.Match():
            _add(found, _fields(statement.left), statement.right)
        case s.Nat():
            _add(found, ("daddr",), statement.address)
            _add(found, ("dport",), statement.port)
        case s.VerdictMap(key, x.AnonymousSet() as elements):
            _add(found, _fields(key), elements)


def _fields(expression: x.Expression) -> tuple[str, ...]:
    match expression:
        case x.Payload(_, field):
            return (field,)
        case x.Meta(key) | x.Ct(key):
            return (key,)
        case x.Binary(_, left, _):
            return _fields(left)
        case x.Concat(parts):
            return tuple(field for part in parts for field in _fields(part) or ("",))
        case _:
            return ()


def _add(found: Constants, fields: tuple[str, ...], literal: x.Expression | None) -> None:
    match literal:
        case x.AnonymousSet(elements):
            for element in elements:
                _add(found, fields, element)
        case x.Pair(key, _) | x.Element(key):
            _add(found, fields, key)
        case x.Concat(parts):
            for field, part in zip(fields, parts, strict=False):
                _add(found, (field,), part)
        case x.Expression() if len(fields) == 1 and fields[0] in _KINDS:
            kind = _KINDS[fields[0]]
            for value in _values(literal):
                if kind not in _LARGEST or 0 <= value <= _LARGEST[kind]:
                    getattr(found, kind).setdefault(value)


def _values(literal: x.Expression) -> Iterator[int]:
    match literal:
        case x.Number(value) | x.Hex(value) | x.Protocol(value):
            yield value
        case x.Host(address):
            yield address.value
        case x.Prefix(address, length):
            hosts = address.family.all_ones >> length
            first, last = address.value & ~hosts, address.value | hosts
            yield from (first, last, max(0, first - 1), min(last + 1, address.family.all_ones))
        case x.Range(low, high):
            first, last = (next(_values(end), 0) for end in (low, high))
            yield from (first, last, first - 1, last + 1)
        case x.Interface(name, wildcard):
            for one in (f"{name}0", name) if wildcard else (name,):
                if len(one) < 16:
                    yield interface_word(one)
