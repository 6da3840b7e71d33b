"""The constants of a ruleset, and their neighbours: where a translation can be off by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ..core.values import AddressRange, MaskedMark, Network, PortRange
from ..extensions.matches.icmp import MessageType
from ..extensions.matches.iprange import Ends
from ..extensions.shared.number_ranges import NumberRange
from ..extensions.targets.connmark import Connmark
from ..extensions.targets.nat import NatRange
from ..ipset.ast import InterfacePart, MarkPart, PortPart
from ..iptables import ast
from ..model.packet import interface_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..core.values import Family


#: Elements of each ipset whose constants are tried.
MOST_ENTRIES = 200


@attrs.define
class Constants:
    """Values worth trying, by kind; those of the ruleset first."""

    addresses: dict[int, None] = attrs.Factory(dict)
    ports: dict[int, None] = attrs.Factory(dict)
    marks: dict[int, None] = attrs.Factory(dict)
    protocols: dict[int, None] = attrs.Factory(dict)
    interfaces: dict[int, None] = attrs.Factory(dict)
    message_types: dict[int, None] = attrs.Factory(dict)
    message_codes: dict[int, None] = attrs.Factory(dict)
    numbers: dict[int, None] = attrs.Factory(dict)  #: lengths, hop limits and the like

    def every(self) -> Iterator[int]:
        """All values, whatever their kinds."""
        for field in attrs.fields(Constants):
            yield from getattr(self, field.name)


def constants_of(ruleset: ast.Ruleset, family: Family) -> Constants:
    """All constants of a family's tables."""
    tables = (table for table in ruleset.tables if table.family is family)
    entries = (entry for one in ruleset.ipsets or () for entry in one.entries[:MOST_ENTRIES])
    found = constants_in((*tables, *entries), family)
    for port in (0, 53, 80, 65535):
        found.ports.setdefault(port)
    for mark in (0, 1, 0xFFFFFFFF):
        found.marks.setdefault(mark)
    for protocol in (6, 17, 1, 58, 132, 47):
        found.protocols.setdefault(protocol)
    for name in ("eth0", "eni0123456789", "lo"):
        found.interfaces.setdefault(interface_word(name))
    for address in (0, 1, family.all_ones):
        found.addresses.setdefault(address)
    for number in (0, 3, 8, 128):
        found.message_types.setdefault(number)
        found.message_codes.setdefault(number)
    return found


def constants_in(nodes: Iterable[Any], family: Family) -> Constants:
    """The constants of some nodes and no others."""
    found = Constants()
    for node in nodes:
        for value in values_in(node):
            _collect(found, value, family)
    return found


def values_in(node: Any) -> Iterator[Any]:
    """Everything in a tree of attrs nodes and tuples."""
    stack = [node]
    while stack:
        value = stack.pop()
        if isinstance(value, tuple):
            stack.extend(value)
        elif attrs.has(type(value)):
            yield value
            stack.extend(
                getattr(value, field.name) for field in attrs.fields(type(value)) if field.eq
            )


def _collect(found: Constants, value: Any, family: Family) -> None:
    match value:
        case PortPart() | InterfacePart() | MarkPart():
            _collect_part(found, value)
        case Network(of, address, mask) if of is family:
            last = address | (family.all_ones ^ mask)
            _add(found.addresses, _neighbours(address, last), family.all_ones)
        case AddressRange(first, last) if first.family is family:
            _add(found.addresses, _neighbours(first.value, last.value), family.all_ones)
        case PortRange(first, last):
            _add(found.ports, _neighbours(first, last), 0xFFFF)
        case NatRange(_, PortRange(first, last)):
            _add(found.ports, _neighbours(first, last), 0xFFFF)
        case Ends(first, last) if first.family is family:
            _add(found.addresses, _neighbours(first.value, last.value), family.all_ones)
        case NumberRange(first, last):
            _add(found.numbers, _neighbours(first, last), 0xFFFFFFFF)
        case MaskedMark(mark, mask):
            _add(found.marks, (mark, mark | ~mask & 0xFFFFFFFF, mark ^ mask), 0xFFFFFFFF)
        case Connmark():
            masks = (value.value, value.ctmask, value.nfmask)
            _add(found.marks, (*masks, *(mask ^ 0xFFFFFFFF for mask in masks)), 0xFFFFFFFF)
        case ast.Interface(name, wildcard):
            _add_interface(found, name, wildcard=wildcard)
        case MessageType(number, code):
            _add(found.message_types, _neighbours(number, number), 255)
            _add(found.message_codes, _neighbours(code or 0, code or 0), 255)
        case ast.Rule() if value.protocol:
            found.protocols.setdefault(value.protocol.value)


def _collect_part(found: Constants, part: PortPart | InterfacePart | MarkPart) -> None:
    """What elements of ipsets have."""
    match part:
        case PortPart(protocol, number):
            found.protocols.setdefault(protocol)
            _add(found.ports, _neighbours(number, number), 0xFFFF)
            _add(found.message_types, (number >> 8,), 255)
            _add(found.message_codes, (number & 0xFF,), 255)
        case InterfacePart(name, wildcard):
            _add_interface(found, name, wildcard=wildcard)
        case MarkPart(mark):
            _add(found.marks, (mark,), 0xFFFFFFFF)


def _neighbours(first: int, last: int) -> tuple[int, ...]:
    return (first, last, first - 1, last + 1, (first + last) // 2)


def _add(found: dict[int, None], values: Iterable[int], largest: int) -> None:
    for value in values:
        if 0 <= value <= largest:
            found.setdefault(value)


def _add_interface(found: Constants, name: str, *, wildcard: bool) -> None:
    names = (
        (f"{name}0", name, name[:-1], f"{name}xyz") if wildcard else (name, f"{name}0", name[:-1])
    )
    for one in names:
        if 0 < len(one.encode("utf-8", "surrogateescape")) < 16:
            found.interfaces.setdefault(interface_word(one))
