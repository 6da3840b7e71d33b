"""Which objects of one side are those of the other side, where they were only renamed.

Tables, chains and sets without a namesake are paired by how they are used: from base chains of one
hook and priority along rules of the same form. A pair is a guess that the proof then tries. It
takes nothing for granted but that two sets that rules fill began with the same elements, which is
said. A set that rules do not fill, and whose elements are not listed, is filled by name from
outside: it is what its name says. So is a list of ``recent``, which /proc has by its name.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

import attrs

from .. import iptables, nft
from ..core.diagnostics import RECENT_LIST
from ..nft import statements as s
from ..simulate.other_names import OtherNames
from .objects import tell_apart

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping

    from ..core.diagnostics import Code, Diagnostic
    from ..core.values import Family
    from ..simulate.other_names import Named
    from .side import Side

T = TypeVar("T")

_Table = iptables.Table | nft.Table
_Rule = iptables.Rule | nft.Rule


def comparable(
    before: Side, after: Side, allow: Collection[Code] = ()
) -> tuple[Side, Side, tuple[Diagnostic, ...]]:
    """The same sides, each object known by what it is on both of them; and why it may not be."""
    before, after, unknown = tell_apart(before, after, allow)
    by_table, as_lists = not (before.dumps or after.dumps), RECENT_LIST in allow
    before, after = (
        attrs.evolve(side, by_table=by_table, as_lists=as_lists) for side in (before, after)
    )
    return before, with_other_names(before, after), unknown


def with_other_names(before: Side, after: Side) -> Side:
    """The second side, with the names that its renamed objects have on the first one."""
    found = {}
    for family in before.families & after.families:
        names = _names(_tables(before, family), _tables(after, family))
        if before.dumps or after.dumps:
            names = attrs.evolve(names, sets={})  # where dumps are, sets are known by their names
        if names:
            found[family] = names
    return attrs.evolve(after, other_names=found)


def sentences(names: Mapping[Family, OtherNames]) -> Iterator[str]:
    """What is taken for granted of sets that were renamed."""
    for family, one in names.items():
        for (table, name), other in one.sets.items():
            yield (
                f"{family.title}: the set {name} of the table {table} has begun with what the set"
                f" {other} of the other side has begun with"
            )


def _tables(side: Side, family: Family) -> list[_Table]:
    return [
        table for ruleset in side.rulesets for table in ruleset.tables if table.family is family
    ]


def _names(before: Iterable[_Table], after: Iterable[_Table]) -> OtherNames:
    tables: dict[str, str] = {}
    chains: dict[Named, str] = {}
    sets: dict[Named, str] = {}
    for mine, theirs in _pairs(before, after, lambda table: table.name, _hooks):
        if isinstance(mine, nft.Table) != isinstance(theirs, nft.Table):
            continue
        if mine.name != theirs.name:
            tables[theirs.name] = mine.name
        pairing = _Pairing.of(mine, theirs)
        pairing.run()
        chains |= {(theirs.name, new): old for new, old in pairing.chains.items()}
        sets |= {(theirs.name, new): old for new, old in pairing.sets.items()}
    return OtherNames(tables, chains, sets)


def _pairs(
    before: Iterable[T],
    after: Iterable[T],
    name: Callable[[T], str],
    form: Callable[[T], Hashable],
) -> Iterator[tuple[T, T]]:
    """Namesakes; of the others those whose form no other one of their side has."""
    ours, theirs = ({name(one): one for one in side} for side in (before, after))
    yield from ((one, theirs[key]) for key, one in ours.items() if key in theirs)
    left = []
    for mine, other in ((ours, theirs), (theirs, ours)):
        by_form: defaultdict[Hashable, list[T]] = defaultdict(list)
        for key, one in mine.items():
            if key not in other:
                by_form[form(one)].append(one)
        left.append({key: found[0] for key, found in by_form.items() if len(found) == 1 and key})
    yield from ((one, left[1][key]) for key, one in left[0].items() if key in left[1])


def _hooks(table: _Table) -> Hashable:
    """Where a table's base chains are."""
    if isinstance(table, iptables.Table):
        return table.name
    return tuple(sorted(str(_place(chain)) for chain in table.chains if chain.hook))


def _place(chain: nft.Chain) -> Hashable:
    hook = chain.hook
    return (hook.name, hook.type, hook.priority) if hook else None


