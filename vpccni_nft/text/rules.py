"""Rules of known shapes, put together from nodes that are known.

What a part of a rule says depends on its words alone. So each is built once, and the same words
give the same node again: a node of a cluster says ``-m statistic`` or ``-p tcp`` thousands of
times. What has a problem is never kept; its line is built word by word, by ``LineBuilder``, which
tells where the problem stands.

The rules of a dump follow one another in the same order of shapes again and again. So a line is
first held against the patterns of the shapes that followed the last one before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import attrs

from ..core.diagnostics import Problem
from ..core.span import WordPlaces
from ..core.values import Negatable, Network
from ..extensions import MATCHES, TARGETS
from ..extensions.options import Evidence, Option, Options, Word
from ..extensions.shared.words import unquote
from ..iptables import ast
from .line import TARGET_KINDS, LineBuilder
from .shapes import Line, Part, is_value, pattern

if TYPE_CHECKING:
    from ..core.diagnostics import Diagnostic
    from ..core.span import Span
    from ..core.values import Family
    from .shapes import Key, Shape, Shapes

#: Nodes of one kind that are kept.
MOST_NODES = 1 << 17

#: Shapes that a line is held against before its own is looked for.
MOST_FOLLOWERS = 3

#: The nodes of the parts with the same options, by the values of these.
Nodes = dict[object, Any]


class WordsAlone(Line):
    """Words that stand nowhere: whoever reads them is told of problems, but not of their places."""

    def span(self, _first: int, _last: int) -> None:
        """No place."""


#: What makes a part's node from its values; it gives None where they have a problem.
Maker = Callable[[Any], Any]

#: A part whose node depends on values: the field that it fills, or the number of the match that it
#: is, what takes its values from those of the line, the nodes that are known by these, and their
#: maker.
Hole = tuple[Any, Callable[[Sequence[str]], Any], Nodes, Maker]


@attrs.frozen(eq=False)
class _Plan:
    """How rules of one shape are put together."""

    pattern: re.Pattern[str] | None  #: lines of this shape, with a group for each value
    values: tuple[int, ...]  #: the places of the values among the words
    fields: dict[Any, Any]  #: those that depend on no value, and None for the others
    matches: dict[Any, Any]  #: the same by their numbers
    field_holes: tuple[Hole, ...]
    match_holes: tuple[Hole, ...]
    chain: Callable[[Sequence[str]], str]
    followers: list[_Plan] = attrs.Factory(list)  #: the plans of the lines behind, latest first


class KnownRules:
    """The rules of tables whose remark tells this family."""

    def __init__(self, family: Family | None, shapes: Shapes) -> None:
        self.family = family
        self._shapes = shapes
        self._plans: dict[Key, _Plan | None] = {}
        self._nodes: dict[tuple[str, Key], Nodes] = {}
        self._last: _Plan | None = None

    def likely(self, text: str) -> tuple[_Plan, tuple[str, ...]] | None:
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

    def plan(self, key: Key, shape: Shape, line: Line) -> tuple[_Plan, tuple[str, ...]] | None:
        """The same by the line's shape; None where a rule has to be built word by word."""
        if key not in self._plans:
            self._plans[key] = self._make_plan(key, shape, line.words)
        plan = self._plans[key]
        if plan is None:
            return None
        if last := self._last:
            others = [other for other in last.followers if other is not plan]
            last.followers[:] = [plan, *others][:MOST_FOLLOWERS]
        self._last = plan
        return plan, tuple([line.words[place] for place in plan.values])

    def rule(
        self, plan: _Plan, values: tuple[str, ...], whole: Span
    ) -> tuple[str, ast.Rule] | None:
        """The name of a rule's chain and the rule; None where it has a problem."""
        fields = _filled(plan.fields, plan.field_holes, values)
        matches = _filled(plan.matches, plan.match_holes, values)
        if fields is None or matches is None:
            return None
        return plan.chain(values), ast.Rule(matches=tuple(matches.values()), span=whole, **fields)

    def _make_plan(self, key: Key, shape: Shape, words: Sequence[str]) -> _Plan | None:
        """None where some part contradicts another one, belongs to none, or has a problem."""
        bracketed, chain = shape.words
        assert chain is not None
        parts = shape.parts
        if bracketed is not None:
            parts = (Part("bracketed", bracketed, bracketed, (bracketed,)), *parts)
        matches = [part for part in parts if part.kind == "match"]
        others = {_field(part): part for part in parts if part.kind != "match"}
        if len(matches) + len(others) < len(parts) or "stray" in others:
            return None
        values = tuple(place for place, word in enumerate(key) if is_value(word))
        target, protocol = others.get("target"), others.get("protocol")
        fields: dict[str, Any] = {
            "places": WordPlaces(
                tuple((part.first, part.last) for part in matches),
                (target.first, target.last) if target else None,
            )
        }
        field_holes, match_holes = [], []
        for name, part in others.items():
            hole, node = self._hole(name, part, key, words, values)
            if hole:
                field_holes.append(hole)
            elif node is None:
                return None
            fields[name] = node
        found = []
        for place, part in enumerate(matches):
            hole, node = self._hole(place, part, key, words, values)
            if hole:
                match_holes.append(hole)
            elif node is None:
                return None
            found.append(node)
        if protocol:
            place = protocol.options[0].values[0]
            if place in values:
                field_holes.append(("protocol_name", itemgetter(values.index(place)), {}, unquote))
            fields["protocol_name"] = unquote(words[place])
        return _Plan(
            pattern(key, words),
            values,
            fields,
            dict(enumerate(found)),
            tuple(field_holes),
            tuple(match_holes),
            _chain_reader(words, values, chain),
        )

    def _hole(
        self, name: object, part: Part, key: Key, words: Sequence[str], values: tuple[int, ...]
    ) -> tuple[Hole | None, Any]:
        """The hole for a part, or its node where it depends on no value."""
        places = tuple(place for place in values if part.first <= place <= part.last)
        make = self._maker(part, words, places)
        if not places:
            return None, make(())
        known = self._nodes.setdefault((part.kind, key[part.first : part.last + 1]), {})
        return (name, itemgetter(*map(values.index, places)), known, make), None

    def _maker(self, part: Part, words: Sequence[str], places: tuple[int, ...]) -> Maker:
        """What makes a part's node from the values at these places."""
        if len(places) != 1:
            return self._plain_maker(part, words, places)
        if part.kind in {"jump", "goto"}:
            jump = ast.Jump if part.kind == "jump" else ast.Goto
            return lambda value: jump(unquote(value))
        if part.kind in {"source", "destination"}:
            return self._network_maker(negated=part.options[0].negated)
        if part.kind in {"match", "target"} and part.words[0] not in places:
            return self._extension_maker(part, words, places[0])
        plain = self._plain_maker(part, words, places)
        return lambda value: plain((value,))

    def _plain_maker(self, part: Part, words: Sequence[str], places: tuple[int, ...]) -> Maker:
        def make(values: tuple[str, ...]) -> Any:
            own = list(words)
            for place, value in zip(places, values, strict=True):
                own[place] = value
            problems: list[Diagnostic] = []
            evidence = Evidence()
            try:
                node = LineBuilder(WordsAlone(None, own), problems, evidence).node(part)  # type: ignore[arg-type]
            except Problem:
                return None
            return None if problems or not self._fits(evidence) else node

        return make

    def _network_maker(self, *, negated: bool) -> Maker:
        family = self.family

        def make(value: str) -> Negatable[Network] | None:
            try:
                network = Network.parse(unquote(value))
            except ValueError:
                return None
            return Negatable(network, negated) if network.family is family else None

        return make

    def _extension_maker(self, part: Part, words: Sequence[str], place: int) -> Maker:
        """The same as the plain maker, for an option with one value; the others are made once."""
        name = words[part.words[0]]
        extension = (MATCHES if part.kind == "match" else TARGETS).get(name)
        changing = [option for option in part.options if option.values == (place,)]
        if not extension or len(changing) != 1 or any(option.foreign for option in part.options):
            plain = self._plain_maker(part, words, (place,))
            return lambda value: plain((value,))
        builder = LineBuilder(WordsAlone(None, words), [])  # type: ignore[arg-type]
        options = [builder.option(option) for option in part.options]
        at = part.options.index(changing[0])
        option, negated = options[at].name, options[at].negated
        build, evidence = extension.build, Evidence()
        given = Options(name, (), None, evidence)

        def make(value: str) -> Any:
            options[at] = Option(option, (Word(unquote(value)),), negated)
            given.given = tuple(options)
            evidence.families.clear()
            try:
                node = build(given)
            except Problem:
                return None
            return node if not evidence.families or self._fits(evidence) else None

        return make

    def _fits(self, evidence: Evidence) -> bool:
        """Whether no address contradicts the table; else it is kept where each of them stands."""
        return all(family is self.family for family, _ in evidence.families)


def _filled(
    parts: dict[Any, Any], holes: tuple[Hole, ...], values: tuple[str, ...]
) -> dict[Any, Any] | None:
    """The parts with the nodes for these values; None where one has a problem."""
    parts = parts.copy()
    for place, own, nodes, make in holes:
        key = own(values)
        node = nodes.get(key)
        if node is None:
            node = make(key)
            if node is None:
                return None
            if len(nodes) < MOST_NODES:
                nodes[key] = node
        parts[place] = node
    return parts


def _field(part: Part) -> str:
    """The field of the rule that a part fills."""
    if part.kind in TARGET_KINDS:
        return "target"
    return "counters" if part.kind == "bracketed" else part.kind


def _chain_reader(
    words: Sequence[str], values: tuple[int, ...], place: int
) -> Callable[[Sequence[str]], str]:
    """What reads the name of a rule's chain from the values."""
    if place in values:
        at = values.index(place)
        return lambda values: unquote(values[at])
    name = unquote(words[place])
    return lambda _values: name
