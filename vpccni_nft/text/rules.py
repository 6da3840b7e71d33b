"""Rules, put together from the nodes of their parts.

What a part of a rule says depends on its words alone, and a node of a cluster says
``-m statistic`` or ``-p tcp`` thousands of times. So the cache gives the same node for the same
words, unless there was more to say of them: a problem has its place, and so has an address that
the table's family does not decide.

The rules of a dump follow one another in the same order of shapes again and again. So a line is
first compared with the patterns of the shapes that followed the last one before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs

from ..core.caching import caching
from ..core.diagnostics import Problem
from ..core.span import Line, Places, WordPlaces
from ..extensions import MATCHES, TARGETS
from ..extensions.shared.words import unquote
from ..iptables import ast
from .line import BUILDERS, builder_of
from .shapes import Part, is_value, pattern

if TYPE_CHECKING:
    from ..core.span import Span
    from ..core.values import Family
    from .line import NodeBuilder
    from .shapes import Key, Shape, Shapes

#: Nodes of one kind that are kept.
MOST_NODES = 1 << 17

#: Shapes that a line is compared with before its own is looked for.
MOST_FOLLOWERS = 3

#: Kinds of parts that say what a rule does.
TARGET_KINDS = frozenset({"target", "jump", "goto"})

#: The nodes of the parts with the same options, by the values of these.
Nodes = dict[object, Any]


class _Step(NamedTuple):
    """One part of the rules of a shape, and where its node goes."""

    part: Part
    build: Callable[[NodeBuilder, Part, Line], Any]
    field: str | None  #: of the rule; None for a match
    number: int  #: of the match
    values: Callable[[Any], object]  #: takes its own values from those of the line
    known: Nodes


@attrs.define(eq=False)
class _Plan:
    """How rules of one shape are put together."""

    pattern: re.Pattern[str] | None  #: lines of this shape, with a group for each value
    values: tuple[int, ...]  #: the places of the values among the words
    pick: Callable[[Sequence[str]], Sequence[str]]  #: all words, from the values and ``first``
    first: Sequence[str]  #: the words of the first line of this shape
    chain: Callable[[Any], str]  #: takes the chain's name from the values
    places: Places
    steps: tuple[_Step, ...]
    fields: dict[str, Any]  #: those that depend on no value, as far as they are known
    matches: dict[int, Any]  #: the same, by the numbers of the matches
    completes: bool  #: whether iptables-restore adds options to one of its parts
    followers: list[_Plan] = attrs.Factory(list)  #: the plans of the lines behind, latest first

    def settle(self, part: Part, field: str | None, number: int, node: Any) -> None:
        """Take a part from all lines of this shape to say this."""
        if field is None:
            self.matches[number] = node
        else:
            self.fields[field] = node
        self.steps = tuple(step for step in self.steps if step.part is not part)


#: A line's plan, and its values.
Planned = tuple[_Plan, Sequence[str]]


class RuleReader:
    """Reads the rules of tables whose remark names this family."""

    def __init__(self, family: Family | None, shapes: Shapes) -> None:
        self.family = family
        self._shapes = shapes
        self._most = MOST_NODES if caching() else 0
        self._plans: dict[Key, _Plan] = {}
        self._nodes: dict[tuple[str, Key], Nodes] = {}
        self._last: _Plan | None = None

    def likely(self, text: str) -> Planned | None:
        """A line's plan and its values, where it is of a shape that followed the last one."""
        last = self._last
        if last is None:
            return None
        for plan in last.followers:
            found = plan.pattern and plan.pattern.fullmatch(text)
            if found:
                values = found.groups()
                if not self._shapes.spelt_out.isdisjoint(values):
                    return None
                self._last = plan
                return plan, values
        return None

    def plan(self, key: Key | None, shape: Shape, line: Line) -> Planned:
        """The same by the line's shape; for it alone where no key names the shape."""
        if key is None:
            return self._make_plan(None, shape, line), line.words
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._make_plan(key, shape, line)
        if last := self._last:
            others = [other for other in last.followers if other is not plan]
            last.followers[:] = [plan, *others][:MOST_FOLLOWERS]
        self._last = plan
        return plan, [line.words[place] for place in plan.values]

    def rule(
        self,
        plan: _Plan,
        values: Sequence[str],
        builder: NodeBuilder,
        whole: Span,
        line: Line | None = None,
    ) -> tuple[str, ast.Rule]:
        """The name of a rule's chain, and the rule without the parts that have a problem."""
        fields, matches = plan.fields.copy(), plan.matches.copy()
        diagnostics, families = builder.diagnostics, builder.evidence.families
        for part, build, field, number, take, known in plan.steps:
            own = take(values)
            node = known.get(own)
            if node is None:
                if line is None:
                    line = Line(whole, plan.pick((*values, *plan.first)))
                before = len(diagnostics) + len(families)
                try:
                    node = build(builder, part, line)
                except Problem as problem:
                    diagnostics.append(problem.at(whole))
                    continue
                if len(diagnostics) + len(families) == before and len(known) < self._most:
                    if own is None:
                        plan.settle(part, field, number, node)
                    else:
                        known[own] = node
                if node is None:
                    continue
            if field is None:
                matches[number] = node
            else:
                fields[field] = node
        source, destination = fields.get("source"), fields.get("destination")
        if source and destination and source.value.family is not destination.value.family:
            del fields["destination"]  # one of them is not of the table's, which refuses the line
        rule = ast.Rule(matches=tuple(matches.values()), span=whole, places=plan.places, **fields)
        chain = plan.chain(values)
        return unquote(chain) if '"' in chain else chain, rule

    def _make_plan(self, key: Key | None, shape: Shape, line: Line) -> _Plan:
        """The plan for a shape; without a key every word is a value."""
        words = line.words
        _, chain = shape.words
        assert chain is not None
        values = tuple(place for place in range(len(words)) if key is None or is_value(key[place]))
        steps = tuple(self._steps(shape, key, words, values))
        matches = [step.part for step in steps if step.field is None]
        target = next((step.part for step in steps if step.field == "target"), None)
        given = {place: number for number, place in enumerate(values)}
        others = len(values)
        pick = itemgetter(*(given.get(place, others + place) for place in range(len(words))))
        return _Plan(
            pattern(key, words) if key else None,
            values,
            pick,
            words,
            itemgetter(values.index(chain)) if chain in values else lambda _: words[chain],
            _places(matches, target, line),
            steps,
            {},
            dict.fromkeys(range(len(matches))),
            any(_completes(step.part, line) for step in steps),
        )

    def _steps(
        self, shape: Shape, key: Key | None, words: Sequence[str], values: Sequence[int]
    ) -> Iterator[_Step]:
        matches = 0
        for field, part in _fields(shape):
            places = [at for at, place in enumerate(values) if part.first <= place <= part.last]
            known: Nodes = {}
            if key and places:
                known = self._nodes.setdefault((part.kind, key[part.first : part.last + 1]), known)
            take = itemgetter(*places) if places else _no_value
            build = BUILDERS[part.kind]
            if part.kind in _EXTENSIONS and part.words[0] not in values:
                build = builder_of(part, words[part.words[0]])
            yield _Step(part, build, field, matches, take, known)
            matches += field is None


