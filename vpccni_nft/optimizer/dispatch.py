"""One lookup in a named verdict map in place of rules that each wait for another key.

kube-proxy's KUBE-SERVICES has a rule for each Service: ``ip daddr A tcp dport P jump CHAIN``. A
packet compares with all of them. They become ``ip daddr . meta l4proto . th dport vmap @NAME``.

Take a row of rules that follow one another, and fields that all of them compare (``keys``). The
rules fall into groups, one for each key; no two keys have a packet in common. So a packet fits
rules of one group at most, and the row is the same as: find the group, go through its rules, then
go on behind the row. That needs, for all rules of the row:

- a rule or a chain that it jumps to must not change a field of the key and come back: then rules of
  another group might fit further down. ``Calls`` reads all chains that are called for what they
  set. (NAT sets addresses and ports, but ends the chain.)
- no rule draws or keeps a state, so that the places of draws keep their names;
- RETURN and goto act on the chain that they stand in. They may be an element's verdict. Where a
  group needs a chain of its own, none of its rules may have them.

A group is

- an element with the rule's verdict, where it is one rule that only compares the key, counts, and
  has a verdict; ``continue`` where it only counts;
- else an element that jumps to a helper chain with what the rules do beside comparing the key, in
  their order: other conditions (KUBE-NODEPORTS for 127.0.0.0/8), several rules (KUBE-MARK-MASQ,
  then the Service), ``reject``. Groups that only count and then do the same share one chain. The
  chain begins with the protocol again where nft wants to know it.

Conditions that all rules of the row have stand before the lookup, where they are about what nothing
changes.

Counters: an element counts as its rule did, from the same numbers on; where one rule has several
keys, their sum is the rule's count. Elements of one map all count or none does, so a row may need
two maps. In a helper chain of several rules, the rules keep their counters.

The kernel allows 16 chains on a path, and helper chains make it longer: where that makes a table
too deep, it is done again without helper chains. Rows of fewer than ``FEWEST`` rules or keys stay,
of fewer than ``FEWEST_OF_CHAINS`` where keys need chains of their own, and so does all beyond
``MOST_SETS`` sets. Keys with ranges need Linux 5.6 where they have several parts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ..lowering.depth import MOST_CHAINS
from ..nft import expressions as x
from ..nft import names
from ..nft import statements as s
from ..nft.ast import Chain, Map, Rule
from .calls import MOST_SETS, Calls, fresh
from .keys import (
    Keyed,
    Regions,
    is_range,
    key_expression,
    key_literal,
    key_text,
    key_type,
    keyed,
    needs_protocol,
    read_by,
    whole_key,
)
from .sets import element, split_counter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.span import Span
    from ..nft.ast import Table
    from .keys import Key

#: The fewest rules, and the fewest keys, that become a map.
FEWEST = 3

#: The fewest keys where some of them need chains of their own.
FEWEST_OF_CHAINS = 4

#: A row with fewer fields in its key must be so many times as long to be the better one.
WORTH = 2

#: What an element of a map may say.
_IN_MAPS = (s.Accept, s.Drop, s.Return, s.Jump, s.Goto)
_LEAVES = (s.Return, s.Goto)

#: Conditions on these come to the same before and after any chain.
_LASTING = (
    x.Meta("iifname"), x.Meta("oifname"), x.Meta("l4proto"), x.Payload("ip", "frag-off"),
    *(x.Payload(header, field) for header in ("ip", "ip6") for field in ("saddr", "daddr")),
)  # fmt: skip


def dispatch(table: Table, calls: Calls) -> Table:
    """The table with maps in place of rows of rules."""
    found = _dispatched(table, calls, with_helpers=True)
    longer = len(found.chains) > len(table.chains)
    if longer and Calls.of(found, calls).depth > MOST_CHAINS:
        return _dispatched(table, calls, with_helpers=False)
    return found


def _dispatched(table: Table, calls: Calls, *, with_helpers: bool) -> Table:
    work = _Dispatching(
        table,
        calls,
        with_helpers,
        {one.name for one in table.sets},
        {chain.name for chain in table.chains},
    )
    chains = [work.chain(chain) for chain in table.chains]
    if not work.maps:
        return table
    # This grows the row of helpers: one may have rows of its own.
    chains.extend(map(work.chain, work.helpers))
    return attrs.evolve(table, chains=tuple(chains), sets=(*table.sets, *work.maps))


@attrs.frozen
class _Candidate:
    """A rule that may be part of a row."""

    keyed: Keyed
    fields: frozenset[str]  #: those that it does not change


@attrs.frozen
class _Row:
    """Rules that follow one another, by their keys."""

    order: tuple[str, ...]
    length: int
    groups: dict[Key, list[Keyed]]
    literals: dict[Key, tuple[x.Expression, ...]]

    @property
    def is_worth_it(self) -> bool:
        """Whether there are enough rules and keys for a map."""
        return min(self.length, len(self.groups)) >= FEWEST


@attrs.define
class _Dispatching:
    table: Table
    calls: Calls
    with_helpers: bool
    set_names: set[str]
    chain_names: set[str]
    maps: list[Map] = attrs.Factory(list)
    helpers: list[Chain] = attrs.Factory(list)

    def chain(self, chain: Chain) -> Chain:
        """The chain with maps in place of its rows."""
        if len(chain.rules) < FEWEST:
            return chain
        counting = {one.name for one in self.table.sets if one.counts}
        candidates = [self._candidate(keyed(rule, counting)) for rule in chain.rules]
        rules: list[Rule] = []
        # Where a row by some fields was not worth it, one that begins further down is not either.
        vain: dict[frozenset[str], int] = {}
        start = 0
        while start < len(candidates):
            fields = candidates[start].fields
            made: list[Rule] = []
            if fields and vain.get(fields, 0) <= start and len(self.set_names) < MOST_SETS:
                row = self._best_row(candidates, start)
                made = self._maps(row, chain.name) if row.is_worth_it else []
                end = start + row.length
                if not made:
                    vain[fields] = end
            if made:
                rules += made
                start = end
            else:
                rules.append(chain.rules[start])
                start += 1
        return chain if len(rules) == len(chain.rules) else attrs.evolve(chain, rules=tuple(rules))

    # --- rows ---------------------------------------------------------------------------------

    def _candidate(self, one: Keyed) -> _Candidate:
        """The rule with the fields that it may be found by."""
        if (
            not one.fields
            or self.calls.place_matters(one.rest)
            or any(isinstance(step, s.VerdictMap) for step in one.rest)
        ):
            return _Candidate(one, frozenset())
        fields = frozenset(whole_key(one.fields.keys()))
        written = self.calls.written(one.rest)
        if written:
            family = self.table.family
            fields = frozenset(
                field for field in fields if written.isdisjoint(read_by((field,), family))
            )
        return _Candidate(one, frozenset(whole_key(fields)))

    def _best_row(self, candidates: Sequence[_Candidate], start: int) -> _Row:
        """The longest row from here on, by as many fields as are worth it."""
        fields = candidates[start].fields
        row = self._row(candidates, start, fields)
        while (end := start + row.length) < len(candidates):
            fewer = frozenset(whole_key(fields & candidates[end].fields))
            if not fewer or fewer == fields:
                break
            longer = self._row(candidates, start, fewer)
            if longer.length < WORTH * row.length:
                break
            row, fields = longer, fewer
        if row.is_worth_it and fields < (following := candidates[start + 1].fields):
            # The first rule alone asks for less: without it the others have a better key.
            other = self._row(candidates, start + 1, following)
            if other.length + 1 >= row.length:
                return _Row(row.order, 1, {}, {})
        return row

    def _row(self, candidates: Sequence[_Candidate], start: int, fields: frozenset[str]) -> _Row:
        """The rules from here on that can be found by these fields."""
        order = whole_key(fields)
        groups: dict[Key, list[Keyed]] = {}
        literals: dict[Key, tuple[x.Expression, ...]] = {}
        regions = Regions(order)
        closed: set[Key] = set()  # keys that no further rule can have
        end = start
        while end < len(candidates) and fields <= candidates[end].fields:
            one = candidates[end].keyed
            keys = one.keys(order)
            can_move = self.with_helpers and not any(isinstance(step, _LEAVES) for step in one.rest)
            if not (can_move or _is_element(one, fields)):
                break
            if not all(
                can_move and key not in closed if key in groups else regions.add(key)
                for key, _ in keys
            ):
                break
            for key, its_literals in keys:
                groups.setdefault(key, []).append(one)
                literals[key] = its_literals
                if not can_move:
                    closed.add(key)
            end += 1
        return _Row(order, end - start, groups, literals)

    # --- maps ---------------------------------------------------------------------------------

    def _maps(self, row: _Row, home: str) -> list[Rule]:
        """The rules that stand for a row: lookups, and rules that are too few for a map."""
        fields = frozenset(row.order)
        common = _common_conditions(row, fields)
        elements = {True: [], False: []}  # type: dict[bool, list[_Element]]
        chains = _HelperChains(self, home, row.order, common)
        for key, group in row.groups.items():
            found = chains.element(row.literals[key], tuple(group))
            elements[found.counts].append(found)
        many = [found for found in elements.values() if len(found) >= FEWEST]
        if not many or (chains.own and len(row.groups) < FEWEST_OF_CHAINS):
            return []
        kept = {id(rule): rule for found in elements.values() for one in found
                for rule in one.rules if len(found) < FEWEST}  # fmt: skip
        if any(id(rule) in kept for found in many for one in found for rule in one.rules):
            # A rule of two keys is in both maps: it cannot stay beside one of them.
            many, kept = [found for found in elements.values() if found], {}
        used = {one.helper for found in many for one in found}
        self.helpers += (chain for chain in chains.made if chain.name in used)
        lookups = [self._lookup(row, found, common, home) for found in many]
        return [*lookups, *(one.rule for one in kept.values())]

    def _lookup(
        self, row: _Row, found: list[_Element], common: tuple[s.Match, ...], home: str
    ) -> Rule:
        """A map, and the rule that looks it up."""
        (family,) = self.table.families
        name = fresh(home.lstrip("."), self.set_names)
        number = len({id(one) for each in found for one in each.rules})
        self.maps.append(
            Map(
                name,
                key_type(row.order, family),
                flags=("interval",) if any(map(is_range, row.groups)) else (),
                elements=tuple(one.pair for one in found),
                counts=found[0].counts,
                comment=names.comment(f"{number} rules of {home}"),
                origins=tuple(one.origins for one in found),
            )
        )
        key = key_expression(row.order, family)
        return Rule((*common, s.VerdictMap(key, x.SetReference(name))))


@attrs.frozen
class _Element:
    """An element to be, and the rules that it stands for."""

    pair: x.Pair
    counts: bool
    rules: tuple[Keyed, ...]
    helper: str = ""  #: the chain of its own that it jumps to

    @property
    def origins(self) -> tuple[Span, ...]:
        return tuple(origin for one in self.rules for origin in one.rule.origins)


@attrs.define
class _HelperChains:
    """The helper chains of one row."""

    work: _Dispatching
    home: str
    order: tuple[str, ...]
    common: tuple[s.Match, ...]
    made: list[Chain] = attrs.Factory(list)
    own: int = 0  #: how many keys need a chain that no other key shares
    _names: dict[object, str] = attrs.Factory(dict)
    _counted: set[int] = attrs.Factory(set)

    def element(self, literals: tuple[x.Expression, ...], group: tuple[Keyed, ...]) -> _Element:
        """The element for a key."""
        key = key_literal(literals)
        one = group[0]
        counter, does = split_counter(one.rest)
        alone = len(group) == 1 and not self._conditions(one)
        if alone and not any(isinstance(step, s.Counter) for step in does):
            helper = ""
            if not does:
                verdict: s.Verdict = s.Continue()
            elif len(does) == 1 and isinstance(does[0], _IN_MAPS):
                verdict = does[0]
            else:
                helper = self._shared(literals, does)
                verdict = s.Jump(helper)
            if counter and id(one) in self._counted:
                counter = s.Counter()  # its numbers are with another key
            self._counted.add(id(one))
            pair = x.Pair(element(key, counter, one.rule.comment), verdict)
            return _Element(pair, counter is not None, group, helper)
        self.own += 1
        helper = self._own(literals, group)
        comments = {one.rule.comment for one in group}
        comment = comments.pop() if len(comments) == 1 else ""
        return _Element(x.Pair(element(key, None, comment), s.Jump(helper)), False, group, helper)

    def _conditions(self, one: Keyed) -> tuple[s.Match, ...]:
        """What a rule asks beside the key and what all rules of the row ask."""
        conditions = one.conditions_but(frozenset(self.order))
        if not conditions or not self.common:
            return conditions
        return tuple(match for match in conditions if match not in self.common)

    def _shared(self, literals: tuple[x.Expression, ...], does: tuple[s.Statement, ...]) -> str:
        """The chain that does the same for all keys."""
        protocol = self._protocol(literals, does)
        place = (protocol, does)
        if place not in self._names:
            self._make(place, literals, (Rule((*protocol, *does)),))
        return self._names[place]

    def _own(self, literals: tuple[x.Expression, ...], group: tuple[Keyed, ...]) -> str:
        """The chain of a group; two keys of the same rules have the same one."""
        place = tuple(id(one) for one in group)
        if place not in self._names:
            rules = []
            for one in group:
                steps = (*self._conditions(one), *one.rest)
                if id(one) in self._counted:
                    steps = tuple(
                        s.Counter() if isinstance(step, s.Counter) else step for step in steps
                    )
                self._counted.add(id(one))
                steps = (*self._protocol(literals, steps), *steps)
                rules.append(attrs.evolve(one.rule, statements=steps))
            self._make(place, literals, tuple(rules))
        return self._names[place]

    def _protocol(
        self, literals: tuple[x.Expression, ...], steps: tuple[s.Statement, ...]
    ) -> tuple[s.Match, ...]:
        """The protocol of the key, where the rule has to name it."""
        if "protocol" not in self.order or not needs_protocol(steps):
            return ()
        return (s.Match(x.Meta("l4proto"), "==", literals[self.order.index("protocol")]),)

    def _make(
        self, place: object, literals: tuple[x.Expression, ...], rules: tuple[Rule, ...]
    ) -> None:
        text = re.sub(r"[^A-Za-z0-9_./:-]", "-", key_text(literals), flags=re.ASCII).rstrip(":")
        name = fresh(names.helper(f"{self.home.lstrip('.')}-{text}"), self.work.chain_names)
        self._names[place] = name
        self.made.append(Chain(name, rules))


def _is_element(one: Keyed, fields: frozenset[str]) -> bool:
    """Whether a rule only compares these fields, counts, and has a verdict that maps can hold."""
    _, does = split_counter(one.rest)
    in_maps = not does or (len(does) == 1 and isinstance(does[0], _IN_MAPS))
    return in_maps and not one.conditions_but(fields)


def _common_conditions(row: _Row, fields: frozenset[str]) -> tuple[s.Match, ...]:
    """What all rules of a row ask beside the key, where nothing that they call can change it."""
    common: tuple[s.Match, ...] | None = None
    for group in row.groups.values():
        for one in group:
            conditions = one.conditions_but(fields)
            if common is None:
                common = tuple(match for match in conditions if _is_lasting(match))
            elif common:
                common = tuple(match for match in common if match in conditions)
            if not common:
                return ()
    return common or ()


def _is_lasting(match: s.Match) -> bool:
    left = match.left.left if isinstance(match.left, x.Binary) else match.left
    return left in _LASTING and not isinstance(match.right, x.SetReference)
