"""nft's ruleset: tables with their chains, rules, sets and counters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.values import Family

if TYPE_CHECKING:
    from ..core.span import Span
    from .expressions import Expression
    from .statements import Statement


@attrs.frozen
class Rule:
    """Statements, tried in order."""

    statements: tuple[Statement, ...]
    comment: str = ""
    #: The iptables rule it comes from.
    origin: Span | None = attrs.field(default=None, eq=False, repr=False)


@attrs.frozen
class Hook:
    """Where the kernel calls a base chain."""

    type: str  #: ``filter``, ``nat`` or ``route``
    name: str  #: ``prerouting``, ``input``, ``forward``, ``output`` or ``postrouting``
    priority: int  #: lower runs earlier
    policy: str = "accept"  #: what becomes of a packet that no rule decided


@attrs.frozen
class Chain:
    """Rules, and for a base chain its place in the kernel."""

    name: str
    rules: tuple[Rule, ...] = ()
    hook: Hook | None = None


@attrs.frozen
class Set:
    """A named set of keys."""

    name: str
    type: str  #: the key's data type: ``ipv4_addr``, ``ipv6_addr``, ...
    flags: tuple[str, ...] = ()  #: ``dynamic``, ``timeout``, ``interval``
    timeout: int | None = None  #: seconds an element stays
    size: int | None = None  #: the most elements
    elements: tuple[Expression, ...] = ()


@attrs.frozen
class Counter:
    """A named counter."""

    name: str


@attrs.frozen
class Table:
    """A family's chains and the objects that their rules name."""

    family: Family
    name: str
    chains: tuple[Chain, ...] = ()
    sets: tuple[Set, ...] = ()
    counters: tuple[Counter, ...] = ()


@attrs.frozen
class Ruleset:
    """Tables, in the order in which they are written."""

    tables: tuple[Table, ...] = ()
