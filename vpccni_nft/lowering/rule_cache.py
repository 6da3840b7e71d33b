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


#: What is lowered already, by id: the ruleset keeps the nodes.
Known = dict[int, _Lowered]


@attrs.frozen
class _Place:
    """Where rules stand that lower alike."""

    context: Context
    known: Known = attrs.Factory(dict)


#: The places under some hooks, by the protocol and whether the target leaves the chain.
Places = dict[tuple[int | None, bool], _Place]

_base_of = attrgetter(*FIELDS)


class RuleCache:
    """The usual rules of one table, with what is known so far.

    ``make_context`` takes the hooks, the protocol, and whether the target leaves the chain.
    """

    def __init__(
        self,
        family: Family,
        counters: CounterMode,
        make_context: Callable[[frozenset[str], int | None, bool], Context],
    ) -> None:
        self._family = family
        self._counters = counters
        self._make_context = make_context
        self._places: dict[frozenset[str], Places] = {}
        #: For each field of a rule, what lowers it, and what is known of it.
        self._fields: tuple[tuple[Callable[..., Sequence[Piece]], Known], ...] = tuple(
            (lower, {}) for lower in FIELDS.values()
        )
        self._counted: Known = {}
        self._shapes: dict[object, int] = {}
        self._left_out: dict[tuple[int, ...], frozenset[int] | None] = {}

    def lower(  # noqa: PLR0912 - one pass over the parts, for it is called for each rule
        self, rule: iptables.Rule, hooks: frozenset[str]
    ) -> nft.Rule | None:
        """The rule that stands for this one; None where it is not a usual one."""
        place = self._place(rule, hooks)
        known = place.known
        statements: list[s.Statement] = []
        shapes = []
        comment = ""
        for (lower, fields), value in zip(self._fields, _base_of(rule), strict=True):
            if value is not None:
                part = fields.get(id(value)) or self._learn(fields, value, lower, self._family)
                if part is None:
                    return None
                statements += part.statements
                shapes.append(part.shape)
        for match in rule.matches:
            part = known.get(id(match)) or self._learn_match(match, place)
            if part is None:
                return None
            if part.comment:
                if comment:
                    return None
                comment = part.comment
            elif part.statements:
                statements += part.statements
                shapes.append(part.shape)
        shapes.append(-1)  # here end the conditions
        conditions = len(statements)
        if self._counters is not CounterMode.NONE:
            part = self._counted.get(id(rule.counters)) or self._learn_counter(rule)
            statements += part.statements
            shapes.append(part.shape)
        if rule.target:
            part = known.get(id(rule.target)) or self._learn(
                known, rule.target, lower_target, place.context
            )
            if part is None:
                return None
            statements += part.statements
            shapes.append(part.shape)
        shape = tuple(shapes)
        if shape not in self._left_out:
            self._left_out[shape] = _left_out(statements, conditions)
        left_out = self._left_out[shape]
        if left_out is None:
            return None
        if left_out:
            statements = [step for at, step in enumerate(statements) if at not in left_out]
        return nft.Rule(tuple(statements), comment, rule.span)

    def _place(self, rule: iptables.Rule, hooks: frozenset[str]) -> _Place:
        places = self._places.get(hooks)
        if places is None:
            places = self._places[hooks] = {}
        protocol = rule.protocol
        where = (
            None if protocol is None or protocol.negated else protocol.value,
            leaves_chain(rule),
        )
        place = places.get(where)
        if place is None:
            place = places[where] = _Place(_alone(self._make_context(hooks, *where)))
        return place

    def _learn_match(self, match: iptables.Match, place: _Place) -> _Lowered | None:
        if not isinstance(match, Comment):
            return self._learn(place.known, match, lower_match, place.context)
        if not match.text or names.comment(match.text) != match.text:
            return None
        part = place.known[id(match)] = _Lowered((), 0, match.text)
        return part

    def _learn_counter(self, rule: iptables.Rule) -> _Lowered:
        statements = lower_counter(rule, self._counters)
        part = self._counted[id(rule.counters)] = _Lowered(statements, self._shape(statements))
        return part

    def _learn(
        self, known: Known, node: Any, lower: Callable[..., Sequence[Piece]], where: object
    ) -> _Lowered | None:
        """A part, or None where it has a problem, asks for more, or needs a chain."""
        try:
            statements = tuple(lower(node, where))
        except (Problem, _AsksForMoreError):
            return None
        for step in statements:
            if not isinstance(step, s.Statement):
                return None
        part = known[id(node)] = _Lowered(statements, self._shape(statements))  # type: ignore[arg-type]
        return part

    def _shape(self, statements: Sequence[Piece]) -> int:
        return self._shapes.setdefault(tuple(map(_told_apart, statements)), len(self._shapes))


def _alone(context: Context) -> Context:
    """The context without what the rules of a table share."""
    nothing: Any = _NotHere()
    return attrs.evolve(
        context, objects=nothing, report=nothing, recent_lists=nothing, limit_tables=nothing
    )


def _told_apart(step: Piece) -> object:
    """All of a statement that ``without_implied_protocol`` and ``kept_apart`` look at."""
    if isinstance(step, s.Match):
        right = step.right
        return step.left, step.operator, right if isinstance(right, x.Protocol) else type(right)
    return (s.VerdictMap, step.key) if isinstance(step, s.VerdictMap) else type(step)


def _left_out(steps: Sequence[s.Statement], conditions: int) -> frozenset[int] | None:
    """Which statements a rule does not need; None where others must be written instead.

    So many of them are conditions.
    """
    kept = without_implied_protocol(steps[:conditions])
    whole = (*kept, *steps[conditions:])
    if kept_apart(whole) != whole:  # type: ignore[arg-type]
        return None
    ahead = iter(kept)
    following = next(ahead, None)
    left_out = set()
    for at, step in enumerate(steps[:conditions]):
        if step is following:
            following = next(ahead, None)
        else:
            left_out.add(at)
    return frozenset(left_out)
