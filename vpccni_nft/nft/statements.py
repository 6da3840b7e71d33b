"""nft statements: what a rule does, one after another, until one of them ends it.

A match is a statement too: where it is false, or where its expression has no value, the rule ends.
What nft has no such word or value for is a ValueError at construction.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import attrs

from ..core.typed import Typed
from . import datatypes as t
from .expressions import (
    AnonymousSet,
    Binary,
    Concat,
    Ct,
    Expression,
    Flags,
    Hash,
    Hex,
    Host,
    Interface,
    Lookup,
    Meta,
    Number,
    Numgen,
    Pair,
    Payload,
    Prefix,
    Range,
    SetReference,
    SymmetricHash,
    TcpOption,
)
from .names import PREFIX_LENGTH, checked, checked_string
from .words import (
    CtKey,
    LimitUnit,
    LogFlag,
    LogLevel,
    MetaKey,
    NatFlag,
    NatKind,
    ObjectKind,
    Operator,
    Period,
    QueueFlag,
    RejectProtocol,
    SetOperation,
    SynproxyFlag,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..core.values import Family
    from . import ast


def _require_bits(number: int | None, bits: int, what: str) -> None:
    if number is not None and not 0 <= number < 1 << bits:
        raise ValueError(f"{what} is a number of {bits} bits, not {number}")


def _require_family(address: Expression | None, family: Family | None) -> None:
    """An address is of the family that is said."""
    if family is None:
        return
    ends = (address.low, address.high) if isinstance(address, Range) else (address,)
    found = {end.address.family for end in ends if isinstance(end, Host | Prefix)}
    if found - {family}:
        raise ValueError(f"this is not an address of {family.title}")


class Statement(Typed):
    """One step of a rule."""

    __slots__ = ()


_EQUALITIES = (Operator.EQ, Operator.NE)


@attrs.frozen
class Match(Statement):
    """Go on only where the comparison holds."""

    left: Expression
    #: ``==``, ``!=``, ``<``, ``>``, ``<=``, ``>=``; ``in`` and ``!``: some or none of these bits
    operator: Operator = attrs.field(converter=Operator)
    right: Expression

    def __attrs_post_init__(self) -> None:
        if self.operator not in _EQUALITIES:
            known = (Number, Hex, Host) if self.operator.is_order else (Number, Hex, Flags)
            if not isinstance(self.right, known):
                raise ValueError(f"nothing is “{self.operator}” {self.right!r}")
        if (type_ := self.left.type) is not None:
            self.right.require_fit(type_)


@attrs.frozen
class Counter(Statement):
    """Count packets and bytes in the rule itself."""

    packets: int = 0
    bytes: int = 0

    def __attrs_post_init__(self) -> None:
        _require_bits(self.packets, 64, "a counter")
        _require_bits(self.bytes, 64, "a counter")


@attrs.frozen
class NamedCounter(Statement):
    """Count in an object of the table."""

    name: str

    def __attrs_post_init__(self) -> None:
        checked(self.name)


class Verdict(Statement):
    """Ends the rule and says where the packet goes."""

    __slots__ = ()


@attrs.frozen
class Accept(Verdict):
    """Done with this base chain; later priorities still see the packet."""


@attrs.frozen
class Drop(Verdict):
    """The end of the packet."""


@attrs.frozen
class Return(Verdict):
    """Back to the caller; in a base chain, to its policy."""


@attrs.frozen
class Continue(Verdict):
    """On with the next rule; of use in verdict maps only."""


@attrs.frozen
class Jump(Verdict):
    """Into a chain, and back here at its end."""

    chain: str

    def __attrs_post_init__(self) -> None:
        checked(self.chain)


@attrs.frozen
class Goto(Verdict):
    """Into a chain, and back to the caller of this one at its end."""

    chain: str

    def __attrs_post_init__(self) -> None:
        checked(self.chain)


@attrs.frozen
class VerdictMap(Statement):
    """The verdict that a map holds for a key: ``tcp dport vmap { 80 : accept }``.

    Where it holds none, the rule ends as after a match that fails.
    """

    key: Expression
    map: AnonymousSet | SetReference

    def __attrs_post_init__(self) -> None:
        if (type_ := self.key.type) is not None:
            self.map.require_fit(type_)
        if isinstance(self.map, AnonymousSet):
            self.map.require_data((t.VERDICT,))


@attrs.frozen
class Limit(Statement):
    """Go on only while packets are no more than a rate, or only beyond it: ``limit rate over``."""

    rate: int
    per: Period = attrs.field(converter=Period)
    burst: int = 5  #: packets that may come at once; bytes beyond those of one period
    over: bool = False
    unit: LimitUnit = attrs.field(default=LimitUnit.PACKETS, converter=LimitUnit)

    def __attrs_post_init__(self) -> None:
        _require_bits(self.rate, 64, "a rate")
        _require_bits(self.burst, 32, "a burst")


@attrs.frozen
class CtCount(Statement):
    """Go on only while no more connections than this were seen, or beyond it: ``ct count over``."""

    count: int
    over: bool = False

    def __attrs_post_init__(self) -> None:
        _require_bits(self.count, 32, "a count of connections")


@attrs.frozen
class Last(Statement):
    """Remember when it was last reached; packets see no difference."""

    used: int | None = None  #: milliseconds since then; None: never

    def __attrs_post_init__(self) -> None:
        _require_bits(self.used, 64, "a time")


@attrs.frozen
class ResetOption(Statement):
    """Replace a TCP option by bytes that say nothing; ends the rule where it is not there."""

    name: str  #: nft's word for it, or its number

    def __attrs_post_init__(self) -> None:
        TcpOption(self.name)


@attrs.frozen
class Quota(Statement):
    """Go on until so many bytes have come, or only beyond them: ``quota over 1000 bytes``."""

    bytes: int
    over: bool = False
    used: int = 0  #: bytes that have come

    def __attrs_post_init__(self) -> None:
        _require_bits(self.bytes, 64, "a quota")
        _require_bits(self.used, 64, "a quota")


@attrs.frozen
class Assign(Statement):
    """Give a key a value: ``meta mark set 0x1``."""

    key: Expression
    value: Expression

    def __attrs_post_init__(self) -> None:
        if (type_ := self.key.type) is not None:
            self.value.require_fit(type_)


def _nat_flags(flags: Iterable[str]) -> tuple[NatFlag, ...]:
    return tuple(map(NatFlag, flags))


@attrs.frozen
class Nat(Statement):
    """Bind the connection to new addresses or ports; ends the base chain as accept does."""

    kind: NatKind = attrs.field(converter=NatKind)
    #: A Host or a Range of them, a Lookup, perhaps of addresses with ports, the Payload that has
    #: the address, or what counts, draws or hashes one.
    address: Expression | None = None
    port: Expression | None = None  #: a Number, a Range of them, or a Lookup
    flags: tuple[NatFlag, ...] = attrs.field(default=(), converter=_nat_flags)
    #: Whether ``address`` is a Prefix for the first bits only; the others stay as they are.
    prefix: bool = False
    #: In a table of the family inet: that of the address. Other packets go on behind the rule.
    family: Family | None = None

    def __attrs_post_init__(self) -> None:
        address, port = self.address, self.port
        _require_family(address, self.family)
        if address is not None and self.kind in _WITHOUT_ADDRESS:
            raise ValueError(f"{self.kind} takes ports only")
        if address is None:
            if self.prefix:
                raise ValueError("there is no prefix to bind to")
        elif self.prefix:
            if not isinstance(address, Lookup):
                self._require_kind(address, Prefix)
        elif not isinstance(address, _ONE_OR_BY_PACKET):
            self._require_kind(address, Host)
        if port is not None:
            if not isinstance(port, _ONE_PORT):
                self._require_kind(port, Number)
            port.require_fit(_PORT)

    def _require_kind(self, bound: Expression, kind: type[Expression]) -> None:
        if isinstance(bound, Range):
            fits = isinstance(bound.low, kind) and isinstance(bound.high, kind)
        else:
            fits = isinstance(bound, kind)
        if not fits and bound.type not in _ADDRESSES:
            raise ValueError(f"{self.kind} binds nothing to {bound!r}")


#: One address, and what gives each packet an address of its own.
_ONE_OR_BY_PACKET = (Host, Lookup, Payload, Numgen, Hash, SymmetricHash)
_ONE_PORT = (Number, Lookup)

_PORT = (t.INET_SERVICE,)
#: The types of what a connection can be bound to as it is read from the packet.
_ADDRESSES = ((t.IPV4_ADDR,), (t.IPV6_ADDR,))
_WITHOUT_ADDRESS = (NatKind.MASQUERADE, NatKind.REDIRECT)


#: By protocol of a ``reject``: the reasons, by name, and their codes.
REASONS: Mapping[str, Mapping[str, int]] = {
    "icmp": t.ICMP_CODE.words, "icmpv6": t.ICMPV6_CODE.words, "tcp": {"reset": 0},
    "icmpx": {"no-route": 0, "port-unreachable": 1, "host-unreachable": 2, "admin-prohibited": 3},
}  # fmt: skip


@attrs.frozen
class Reject(Verdict):
    """Drop the packet and notify its sender."""

    protocol: RejectProtocol = attrs.field(converter=RejectProtocol)
    reason: str  #: an ICMP code's name, or that of one for both families, or ``reset``

    def __attrs_post_init__(self) -> None:
        if self.reason not in REASONS[self.protocol]:
            raise ValueError(f"{self.protocol} has no reason “{self.reason}”")


def _log_flags(flags: Iterable[str]) -> tuple[LogFlag, ...]:
    return tuple(map(LogFlag, flags))


@attrs.frozen
class UseObject(Statement):
    """Ask a limit or quota of the table, or give the connection what an object of it says."""

    kind: ObjectKind = attrs.field(converter=ObjectKind)
    name: str

    def __attrs_post_init__(self) -> None:
        checked(self.name)


@attrs.frozen
class Log(Statement):
    """Write a line to the kernel's log, or with ``group`` give the packet to a program."""

    prefix: str = ""
    #: empty: warn; ``audit`` goes without all else
    level: LogLevel = attrs.field(default=LogLevel.WARN, converter=LogLevel)
    flags: tuple[LogFlag, ...] = attrs.field(default=(), converter=_log_flags)
    group: int | None = None  #: of nfnetlink_log; goes without a level and flags
    snaplen: int | None = None  #: the most bytes of a packet that a group is given
    threshold: int | None = None  #: packets of a group that are given at once

    def __attrs_post_init__(self) -> None:
        checked_string(self.prefix, PREFIX_LENGTH)
        _require_bits(self.group, 16, "a group")
        _require_bits(self.snaplen, 32, "a length")
        _require_bits(self.threshold, 16, "a number of packets")
        line = bool(self.level or self.flags)
        group = (self.group, self.snaplen, self.threshold) != (None, None, None)
        if group and (line or self.group is None):
            raise ValueError("a group of nfnetlink_log goes without a level and flags")
        if self.level == "audit" and (self.prefix or self.flags):
            raise ValueError("a record of the audit system goes without all else")


