"""What the meaning of a match or target answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from .oracle import DRAWS, SOCKET, Oracle, OracleKind
from .packet import Binding, Event, NoMeaning, Verdict

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from ..ipset.ast import IpSets
    from .algebra import Bool, Word
    from .lookup import Indices
    from .oracle import Position
    from .packet import State


@attrs.frozen
class View:
    """What the meaning of a match or target may look at."""

    state: State
    #: For oracles that answer anew in each place: random draws, counters. None where none is asked.
    _place: Position | None
    #: Where what it looks at is reached: there a draw is drawn, and a count counted.
    where: Bool
    #: What is in the node's ipsets; None where nothing is known of them.
    sets: IpSets | None = None
    #: All matches of the ruleset that use something together, by what they use.
    sharing: Mapping[tuple[str, str], tuple[Any, ...]] = attrs.Factory(dict)
    #: The tables of sets, by their names, of those that are not the only ones of their names.
    tables: Mapping[str, str] = attrs.Factory(dict)
    #: The sets and maps of the nft table that the rule stands in, by their names.
    named: Mapping[str, Any] = attrs.Factory(dict)
    #: By which elements of sets are found; None: all are tried.
    indices: Indices | None = None

    @property
    def place(self) -> Position | None:
        """Where the rule stands. What reads it may mean something else on another side."""
        if self.state.on_place_read:
            self.state.on_place_read()
        return self._place

    def negate(self, condition: Bool, *, negated: bool) -> Bool:
        """A condition, turned round where the rule has a ``!`` before it."""
        return self.state.algebra.not_(condition) if negated else condition

    def ask(self, oracle: Oracle, *arguments: Word, width: int) -> Word:
        """What the world answers, wherever it is asked."""
        return self.state.algebra.ask(oracle, arguments, width)

    def ask_up_to(self, largest: int, oracle: Oracle, width: int) -> Word:
        """What the world answers where no answer can be larger."""
        algebra, found = self.state.algebra, self.ask(oracle, width=width)
        possible = algebra.ule(found, algebra.const(largest, width))
        return algebra.ite(possible, found, algebra.const(0, width))

    def says(self, oracle: Oracle, *arguments: Word) -> Bool:
        """Whether the world answers yes, wherever it is asked."""
        algebra = self.state.algebra
        return algebra.equal(algebra.ask(oracle, arguments, 1), algebra.const(1, 1))

    def ask_here(self, kind: OracleKind, *parameters: Hashable, width: int) -> Word:
        """What the world answers in this place alone. Raises NoMeaning where it has none."""
        if self.place is None:
            raise NoMeaning("what draws or counts stands in no place of its own")
        before = self.state.history(self.place)
        answer = self.state.algebra.ask(Oracle(kind, self.place, parameters), before, width)
        if kind in DRAWS:
            self.state.use(self.where, Event("draw", (self.place,)))
        elif kind is OracleKind.COUNTER:
            self.state.emit(self.where, Event("turn", (self.place, *parameters)))
        return answer

    def ask_since(self, of: Hashable, oracle: Oracle, *arguments: Word, width: int) -> Word:
        """What the world answers, which is another answer once the packet was given an object."""
        return self.state.ask_since(of, oracle, arguments, width)

    def says_since(self, of: Hashable, oracle: Oracle, *arguments: Word) -> Bool:
        """Whether the world answers yes, which may be another answer then."""
        algebra = self.state.algebra
        return algebra.equal(self.ask_since(of, oracle, *arguments, width=1), algebra.const(1, 1))

    def field_since(self, of: Hashable, field: str) -> Word:
        """A field of the packet, whose value may be another one then."""
        return self.state.field_since(of, field)

    @property
    def has_socket(self) -> Bool:
        """Whether the packet has a socket of a program."""
        algebra = self.state.algebra
        return algebra.equal(self.field_since(SOCKET, "has_socket"), algebra.const(1, 1))

    @property
    def has_other_socket(self) -> Bool:
        """Whether the packet has a socket that is of no program, where it has none of one."""
        return self.says_since(SOCKET, Oracle(OracleKind.SOCKET_OF_NO_PROGRAM))

    def says_of(
        self, kind: OracleKind, of: Hashable, *parameters: Hashable, key: tuple[Word, ...]
    ) -> Bool:
        """Whether something that keeps state answers yes, as it has been used so far."""
        algebra = self.state.algebra
        arguments = (*self.state.history(of), *key)
        answer = algebra.ask(Oracle(kind, of, parameters), arguments, 1)
        return algebra.equal(answer, algebra.const(1, 1))


@attrs.frozen
class Test:
    """What a match says of a packet."""

    holds: Bool
    #: Side effects, which happen where the match is reached: each with its own condition.
    events: tuple[tuple[Bool, Event], ...] = ()
    #: Fields that change where the match is reached, each under a condition of its own.
    assignments: tuple[tuple[Bool, str, Word], ...] = ()


@attrs.frozen(kw_only=True)
class Effect:
    """What a target does. All of it happens where the rule fits, in this order."""

    events: tuple[Event, ...] = ()
    #: Further events, each under a condition of its own.
    events_where: tuple[tuple[Bool, Event], ...] = ()
    #: Fields with their new values, each under a condition of its own.
    assignments: tuple[tuple[Bool, str, Word], ...] = ()
    binding: Binding | None = None  #: ends the table, as accept does
    #: Verdicts that are each given under a condition of its own, before ``verdict``.
    verdicts: tuple[tuple[Bool, Verdict], ...] = ()
    verdict: Verdict | None = None  #: accept ends the table, the others the hook
    returns: bool = False  #: back to the caller
