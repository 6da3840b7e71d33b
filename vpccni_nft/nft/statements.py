"""nft statements: what a rule does, one after another, until one of them ends it.

A match is a statement too: where it is false, or where its expression has no value, the rule ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .expressions import (
    AnonymousSet,
    Binary,
    Concat,
    Expression,
    Host,
    Meta,
    Numgen,
    Pair,
    SetReference,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from . import ast


class Statement:
    """One step of a rule."""

    __slots__ = ()


@attrs.frozen
class Match(Statement):
    """Go on only where the comparison holds."""

    left: Expression
    #: ``==``, ``!=``, ``<``, ``>``, ``<=``, ``>=``; ``in`` and ``!``: some or none of these bits
    operator: str
    right: Expression


@attrs.frozen
class Counter(Statement):
    """Count packets and bytes in the rule itself."""

    packets: int = 0
    bytes: int = 0


@attrs.frozen
class NamedCounter(Statement):
    """Count in an object of the table."""

    name: str


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


@attrs.frozen
class Goto(Verdict):
    """Into a chain, and back to the caller of this one at its end."""

    chain: str


@attrs.frozen
class VerdictMap(Statement):
    """The verdict that a map holds for a key: ``tcp dport vmap { 80 : accept }``.

    Where it holds none, the rule ends as after a match that fails.
    """

    key: Expression
    map: AnonymousSet | SetReference


@attrs.frozen
class Limit(Statement):
    """Go on only while packets are no more than a rate, or only beyond it: ``limit rate over``."""

    rate: int
    per: str  #: ``second``, ``minute``, ``hour``, ``day`` or ``week``
    burst: int = 5  #: packets that may come at once; bytes beyond those of one period
    over: bool = False
    unit: str = "packets"  #: or ``bytes``


@attrs.frozen
class CtCount(Statement):
    """Go on only while no more connections than this were seen, or beyond it: ``ct count over``."""

    count: int
    over: bool = False


@attrs.frozen
class Quota(Statement):
    """Go on until so many bytes have come, or only beyond them: ``quota over 1000 bytes``."""

    bytes: int
    over: bool = False
    used: int = 0  #: bytes that have come


@attrs.frozen
class Set(Statement):
    """Give a key a value: ``meta mark set 0x1``."""

    key: Expression
    value: Expression


@attrs.frozen
class Nat(Statement):
    """Bind the connection to new addresses or ports; ends the base chain as accept does."""

    kind: str  #: ``snat``, ``dnat``, ``masquerade`` or ``redirect``
    address: Expression | None = None  #: a Host or a Range of them, or a Lookup
    port: Expression | None = None  #: a Number or a Range of them
    flags: tuple[str, ...] = ()  #: ``random``, ``fully-random``, ``persistent``
    #: Whether ``address`` is a Prefix for the first bits only; the others stay as they are.
    prefix: bool = False


@attrs.frozen
class Reject(Verdict):
    """Drop the packet and tell its sender."""

    protocol: str  #: ``icmp``, ``icmpv6`` or ``tcp``
    reason: str  #: an ICMP type's name, or ``reset``


@attrs.frozen
class Log(Statement):
    """Write a line to the kernel's log, or with ``group`` give the packet to a program."""

    prefix: str = ""
    level: str = ""  #: empty: warn; ``audit`` goes without all else
    flags: tuple[str, ...] = ()  #: ``tcp sequence``, ``ip options``, ``skuid``, ...
    group: int | None = None  #: of nfnetlink_log; goes without a level and flags
    snaplen: int | None = None  #: the most bytes of a packet that a group is given
    threshold: int | None = None  #: packets of a group that are given at once


@attrs.frozen
class Queue(Statement):
    """Let a program decide; ends the base chain where it accepts."""

    first: int = 0
    last: int = 0
    flags: tuple[str, ...] = ()  #: ``bypass``: accept where no program listens; ``fanout``: by CPU


@attrs.frozen
class Dup(Statement):
    """Send a copy of the packet to a gateway."""

    address: Host
    device: str = ""


@attrs.frozen
class Tproxy(Statement):
    """Give the packet to a transparent socket; ends the rule where there is none."""

    address: Host | None = None  #: None: the first address of the incoming interface
    port: int | None = None  #: None or 0: the packet's own


@attrs.frozen
class Synproxy(Statement):
    """Answer TCP handshakes in place of the server; ends the packet where it has SYN or ACK."""

    mss: int | None = None
    wscale: int | None = None
    flags: tuple[str, ...] = ()  #: ``timestamp``, ``sack-perm``


@attrs.frozen
class Notrack(Statement):
    """Keep the packet out of connection tracking."""


@attrs.frozen
class UpdateSet(Statement):
    """Change a named set: ``update @name { ip saddr }``."""

    operation: str  #: ``add``, ``update`` (refreshes the timeout) or ``delete``
    set: str
    key: Expression
    timeout: int | None = None  #: seconds that the element stays; None: the set's own
    #: What each element keeps a state of its own for; where it says no, the rule ends.
    limit: Limit | CtCount | None = None


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


def is_stateful(statement: Statement) -> bool:
    """Whether its place matters: it draws, or answers by what it has seen itself."""
    if isinstance(statement, Match):
        return _draws_or_is_random(statement.left)
    if isinstance(statement, VerdictMap):
        return _draws_or_is_random(statement.key)
    if isinstance(statement, UpdateSet):
        return isinstance(statement.limit, CtCount)
    return isinstance(statement, Limit | CtCount | Quota)


def _draws_or_is_random(expression: Expression) -> bool:
    """Whether the value is drawn or counted anew each time."""
    inner = expression.left if isinstance(expression, Binary) else expression
    return isinstance(inner, Numgen) or inner == Meta("random")
