"""nft's ruleset: tables with their chains, rules, sets and counters.

What nft cannot hold or write is a ValueError at construction: a word that a closed set lacks, a
name, a comment, an element that is no value of its set's type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ..core.node import Node
from ..core.typed import Typed, require_types
from ..core.values import Family, families_of
from . import datatypes
from .datatypes import KeyType, key_type
from .expressions import Expression, Pair, require_data
from .names import checked, checked_string
from .words import (
    HOOKS_OF_TYPE,
    ChainType,
    HookName,
    OtherFamily,
    Policy,
    SetFlag,
    SetPolicy,
    TableFlag,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..core.span import Span
    from ..core.values import TableFamily
    from .objects import NamedObject
    from .statements import Statement


@attrs.frozen
class Rule(Node):
    """Statements, tried in order."""

    statements: tuple[Statement, ...]
    comment: str = ""
    #: The iptables rule it comes from, or its own place where it was read from nft.
    origin: Span | None = attrs.field(default=None, eq=False, repr=False)
    #: Further iptables rules that it does the work of.
    also: tuple[Span, ...] = attrs.field(default=(), eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        require_types(self)
        if self.comment:
            checked_string(self.comment)

    @property
    def origins(self) -> tuple[Span, ...]:
        """All the iptables rules that it stands for."""
        return (self.origin, *self.also) if self.origin else self.also


#: What the names of priorities stand for in the families ip and ip6: nft(8), base chains.
PRIORITIES = {
    "raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100,
}  # fmt: skip


@attrs.frozen
class Hook(Typed):
    """Where the kernel calls a base chain."""

    type: ChainType = attrs.field(converter=ChainType)
    name: HookName = attrs.field(converter=HookName)
    priority: int  #: lower runs earlier
    #: What becomes of a packet that no rule decided.
    policy: Policy = attrs.field(default=Policy.ACCEPT, converter=Policy)
    devices: tuple[str, ...] = ()  #: of the hook ingress alone, which is one of devices

    def __attrs_post_init__(self) -> None:
        if self.name not in HOOKS_OF_TYPE[self.type]:
            raise ValueError(f"a chain of type {self.type} has no hook {self.name}")
        if (self.name is HookName.INGRESS) != bool(self.devices):
            raise ValueError(f"the hook {self.name} is not one of these devices")
        if not -(1 << 31) <= self.priority < 1 << 31:
            raise ValueError(f"a priority is a signed number of 32 bits, not {self.priority}")


@attrs.frozen
class Chain(Typed):
    """Rules, and for a base chain its place in the kernel."""

    name: str
    rules: tuple[Rule, ...] = ()
    hook: Hook | None = None
    comment: str = ""

    def __attrs_post_init__(self) -> None:
        checked(self.name)
        checked_string(self.comment)


def _flags(flags: Iterable[str]) -> tuple[SetFlag, ...]:
    return tuple(map(SetFlag, flags))


@attrs.frozen
class Set(Typed):
    """A named set of keys."""

    name: str
    #: The key's data types, also as they are written: ``ipv4_addr . inet_service``.
    type: KeyType = attrs.field(converter=key_type)
    flags: tuple[SetFlag, ...] = attrs.field(default=(), converter=_flags)
    timeout: int | None = None  #: seconds an element stays
    size: int | None = None  #: the most elements
    elements: tuple[Expression, ...] = ()
    counts: bool = False  #: whether each element has a counter
    auto_merge: bool = False  #: whether intervals that touch become one
    #: Milliseconds after which the kernel frees what has timed out, which is out of the set before.
    gc_interval: int | None = None
    policy: SetPolicy = attrs.field(default=SetPolicy.PERFORMANCE, converter=SetPolicy)
    comment: str = ""
    #: What has the type of its keys, where that has no name: ``typeof ip length``.
    typeof: Expression | None = None
    #: For each element the iptables rules that it stands for, where that is known.
    origins: tuple[tuple[Span, ...], ...] = attrs.field(default=(), eq=False, repr=False)

    def changed(self, changes: Mapping[str, Any]) -> Set:
        """With other values of some fields; of other elements no origins are known."""
        return super().changed({"origins": (), **changes} if "elements" in changes else changes)

    def __attrs_post_init__(self) -> None:
        checked(self.name)
        checked_string(self.comment)
        for number in (self.timeout, self.size):
            if number is not None and not 0 <= number < 1 << 32:
                raise ValueError(f"a set has no timeout and no size of {number}")
        _require_declared(self.type, self.typeof)
        for element in self.elements:
            element.require_fit(self.type)
            self._require_value(element)

    def _require_value(self, element: Expression) -> None:
        """Only elements of maps have one."""
        match element:
            case Pair():
                raise ValueError("an element of a set has no value")


def _require_declared(key: KeyType, typeof: Expression | None) -> None:
    without = datatypes.unnamed(key)
    if without and (typeof is None or typeof.type != key):
        raise ValueError(f"no set can be declared with {without.name} of {without.bits} bits")


@attrs.frozen
class Map(Set):
    """A named set whose elements are pairs of a key and a value."""

    #: The value's data types; as it is written, or ``verdict``.
    data: KeyType = attrs.field(default=(datatypes.VERDICT,), converter=key_type)
    data_intervals: bool = False  #: whether the values may be ranges: ``interval ipv4_addr``
    #: What has the type of its values, beside ``typeof``; None there: verdicts.
    data_typeof: Expression | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        _require_declared(self.data, self.data_typeof)

    def _require_value(self, element: Expression) -> None:
        require_data(element, self.data)


@attrs.frozen
class CounterObject(Typed):
    """A named counter."""

    name: str
    packets: int = 0
    bytes: int = 0
    comment: str = ""

    def __attrs_post_init__(self) -> None:
        checked(self.name)
        checked_string(self.comment)
        for number in (self.packets, self.bytes):
            if not 0 <= number < 1 << 64:
                raise ValueError(f"a counter is a number of 64 bits, not {number}")


def _table_flags(flags: Iterable[str]) -> tuple[TableFlag, ...]:
    return tuple(map(TableFlag, flags))


@attrs.frozen
class Table(Typed):
    """A family's chains and the objects that their rules name."""

    family: TableFamily
    name: str
    chains: tuple[Chain, ...] = ()
    sets: tuple[Set, ...] = ()  #: and maps; the kernel keeps them in one list
    counters: tuple[CounterObject, ...] = ()
    comment: str = ""
    flags: tuple[TableFlag, ...] = attrs.field(default=(), converter=_table_flags)
    objects: tuple[NamedObject, ...] = ()  #: other than counters

    def __attrs_post_init__(self) -> None:
        checked(self.name)
        checked_string(self.comment)

    def rename_chain(self, old: str, new: str) -> Table:
        """With another name of a chain, also in the verdicts of rules and maps that call it.

        Raises ValueError where the chain is not there, or the name is taken or none of nft's.
        """
        from .statements import Goto, Jump

        names = {chain.name for chain in self.chains}
        if old not in names:
            raise ValueError(f"the table {self.name} has no chain {old}")
        if new != old and new in names:
            raise ValueError(f"the table {self.name} has a chain {new} already")

        def renamed(node: Any) -> Any:
            if isinstance(node, Jump | Goto) and node.chain == old:
                return attrs.evolve(node, chain=new)
            if isinstance(node, Chain) and node.name == old:
                return attrs.evolve(node, name=new)
            return node

        return self.transform(renamed)

    @property
    def is_dormant(self) -> bool:
        """Whether the kernel calls none of its base chains."""
        return TableFlag.DORMANT in self.flags

    @property
    def label(self) -> str:
        """Its name among the tables of a family of packets: no two tables there share one."""
        return self.name if isinstance(self.family, Family) else f"{self.family.value} {self.name}"

    @property
    def families(self) -> tuple[Family, ...]:
        """The families whose packets go through it."""
        return families_of(self.family)


@attrs.frozen
class OtherChain:
    """A base chain whose rules are not read."""

    type: str
    hook: str
    devices: tuple[str, ...] = ()  #: of the family netdev


@attrs.frozen
class OtherTable:
    """A table of the family bridge, arp or netdev, of which it is known where it is called."""

    family: OtherFamily = attrs.field(converter=OtherFamily)
    name: str
    chains: tuple[OtherChain, ...] = ()
    text: tuple[str, ...] = ()  #: all lines about it, without remarks

    def __attrs_post_init__(self) -> None:
        checked(self.name)


@attrs.frozen
class Ruleset(Typed):
    """Tables, in the order in which they are written."""

    tables: tuple[Table, ...] = ()
    others: tuple[OtherTable, ...] = ()  #: of families whose rules are not read

    def rename_chain(self, old: str, new: str) -> Ruleset:
        """With another name of a chain, in all tables that have it, and in what calls it.

        Raises ValueError where no table has the chain, or one cannot call it so.
        """
        having = [table for table in self.tables if any(old == one.name for one in table.chains)]
        if not having:
            raise ValueError(f"no table has a chain {old}")
        tables = (one.rename_chain(old, new) if one in having else one for one in self.tables)
        return attrs.evolve(self, tables=tuple(tables))