def _no_value(_values: Sequence[str]) -> None:
    """What a part takes that all lines of a shape have in common."""


_EXTENSIONS = {"match": MATCHES, "target": TARGETS}


def _completes(part: Part, line: Line) -> bool:
    """Whether a part is one of those that iptables-restore adds options to."""
    extension = part.kind in _EXTENSIONS and _EXTENSIONS[part.kind].get(line.words[part.words[0]])
    return bool(extension and extension.options.completed)


def _fields(shape: Shape) -> Iterator[tuple[str | None, Part]]:
    """The parts of a rule, each with the field that it fills; None for a match."""
    bracketed, _ = shape.words
    if bracketed is not None:
        yield "counters", Part("counters", bracketed, bracketed, (bracketed,))
    seen: set[str] = set()
    for part in shape.parts:
        kind = part.kind
        if kind in {"match", "counters", "stray"}:
            yield kind if kind == "counters" else None, part
            continue
        field = "target" if kind in TARGET_KINDS else kind
        if field in seen:
            again = "second_target" if field == "target" else "repeated"
            yield field, attrs.evolve(part, kind=again)
            continue
        seen.add(field)
        yield field, part
        if kind == "protocol":
            name = part.options[0].values[0]
            yield "protocol_name", Part("protocol_name", name, name, (name,))


def _places(matches: Sequence[Part], target: Part | None, line: Line) -> Places:
    """Where the parts of such a line stand: by words, or by columns where its blanks are odd."""

    def stretch(part: Part) -> tuple[int, int]:
        if not line.starts:
            return part.first, part.last
        span = line.span(part.first, part.last)
        return span.start, span.end

    kind = Places if line.starts else WordPlaces
    return kind(tuple(map(stretch, matches)), stretch(target) if target else None)
