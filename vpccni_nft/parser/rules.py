"""Rules of known shapes, put together from nodes that are known.

What a part of a rule says depends on its words alone. So each is built once, and the same words
give the same node again: a node of a cluster says ``-m statistic`` or ``-p tcp`` thousands of
times. What has a problem is never kept; its line is built word by word, by ``LineBuilder``, which
tells where the problem stands.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import attrs

from ..core.diagnostics import Problem
from ..core.span import WordPlaces
from ..extensions.options import Evidence
from ..extensions.words import unquote
from ..iptables import ast
from .line import TARGET_KINDS, LineBuilder
from .shapes import Line, Part, is_value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..core.diagnostics import Diagnostic
    from ..core.values import Family
    from .shapes import Key, Shape

#: Nodes of one kind that are kept.
MOST_NODES = 1 << 17

#: The nodes of the parts with the same options, by the values of these.
Nodes = dict[object, Any]


#: How one part of a rule is found: the words of the part that are no part of its shape, the nodes
#: by these, and the part.
Step = tuple["Callable[[Sequence[str]], object]", Nodes, Part]


class WordsAlone(Line):
    """Words that stand nowhere: whoever reads them is told of problems, but not of their places."""

    def span(self, _first: int, _last: int) -> None:  # type: ignore[override]
        """No place."""


@attrs.frozen
class _Plan:
    """How rules of one shape are put together."""

    steps: tuple[Step, ...]  #: of the fields, then of the matches
    fields: tuple[str, ...]
    places: WordPlaces
    chain: int
    protocol: int | None


class KnownRules:
    """The rules of tables whose remark tells this family."""

    def __init__(self, family: Family | None) -> None:
        self.family = family
        self._plans: dict[Key, _Plan | None] = {}
        self._nodes: dict[tuple[str, Key], Nodes] = {}

    def rule(self, key: Key, shape: Shape, line: Line) -> tuple[str, ast.Rule] | None:
        """The name of a rule's chain and the rule; None where it has to be built word by word."""
        plan = self._plans.get(key)
        if plan is None:
            if key in self._plans:
                return None
            plan = self._plans[key] = self._plan(key, shape)
            if plan is None:
                return None
        words = line.words
        found = []
        for values_of, nodes, part in plan.steps:
            values = values_of(words)
            node = nodes.get(values)
            if node is None:
                node = self._build(part, line)
                if node is None:
                    return None
                if len(nodes) < MOST_NODES:
                    nodes[values] = node
            found.append(node)
        fields = plan.fields
        rule = ast.Rule(
            **dict(zip(fields, found, strict=False)),
            matches=tuple(found[len(fields) :]),
            span=line.whole,
            places=plan.places,
            protocol_name="" if plan.protocol is None else unquote(words[plan.protocol]),
        )
        return unquote(words[plan.chain]), rule

    def _plan(self, key: Key, shape: Shape) -> _Plan | None:
        """None where some part contradicts another one, or belongs to none."""
        bracketed, chain = shape.words
        assert chain is not None
        parts = shape.parts
        if bracketed is not None:
            parts = (Part("bracketed", bracketed, bracketed, (bracketed,)), *parts)
        matches = [part for part in parts if part.kind == "match"]
        others = {_field(part): part for part in parts if part.kind != "match"}
        if len(matches) + len(others) < len(parts) or "stray" in others:
            return None
        target, protocol = others.get("target"), others.get("protocol")
        return _Plan(
            tuple(self._step(key, part) for part in (*others.values(), *matches)),
            tuple(others),
            WordPlaces(
                tuple((part.first, part.last) for part in matches),
                (target.first, target.last) if target else None,
            ),
            chain,
            protocol.options[0].values[0] if protocol else None,
        )

    def _step(self, key: Key, part: Part) -> Step:
        own = key[part.first : part.last + 1]
        values = [part.first + place for place, word in enumerate(own) if is_value(word)]
        nodes = self._nodes.setdefault((part.kind, own), {})
        return itemgetter(*values) if values else _no_value, nodes, part

    def _build(self, part: Part, line: Line) -> Any:
        """A part's node, or None where it has a problem or speaks of another family."""
        problems: list[Diagnostic] = []
        evidence = Evidence()
        builder = LineBuilder(WordsAlone(line.whole, line.words), problems, evidence)
        try:
            node = builder.node(part)
        except Problem:
            return None
        if problems or any(family is not self.family for family, _ in evidence.families):
            return None
        return node


def _no_value(_words: Sequence[str]) -> tuple[()]:
    return ()


def _field(part: Part) -> str:
    """The field of the rule that a part fills."""
    if part.kind in TARGET_KINDS:
        return "target"
    return "counters" if part.kind == "bracketed" else part.kind