def _queue_flags(flags: Iterable[str]) -> tuple[QueueFlag, ...]:
    return tuple(map(QueueFlag, flags))


@attrs.frozen
class Queue(Statement):
    """Let a program decide; ends the base chain where it accepts."""

    first: int = 0
    last: int = 0
    #: ``bypass``: accept where no program listens; ``fanout``: by CPU
    flags: tuple[QueueFlag, ...] = attrs.field(default=(), converter=_queue_flags)

    def __attrs_post_init__(self) -> None:
        _require_bits(self.first, 16, "a queue")
        _require_bits(self.last, 16, "a queue")
        if self.last < self.first:
            raise ValueError("the queues end before they start")


@attrs.frozen
class Dup(Statement):
    """Send a copy of the packet to a gateway."""

    address: Host | Lookup
    device: str = ""

    def __attrs_post_init__(self) -> None:
        checked_string(self.device, t.NAME_BITS // 8 - 1)


@attrs.frozen
class Tproxy(Statement):
    """Give the packet to a transparent socket; ends the rule where there is none."""

    address: Host | None = None  #: None: the first address of the incoming interface
    port: int | None = None  #: None (beside an address) or 0: the packet's own
    #: In a table of the family inet: that of the address. Other packets end the rule.
    family: Family | None = None

    def __attrs_post_init__(self) -> None:
        _require_family(self.address, self.family)
        _require_bits(self.port, 16, "a port")
        if self.address is None and self.port is None:
            raise ValueError("tproxy wants an address or a port")


def _synproxy_flags(flags: Iterable[str]) -> tuple[SynproxyFlag, ...]:
    return tuple(map(SynproxyFlag, flags))


@attrs.frozen
class Synproxy(Statement):
    """Answer TCP handshakes in place of the server; ends the packet where it has SYN or ACK."""

    mss: int | None = None
    wscale: int | None = None
    flags: tuple[SynproxyFlag, ...] = attrs.field(default=(), converter=_synproxy_flags)

    def __attrs_post_init__(self) -> None:
        _require_bits(self.mss, 16, "a segment size")
        _require_bits(self.wscale, 8, "a window scale")


@attrs.frozen
class Notrack(Statement):
    """Keep the packet out of connection tracking."""


@attrs.frozen
class UpdateSet(Statement):
    """Change a named set: ``update @name { ip saddr }``."""

    operation: SetOperation = attrs.field(converter=SetOperation)
    set: str
    key: Expression
    timeout: int | None = None  #: seconds that the element stays; None: the set's own
    #: What each element keeps a state of its own for; where it says no, the rule ends.
    limit: Limit | CtCount | Quota | Counter | None = None
    value: Expression | None = None  #: of a map: what it holds for the key

    def __attrs_post_init__(self) -> None:
        checked(self.set)
        _require_bits(self.timeout, 32, "a timeout")


def targets(statement: Statement, sets: Mapping[str, ast.Set]) -> Iterator[str]:
    """The chains that a statement may jump or go to, in order; maps are looked up in ``sets``."""
    if isinstance(statement, Jump | Goto):
        yield statement.chain
    elif isinstance(statement, VerdictMap):
        found = statement.map
        for pair in (found if isinstance(found, AnonymousSet) else sets[found.name]).elements:
            if isinstance(pair, Pair) and isinstance(pair.value, Jump | Goto):
                yield pair.value.chain


def has_side_effect(statement: Statement) -> bool:
    """Whether to run it twice differs from running it once."""
    if isinstance(statement, Match):
        return _draws(statement.left)
    if isinstance(statement, VerdictMap):
        return _draws(statement.key)
    return not isinstance(statement, Verdict)


def _draws(expression: Expression) -> bool:
    """Whether each evaluation gives another number."""
    if isinstance(expression, Binary):
        return _draws(expression.left)
    if isinstance(expression, Concat):
        return any(map(_draws, expression.parts))
    return isinstance(expression, Numgen)


# Sets of classes: a node is looked up by its own class, which is quicker than isinstance.
_OF_AN_ELEMENT = frozenset({Numgen, CtCount, Quota, UseObject})
_STATEFUL = _OF_AN_ELEMENT | {Limit}
_MAY_DRAW = frozenset({Meta, Hash})


def _draws_anew(part: Statement | Expression) -> bool:
    if isinstance(part, Meta):
        return part.key is MetaKey.RANDOM
    return isinstance(part, Hash) and part.seed is None


def is_stateful(statement: Statement) -> bool:
    """Whether its place matters: it draws, or answers by what it has seen itself."""
    if _IS_INERT[statement.__class__]:
        return False
    if type(statement) is Match and _IS_INERT[statement.right.__class__]:
        # The usual ones: something, perhaps under a mask, that is compared with a literal.
        left = statement.left
        if type(left) is Binary and _IS_INERT[left.right.__class__]:
            left = left.left
        if type(left) is Meta:
            return left.key is MetaKey.RANDOM
        if _IS_INERT[left.__class__]:
            return False
    # An element of a set has a limit of its own.
    kinds = _OF_AN_ELEMENT if isinstance(statement, UpdateSet) else _STATEFUL
    for part in parts_of(statement):
        kind = part.__class__
        if kind in kinds or (kind in _MAY_DRAW and _draws_anew(part)):
            return True
    return False


class _Inert(dict[object, bool]):
    """Whether nodes of a class hold no other nodes, and neither draw nor keep a state."""

    def __missing__(self, kind: object) -> bool:
        found = self[kind] = not (kind in _STATEFUL or kind in _MAY_DRAW or _inner_fields(kind))
        return found


_IS_INERT = _Inert()


def sets_zone(statement: object) -> bool:
    """Whether it says which zone conntrack is to look for the packet's connection in."""
    return (
        isinstance(statement, Assign)
        and isinstance(statement.key, Ct)
        and statement.key.key is CtKey.ZONE
    )


def sets_of(statement: Statement) -> Iterator[str]:
    """The named sets that a statement looks up in, or changes."""
    for part in parts_of(statement):
        if isinstance(part, UpdateSet):
            yield part.set
        elif isinstance(part, SetReference):
            yield part.name


#: The one interface whose number is the same on every node.
_LOOPBACK = "lo"


def interfaces_by_number(statement: Statement, sets: Mapping[str, ast.Set]) -> Iterator[str]:
    """The interfaces, but for the loopback, whose numbers a statement compares: ``iif "eth0"``."""
    parts = tuple(parts_of(statement))
    if not any(isinstance(part, Meta) and part.key in _NUMBERED for part in parts):
        return
    named = (sets[part.name].elements for part in parts if isinstance(part, SetReference))
    for part in (*parts, *(one for elements in named for key in elements for one in parts_of(key))):
        if isinstance(part, Interface) and part.name != _LOOPBACK:
            yield part.name


_NUMBERED = frozenset({MetaKey.IIF, MetaKey.OIF})


def parts_of(node: Statement | Expression) -> list[Statement | Expression]:
    """A statement and all that it is made of."""
    found: list[Any] = [node]
    for part in found:  # what is in a node follows it
        for name in _inner_fields(part.__class__):
            inner = getattr(part, name)
            if inner.__class__ is tuple:
                found += inner
            elif inner is not None:
                found.append(inner)
    return found


@functools.cache
def _inner_fields(kind: object) -> tuple[str, ...]:
    """The fields of a class of nodes that hold nodes: all but words, numbers and addresses."""
    fields = getattr(kind, "__attrs_attrs__", ())
    return tuple(one.name for one in fields if not one.converter and one.type not in _PLAIN)


#: Types of fields without nodes, as they are written; words of closed sets have a converter.
_PLAIN = {
    "str", "bool", "int", "int | None", "tuple[int, int] | None", "tuple[str, ...]", "Address",
    "Family | None",
}  # fmt: skip
