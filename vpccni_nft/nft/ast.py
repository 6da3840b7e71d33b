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
    #: The iptables rule it comes from, or its own place where it was read from nft.
    origin: Span | None = attrs.field(default=None, eq=False, repr=False)
    #: Further iptables rules that it does the work of.
    also: tuple[Span, ...] = attrs.field(default=(), eq=False, repr=False)

    @property
    def origins(self) -> tuple[Span, ...]:
        """All the iptables rules that it stands for."""
        return (self.origin, *self.also) if self.origin else self.also


#: What the names of priorities stand for in the families ip and ip6: nft(8), base chains.
PRIORITIES = {
    "raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100,
}  # fmt: skip


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
    comment: str = ""


@attrs.frozen
class Set:
    """A named set of keys."""

    name: str
    type: str  #: the key's data type: ``ipv4_addr``, ``ipv4_addr . inet_service``, ...
    flags: tuple[str, ...] = ()  #: ``dynamic``, ``timeout``, ``interval``
    timeout: int | None = None  #: seconds an element stays
    size: int | None = None  #: the most elements
    elements: tuple[Expression, ...] = ()
    counts: bool = False  #: whether each element has a counter
    auto_merge: bool = False  #: whether intervals that touch become one
    comment: str = ""
    #: For each element the iptables rules that it stands for, where that is known.
    origins: tuple[tuple[Span, ...], ...] = attrs.field(default=(), eq=False, repr=False)


@attrs.frozen
class Map(Set):
    """A named set whose elements are pairs of a key and a value."""

    data: str = "verdict"  #: the value's data type


@attrs.frozen
class Counter:
    """A named counter."""

    name: str
    packets: int = 0
    bytes: int = 0
    comment: str = ""


@attrs.frozen
class Table:
    """A family's chains and the objects that their rules name."""

    family: Family
    name: str
    chains: tuple[Chain, ...] = ()
    sets: tuple[Set, ...] = ()  #: and maps; the kernel keeps them in one list
    counters: tuple[Counter, ...] = ()
    comment: str = ""


@attrs.frozen
class Ruleset:
    """Tables, in the order in which they are written."""

    tables: tuple[Table, ...] = ()