@attrs.define
class _Pairing:
    """The chains and sets of two tables of which one is the other one's counterpart."""

    before: Mapping[str, tuple[_Rule, ...]]  #: the rules of chains by their names
    after: Mapping[str, tuple[_Rule, ...]]
    ours: Mapping[str, nft.Set]
    theirs: Mapping[str, nft.Set]
    waiting: list[tuple[str, str]]  #: pairs of chains
    chains: dict[str, str] = attrs.Factory(dict)  #: by the names that they have after
    sets: dict[str, str] = attrs.Factory(dict)

    @classmethod
    def of(cls, before: _Table, after: _Table) -> _Pairing:
        """Start with chains of one name, and with base chains of one place."""
        rules = [{chain.name: chain.rules for chain in one.chains} for one in (before, after)]
        sets = [_filled(one) if isinstance(one, nft.Table) else {} for one in (before, after)]
        found = cls(rules[0], rules[1], sets[0], sets[1], [])
        if isinstance(before, nft.Table) and isinstance(after, nft.Table):
            for one, other in _pairs(before.chains, after.chains, lambda one: one.name, _place):
                found.add_chain(one.name, other.name)
        else:
            found.waiting = [(name, name) for name in rules[0] if name in rules[1]]
        return found

    def add_chain(self, one: str, other: str) -> None:
        """Take two chains for a pair, where neither has a namesake or is of another pair."""
        if one == other:
            self.waiting.append((one, other))
        elif (
            one in self.before
            and other in self.after
            and one not in self.after
            and other not in self.before
            and other not in self.chains
            and one not in self.chains.values()
        ):
            self.chains[other] = one
            self.waiting.append((one, other))

    def add_set(self, one: str, other: str) -> None:
        """The same of sets that rules fill and that are defined alike."""
        if one == other or one in self.theirs or other in self.ours:
            return
        mine, theirs = self.ours.get(one), self.theirs.get(other)
        if (
            mine is None
            or theirs is None
            or attrs.evolve(theirs, name=one, comment="") != attrs.evolve(mine, comment="")
        ):
            return
        if other not in self.sets and one not in self.sets.values():
            self.sets[other] = one

    def run(self) -> None:
        """Go through pairs of chains, rules of one form side by side."""
        done: set[tuple[str, str]] = set()
        while self.waiting:
            pair = self.waiting.pop()
            if pair not in done:
                done.add(pair)
                for one, other in _side_by_side(self.before[pair[0]], self.after[pair[1]]):
                    self._named(one, other)

    def _named(self, one: _Rule, other: _Rule) -> None:
        if isinstance(one, iptables.Rule) or isinstance(other, iptables.Rule):
            if isinstance(one, iptables.Rule) and isinstance(other, iptables.Rule):
                targets = one.target, other.target
                match targets:
                    case (iptables.Jump(mine), iptables.Jump(theirs)) | (
                        iptables.Goto(mine),
                        iptables.Goto(theirs),
                    ):
                        self.add_chain(mine, theirs)
            return
        for step, counterpart in zip(one.statements, other.statements, strict=True):
            for mine, theirs in zip(s.sets_of(step), s.sets_of(counterpart), strict=False):
                self.add_set(mine, theirs)
            jumps = (_jumps(step), _jumps(counterpart))
            for mine, theirs in zip(*jumps, strict=False):
                self.add_chain(mine, theirs)


def _filled(table: nft.Table) -> dict[str, nft.Set]:
    """The sets that rules fill."""
    changed = {
        step.set
        for chain in table.chains
        for rule in chain.rules
        for step in rule.statements
        if isinstance(step, s.UpdateSet)
    }
    return {one.name: one for one in table.sets if one.name in changed}


def _jumps(step: s.Statement) -> Iterator[str]:
    """Where a statement leads; elements of named maps have no order that says anything."""
    if isinstance(step, s.Jump | s.Goto) or (
        isinstance(step, s.VerdictMap) and isinstance(step.map, nft.expressions.AnonymousSet)
    ):
        yield from s.targets(step, {})


def _side_by_side(
    before: tuple[_Rule, ...], after: tuple[_Rule, ...]
) -> Iterator[tuple[_Rule, _Rule]]:
    """Rules of one form, from the beginning of two chains and from their ends."""
    here = 0
    while here < min(len(before), len(after)) and _form(before[here]) == _form(after[here]):
        yield before[here], after[here]
        here += 1
    rest = min(len(before), len(after)) - here
    for back in range(1, rest + 1):
        if _form(before[-back]) != _form(after[-back]):
            break
        yield before[-back], after[-back]


def _form(rule: _Rule) -> Hashable:
    """What kinds of steps a rule has."""
    if isinstance(rule, iptables.Rule):
        return (*map(type, rule.matches), type(rule.target))
    return tuple(map(type, rule.statements))
