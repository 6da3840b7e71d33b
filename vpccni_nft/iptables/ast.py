"""What iptables-save says: tables with their chains and rules.

The nodes of matches and targets live with the rest of what is known of them, in ``extensions``;
here is only what every rule can have. Equality is about meaning: places, the dump's remarks and
counters that are only copies of it do not take part.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import attrs

from ..core.node import Node
from ..core.typed import Typed, require_types
from ..core.values import Family, Negatable, Network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.span import Places, Span
    from ..ipset.ast import IpSet


class Match(Typed):
    """A condition that ``-m`` adds to a rule."""

    __slots__ = ()
    in_a_line = True

    @property
    def draws(self) -> bool:
        """Whether it answers anew each time: by chance, or by counting."""
        return False

    @property
    def shares(self) -> tuple[str, str] | None:
        """What of the kernel's all matches with the same value use together: its kind and name."""
        return None


class Target(Typed):
    """What a rule does with the packets that fit it."""

    __slots__ = ()
    in_a_line = True


class Policy(enum.Enum):
    """What becomes of a packet that reaches the end of a built-in chain."""

    ACCEPT = "ACCEPT"
    DROP = "DROP"


@attrs.frozen
class Counters(Typed):
    """What has passed so far."""

    packets: int
    bytes: int

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.packets < 1 << 64 or not 0 <= self.bytes < 1 << 64:
            raise ValueError("counters are numbers of 64 bits")


#: The longest name of an interface (IFNAMSIZ, with its zero at the end).
NAME_BYTES = 15


@attrs.frozen
class Interface(Typed):
    """An interface's name; with ``wildcard`` (a ``+`` at its end) all names that begin so."""

    in_a_line = True

    name: str
    wildcard: bool = False

    def __attrs_post_init__(self) -> None:
        if len(self.name.encode("utf-8", "surrogateescape")) > NAME_BYTES:
            raise ValueError(f"an interface's name has at most {NAME_BYTES} bytes")

    @property
    def is_any(self) -> bool:
        """Whether it is the lone ``+`` that every interface fits, even none."""
        return self.wildcard and not self.name

    def __str__(self) -> str:
        return self.name + "+" * self.wildcard


@attrs.frozen
class Jump(Target):
    """``-j CHAIN``: go through a chain of this table, and on with the next rule."""

    chain: str


@attrs.frozen
class Goto(Target):
    """``-g CHAIN``: go through a chain, then on where this chain was called from."""

    chain: str


@attrs.frozen
class UnknownMatch(Match):
    """A match that has no room here, as it was written."""

    name: str
    words: tuple[str, ...]


@attrs.frozen
class UnknownTarget(Target):
    """A target that has no room here, as it was written."""

    name: str
    words: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Rule(Node):
    """One ``-A`` line: packets that fit all of it are counted and given to the target.

    The kernel tests the fields first, then the matches in their order (ip_tables.c, ipt_do_table).
    """

    source: Negatable[Network] | None = None
    destination: Negatable[Network] | None = None
    in_interface: Negatable[Interface] | None = None
    out_interface: Negatable[Interface] | None = None
    protocol: Negatable[int] | None = None
    fragment: Negatable[bool] | None = None  #: ``-f``: second and further fragments; IPv4 only
    matches: tuple[Match, ...] = ()
    target: Target | None = None  #: None: only count
    counters: Counters | None = None
    span: Span | None = attrs.field(default=None, eq=False, repr=False)
    places: Places | None = attrs.field(default=None, eq=False, repr=False)
    #: The spelling of the protocol, which depends on the dumping host's /etc/protocols.
    protocol_name: str = attrs.field(default="", eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        require_types(self)
        protocol = self.protocol
        if protocol is not None and not 0 <= protocol.value <= 255:
            raise ValueError(f"a protocol is a number from 0 to 255, not {protocol.value}")
        source = self.source
        if source and self.destination and source.value.family is not self.destination.value.family:
            raise ValueError("the source and the destination are of one family")

    def changed(self, changes: Mapping[str, Any]) -> Rule:
        """With other values of some fields; other parts stand nowhere in the text."""
        kept = self.places if {"matches", "target"}.isdisjoint(changes) else None
        return attrs.evolve(self, **{"places": kept, **changes})

    @property
    def match_spans(self) -> tuple[Span, ...]:
        """Where each match stands; empty where the rule was not read from a text."""
        if not self.span or not self.places:
            return ()
        return tuple(self.places.span(self.span, place) for place in self.places.matches)

    @property
    def target_span(self) -> Span | None:
        """Where the target stands."""
        if not self.span or not self.places or not self.places.target:
            return None
        return self.places.span(self.span, self.places.target)


@attrs.frozen
class Chain(Typed):
    """A chain and its rules."""

    in_a_line = True

    name: str
    policy: Policy | None = None  #: None for a chain that is not built in
    rules: tuple[Rule, ...] = ()
    counters: Counters | None = None  #: what the policy has decided so far
    span: Span | None = attrs.field(default=None, eq=False, repr=False)


@attrs.frozen
class Table(Typed):
    """One ``*table`` section of a dump."""

    in_a_line = True

    family: Family
    name: str
    chains: tuple[Chain, ...] = ()
    span: Span | None = attrs.field(default=None, eq=False, repr=False)
    generated: str = attrs.field(default="", eq=False, repr=False)  #: the remark before it
    completed: str = attrs.field(default="", eq=False, repr=False)  #: the remark after it

    @property
    def families(self) -> tuple[Family, ...]:
        """The families whose packets go through it, as nft has them."""
        return (self.family,)

    def rename_chain(self, old: str, new: str) -> Table:
        """With another name of a chain, also in the rules that call it.

        Raises ValueError where the chain is not there, is built in, or the name is taken.
        """
        by_name = {chain.name: chain for chain in self.chains}
        if old not in by_name:
            raise ValueError(f"the table {self.name} has no chain {old}")
        if by_name[old].policy is not None:
            raise ValueError(f"{old} is built in: its name is the kernel's")
        if new != old and new in by_name:
            raise ValueError(f"the table {self.name} has a chain {new} already")

        def renamed(node: Any) -> Any:
            if isinstance(node, Jump | Goto) and node.chain == old:
                return attrs.evolve(node, chain=new)
            if isinstance(node, Chain) and node.name == old:
                return attrs.evolve(node, name=new)
            return node

        return self.transform(renamed)


@attrs.frozen
class Ruleset(Typed):
    """All tables of the dumps that were read together."""

    tables: tuple[Table, ...] = ()
    #: What is in the sets that rules name; None where nothing is known of them.
    ipsets: tuple[IpSet, ...] | None = None

    def rename_chain(self, old: str, new: str) -> Ruleset:
        """With another name of a chain, in all tables that have it, and in the rules that call it.

        Raises ValueError where no table has the chain, or one cannot call it so.
        """
        having = [table for table in self.tables if any(old == one.name for one in table.chains)]
        if not having:
            raise ValueError(f"no table has a chain {old}")
        tables = (one.rename_chain(old, new) if one in having else one for one in self.tables)
        return attrs.evolve(self, tables=tuple(tables))
