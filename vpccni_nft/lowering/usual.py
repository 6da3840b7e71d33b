"""Usual rules: those that become one nft rule, put together from parts that are lowered already.

What stands for a match depends on the match and on the rule's place, unless it asks for something
of the table: a helper chain, a set, a diagnostic. A node has few different matches and targets,
and the parser gives the same one the same node. So each is lowered once for each place. Whatever
asks for more, or has no translation, is not usual: ``lower_rule`` does the whole rule then.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn

import attrs

from ..core.diagnostics import Problem
from ..extensions.context import Context
from ..extensions.matches.comment import Comment
from ..nft import ast as nft
from ..nft import expressions as x
from ..nft import names
from ..nft import statements as s
from .base import FIELDS
from .merging import kept_apart
from .options import CounterMode
from .rule import leaves_chain, lower_counter, lower_match, lower_target, without_implied_protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..core.span import Span
    from ..core.values import Family
    from ..extensions.extension import Piece, Statements
    from ..iptables import ast as iptables


class _AsksForMoreError(Exception):
    """Raised where a part needs something of its table."""


class _NotHere:
    """Stands for what the rules of a table share: whoever asks for it is not lowered alone."""

    def _refuse(self, *_asked: object) -> NoReturn:
        raise _AsksForMoreError

    __getattr__ = __getitem__ = __setitem__ = __contains__ = __iter__ = __len__ = _refuse


@attrs.frozen
class _Lowered:
    """What stands for a part of a rule."""

    statements: Statements
    shape: int  #: the same for statements that the same becomes of, whatever their values
    comment: str = ""


@attrs.frozen
class _Place:
    """Where rules stand that lower alike."""

    context: Context
    parts: dict[int, _Lowered | None] = attrs.Factory(dict)  #: by id: the ruleset keeps the nodes


_base_of = attrgetter(*FIELDS)


class UsualRules:
    """The usual rules of one table, with what is known so far.

    ``place`` makes a context from the hooks, the protocol, and whether the target leaves the chain.
    """

    def __init__(
        self,
        family: Family,
        counters: CounterMode,
        place: Callable[[frozenset[str], int | None, bool], Context],
    ) -> None:
        self._family = family
        self._counters = counters
        self._make_context = place
        self._places: dict[tuple[frozenset[str], int | None, bool], _Place] = {}
        self._fields: tuple[dict[int, _Lowered | None], ...] = tuple({} for _ in FIELDS)
        self._counted: dict[int, _Lowered | None] = {}
        self._shapes: dict[object, int] = {}
        self._left_out: dict[tuple[int, ...], frozenset[int] | None] = {}

    def lower(self, rule: iptables.Rule, hooks: frozenset[str]) -> nft.Rule | None:
        """The rule that stands for this one; None where it is not a usual one."""
        protocol = rule.protocol
        number = None if protocol is None or protocol.negated else protocol.value
        where = hooks, number, leaves_chain(rule)
        place = self._places.get(where)
        if place is None:
            place = self._places[where] = _Place(_alone(self._make_context(*where)))
        found: list[_Lowered | None] = []
        for name, known, value in zip(FIELDS, self._fields, _base_of(rule), strict=True):
            if value is not None:
                key = id(value)
                if key not in known:
                    known[key] = self._attempt(_lower_field, name, value, self._family)
                found.append(known[key])
        comment = ""
        known = place.parts
        for match in rule.matches:
            key = id(match)
            if key not in known:
                known[key] = self._lower_match(match, place.context)
            part = known[key]
            if part is None or (comment and part.comment):
                return None
            comment = comment or part.comment
            found.append(part)
        conditions = len(found)
        if self._counters is not CounterMode.NONE:
            key = id(rule.counters)
            if key not in self._counted:
                self._counted[key] = self._attempt(lower_counter, rule, self._counters)
            found.append(self._counted[key])
        if target := rule.target:
            key = id(target)
            if key not in known:
                known[key] = self._attempt(lower_target, target, place.context)
            found.append(known[key])
        return self._rule(found, conditions, comment, rule.span)

    def _rule(
        self, parts: Sequence[_Lowered | None], conditions: int, comment: str, origin: Span | None
    ) -> nft.Rule | None:
        """Put the parts together; so many of them are conditions."""
        statements: list[s.Statement] = []
        shapes = [conditions]
        for part in parts:
            if part is None:
                return None
            statements += part.statements
            shapes.append(part.shape)
        shape = tuple(shapes)
        if shape not in self._left_out:
            self._left_out[shape] = _left_out(parts[:conditions], parts[conditions:])
        left_out = self._left_out[shape]
        if left_out is None:
            return None
        if left_out:
            statements = [step for at, step in enumerate(statements) if at not in left_out]
        return nft.Rule(tuple(statements), comment, origin)

    def _lower_match(self, match: iptables.Match, context: Context) -> _Lowered | None:
        if isinstance(match, Comment):
            usual = match.text and names.comment(match.text) == match.text
            return _Lowered((), self._shape(()), match.text) if usual else None
        return self._attempt(lower_match, match, context)

    def _attempt(self, lower: Callable[..., Sequence[Piece]], *given: Any) -> _Lowered | None:
        """A part, or None where it has a problem, asks for more, or needs a chain."""
        try:
            statements = tuple(lower(*given))
        except (Problem, _AsksForMoreError):
            return None
        for step in statements:
            if not isinstance(step, s.Statement):
                return None
        return _Lowered(statements, self._shape(statements))  # type: ignore[arg-type]

    def _shape(self, statements: Sequence[Piece]) -> int:
        return self._shapes.setdefault(tuple(map(_told_apart, statements)), len(self._shapes))


def _alone(context: Context) -> Context:
    """The context without what the rules of a table share."""
    nothing: Any = _NotHere()
    return attrs.evolve(
        context, objects=nothing, report=nothing, recent_lists=nothing, limit_tables=nothing
    )


def _lower_field(name: str, value: Any, family: Family) -> Sequence[s.Match]:
    return FIELDS[name](value, family)


def _told_apart(step: Piece) -> object:
    """All of a statement that ``without_implied_protocol`` and ``kept_apart`` look at."""
    if isinstance(step, s.Match):
        right = step.right
        return step.left, step.operator, right if isinstance(right, x.Protocol) else type(right)
    return (s.VerdictMap, step.key) if isinstance(step, s.VerdictMap) else type(step)


def _left_out(
    conditions: Sequence[_Lowered | None], action: Sequence[_Lowered | None]
) -> frozenset[int] | None:
    """Which statements a rule of these parts does not need; None where others must be written."""
    statements = _statements(conditions)
    kept = without_implied_protocol(statements)
    whole = (*kept, *_statements(action))
    if kept_apart(whole) != whole:
        return None
    ahead = iter(kept)
    following = next(ahead, None)
    left_out = set()
    for at, step in enumerate(statements):
        if step is following:
            following = next(ahead, None)
        else:
            left_out.add(at)
    return frozenset(left_out)


def _statements(parts: Sequence[_Lowered | None]) -> Statements:
    return tuple(step for part in parts if part for step in part.statements)
