"""nft statements: what a rule does, one after another, until one of them ends it.

A match is a statement too: where it is false, or where its expression has no value, the rule ends.
"""

from __future__ import annotations

import attrs

from .expressions import AnonymousSet, Binary, Concat, Expression, Numgen, SetReference


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
    burst: int = 5  #: packets that may come at once
    over: bool = False


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


@attrs.frozen
class Reject(Verdict):
    """Drop the packet and tell its sender."""

    protocol: str  #: ``icmp``, ``icmpv6`` or ``tcp``
    reason: str  #: an ICMP type's name, or ``reset``


@attrs.frozen
class Log(Statement):
    """Write a line to the kernel's log."""

    prefix: str = ""
    level: str = ""  #: empty: warn
    flags: tuple[str, ...] = ()  #: ``tcp sequence``, ``ip options``, ``skuid``, ...


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
