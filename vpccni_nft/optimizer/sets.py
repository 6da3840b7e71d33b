"""One rule with a named set in place of rules that differ in nothing but what they compare with.

``ip daddr 10.0.0.0/16 return``, ``ip daddr 10.1.0.0/16 return``, ... become ``ip daddr @NAME
return``. The fields that differ are the key; several are one key of several parts. The other
conditions stand in front of the lookup, and what the rules do stands behind it.

Side conditions, for a row of rules that follow one another:

- they are equal but for the literals of their keys (``keys``), their comments and the numbers of
  their counters, and none draws or keeps a state, so that any order of conditions is the same;
- no two have a key in common; or they do not count and what they do ends the chain, so that it
  does not matter which one of two fits: then keys that touch or overlap become one, where the key
  is one field;
- what they do does not change a field of the key and come back, so that a later rule of the row
  would see another value. With this, a packet fits at most one rule of the row, before and after.

Counters: each element has the counter of its rule. The lookup is the last condition, so that an
element counts exactly the packets that its rule counted. Where one rule has several keys, the first
element goes on from the rule's numbers, and the sum of the elements is the rule's count.

A row of fewer than ``FEWEST`` rules stays as it is, and so does all beyond ``MOST_SETS`` sets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..nft import expressions as x
from ..nft import names
from ..nft import statements as s
from ..nft.ast import Rule, Set
from .calls import MOST_SETS, always_ends, fresh
from .keys import (
    NAMES,
    PORTS,
    Keyed,
    Regions,
    is_range,
    key_expression,
    key_literal,
    key_type,
    keyed,
    needs_protocol,
    read_by,
    whole_key,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from ..core.span import Span
    from ..nft.ast import Chain, Table
    from .calls import Calls
    from .keys import Key

#: The fewest rules that become one: fewer cost a packet no more than a lookup.
FEWEST = 3


def gather_sets(table: Table, calls: Calls) -> Table:
    """The table with sets in place of rows of rules."""
    gathering = _Gathering(table, calls, {one.name for one in table.sets})
    chains = tuple(map(gathering.chain, table.chains))
    if not gathering.sets:
        return table
    return attrs.evolve(table, chains=chains, sets=(*table.sets, *gathering.sets))


@attrs.define
class _Gathering:
    table: Table
    calls: Calls
    taken: set[str]
    sets: list[Set] = attrs.Factory(list)

    def chain(self, chain: Chain) -> Chain:
        if len(chain.rules) < FEWEST:
            return chain
        counting = {one.name for one in self.table.sets if one.counts}
        rules: list[Rule] = []
        row: list[Keyed] = []
        shape: Hashable = None
        for rule in chain.rules:
            taken_apart = keyed(rule, counting)
            its_shape = self._shape(taken_apart)
            if row and (its_shape is None or its_shape != shape):
                rules += self._rules(row, chain.name)
                row = []
            row.append(taken_apart)
            shape = its_shape
        rules += self._rules(row, chain.name)
        if len(rules) == len(chain.rules):
            return chain
        return attrs.evolve(chain, rules=tuple(rules))

    def _shape(self, one: Keyed) -> Hashable:
        """What rules of one row have in common; None for a rule that stays alone."""
        if not one.fields or self.calls.place_matters(one.rest):
            return None
        counted, does = split_counter(one.rest)
        if any(isinstance(step, s.Counter) for step in does):
            return None
        kinds = tuple(field if field in one.fields else match for match, field in one.conditions)
        return kinds, counted is not None, does

    def _rules(self, row: Sequence[Keyed], home: str) -> Iterator[Rule]:
        """What replaces a row of rules of one shape."""
        order = self._differing(row) if len(row) >= FEWEST else ()
        start = 0
        while start < len(row):
            end, rule = self._gathered(row, start, order, home)
            if rule is None:
                yield from (one.rule for one in row[start:end])
            else:
                yield rule
            start = end

    def _gathered(
        self, row: Sequence[Keyed], start: int, order: tuple[str, ...], home: str
    ) -> tuple[int, Rule | None]:
        """Where the rules end that become one, and that one."""
        first = row[start]
        counter, does = split_counter(first.rest)
        if (
            not order
            or len(row) - start < FEWEST
            or len(self.taken) >= MOST_SETS
            or ("protocol" in order and needs_protocol((*first.conditions_but(set(order)), *does)))
            or not self.calls.written(does).isdisjoint(read_by(order, self.table.family))
        ):
            return len(row), None
        free = counter is None and bool(does) and always_ends(does[-1])
        regions, elements, end = Regions(order), [], start
        for one in row[start:]:
            new = _elements(one, order, regions, free=free and len(order) == 1)
            if new is None:
                break
            elements += new
            end += 1
        if end - start < FEWEST:
            return max(end, start + 1), None
        members = row[start:end]
        same_comment = len({one.rule.comment for one in members}) == 1
        if free and len(order) == 1:
            elements = _merged(elements)
        name = fresh(home.lstrip("."), self.taken)
        self.sets.append(
            Set(
                name,
                key_type(order, *self.table.families),
                flags=("interval",) if any(is_range(one.key) for one in elements) else (),
                elements=tuple(one.literal(with_comment=not same_comment) for one in elements),
                counts=counter is not None,
                comment=names.comment(f"{len(members)} rules of {home}"),
                origins=tuple(one.origins for one in elements),
            )
        )
        return end, self._rule(first, order, name, does, first.rule.comment * same_comment)

    def _differing(self, row: Sequence[Keyed]) -> tuple[str, ...]:
        """The fields that not all rules compare with the same; ports go with the protocol."""
        first = row[0]
        fields = {
            field
            for field, literals in first.fields.items()
            if any(one.fields[field] != literals for one in row)
        }
        if "protocol" in fields:
            fields |= first.fields.keys() & set(PORTS)
            return whole_key(fields)
        return tuple(field for field in whole_key(fields | {"protocol"}) if field in fields)

    def _rule(
        self,
        first: Keyed,
        order: tuple[str, ...],
        name: str,
        does: tuple[s.Statement, ...],
        comment: str,
    ) -> Rule:
        protocol = "th"
        for match, field in first.conditions:
            if field in PORTS and isinstance(match.left, x.Payload) and "protocol" not in order:
                protocol = match.left.protocol
        (family,) = self.table.families
        key = key_expression(order, family, protocol)
        lookup = s.Match(key, "==", x.SetReference(name))
        conditions = first.conditions_but(frozenset(order))
        return Rule((*conditions, lookup, *does), comment)


@attrs.frozen
class _Element:
    """An element to be."""

    key: Key
    literals: tuple[x.Expression, ...]
    counter: s.Counter | None
    comment: str
    origins: tuple[Span, ...]

    def literal(self, *, with_comment: bool) -> x.Expression:
        return element(
            key_literal(self.literals), self.counter, self.comment if with_comment else ""
        )


def element(key: x.Expression, counter: s.Counter | None = None, comment: str = "") -> x.Expression:
    """A key with the numbers of a counter, where it has counted, and a comment."""
    numbers = (counter.packets, counter.bytes) if counter else None
    if numbers == (0, 0):
        numbers = None
    return x.Element(key, numbers, comment=comment) if numbers or comment else key


def split_counter(
    rest: tuple[s.Statement, ...],
) -> tuple[s.Counter | None, tuple[s.Statement, ...]]:
    """The counter at the beginning, and what stands behind it."""
    if rest and isinstance(rest[0], s.Counter):
        return rest[0], rest[1:]
    return None, rest


def _elements(
    one: Keyed, order: tuple[str, ...], regions: Regions, *, free: bool
) -> list[_Element] | None:
    """The elements for a rule, or None where one has something in common with those before."""
    counter, _ = split_counter(one.rest)
    found: list[_Element] = []
    for key, literals in one.keys(order):
        if free:
            if is_range(key) and not NAMES.isdisjoint(order):
                return None
        elif not regions.add(key):
            return None
        found.append(_Element(key, literals, counter, one.rule.comment, one.rule.origins))
        counter = s.Counter() if counter else None
    return found


def _merged(elements: list[_Element]) -> list[_Element]:
    """Keys of one field without those that others contain, or that overlap others.

    A network contains another one or has nothing in common with it. Of ranges that overlap in part,
    one gets the length of both.
    """
    kept: list[_Element] = []
    for one in sorted(elements, key=lambda one: (one.key[0][0], _last_first(one.key))):
        before = kept[-1] if kept else None
        if before is None or before.key[0][1] < one.key[0][0]:  # type: ignore[operator]
            kept.append(one)
            continue
        origins = (*before.origins, *one.origins)
        if one.key[0][1] > before.key[0][1]:  # type: ignore[operator]
            key = ((before.key[0][0], one.key[0][1]),)
            literals = (x.Range(_low(before.literals[0]), _high(one.literals[0])),)
            kept[-1] = attrs.evolve(before, key=key, literals=literals, origins=origins)
        else:
            kept[-1] = attrs.evolve(before, origins=origins)
    return kept


def _last_first(key: Key) -> int:
    last = key[0][1]
    return -last if isinstance(last, int) else 0


def _low(literal: x.Expression) -> x.Expression:
    return literal.low if isinstance(literal, x.Range) else literal


def _high(literal: x.Expression) -> x.Expression:
    return literal.high if isinstance(literal, x.Range) else literal
