"""Sets, lists and counters that share a name, and that are kept apart before a proof.

An ipset, a list of ``recent`` and a bucket table of ``hashlimit`` belong to the whole node, a set
or counter of nft to its table. Meanings know them by their names, which is enough where a name
stands for one object of either side. Where it stands for several, tables that are on both sides get
names of their own for it; where that does not tell which is which, there is no proof.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import attrs

from .. import iptables, nft
from ..core.diagnostics import RECENT_LIST, SHARED_NAME, Diagnostic
from ..extensions.matches.hashlimit import Hashlimit
from ..extensions.matches.nfacct import Nfacct
from ..extensions.matches.recent import Operation, Recent
from ..extensions.matches.set import MatchSet
from ..extensions.targets.set import SetTarget
from ..lowering import layout
from ..nft import expressions as x
from ..nft import names
from ..nft import statements as s
from ..simulate.constants import values_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from ..core.diagnostics import Code
    from ..core.values import Family
    from .side import Ruleset, Side

#: What meanings know an object by: whether it is a counter, and its name.
_Name = tuple[bool, str]

#: An object: where it belongs to, and its name there. Of nft it is the table.
_Object = tuple[str, str]

_NODE = "ipset", "nomatch", "recent", "hashlimit", "nfacct"


@attrs.define
class _Uses:
    """The objects that a name stands for on a side."""

    objects: set[_Object] = attrs.Factory(set)
    changed: bool = False  #: whether rules change one of them

    @property
    def are_of_tables(self) -> bool:
        """Whether all of them belong to tables of nft."""
        return not any(home in _NODE for home, _ in self.objects)


def tell_apart(
    before: Side, after: Side, allow: Collection[Code] = ()
) -> tuple[Side, Side, tuple[Diagnostic, ...]]:
    """The same sides, each object with a name of its own, and the names where that is not known.

    Where T101 is allowed, the set that a translation has for a list of recent counts as the list.
    """
    unknown: list[Diagnostic] = []
    for family in sorted(before.families | after.families, key=str):
        ours, theirs = _uses(before, family), _uses(after, family)
        own: dict[_Name, set[_Object]] = {}
        for name in sorted(ours.keys() | theirs.keys()):
            mine, other = ours.get(name, _Uses()), theirs.get(name, _Uses())
            if RECENT_LIST in allow:
                mine, other = _as_lists(mine), _as_lists(other)
            if max(len(mine.objects), len(other.objects)) < 2:
                continue
            tables = mine.are_of_tables and other.are_of_tables
            if tables and mine.objects == other.objects:
                own[name] = mine.objects
            elif mine.changed or other.changed or tables:
                unknown.append(_unknown(family, name))
        if own:
            before, after = (_with_own_names(side, family, own) for side in (before, after))
    return before, after, tuple(unknown)


def has_list_and_set(side: Side) -> bool:
    """Whether a list of recent and the set that a translation has for it are both on a side."""
    return any(
        _as_lists(uses) != uses for family in side.families for uses in _uses(side, family).values()
    )


def _as_lists(uses: _Uses) -> _Uses:
    """The same uses without the sets of translations that stand beside the list itself."""
    if not any(home == "recent" for home, _ in uses.objects):
        return uses
    objects = {one for one in uses.objects if not one[0].startswith(layout.table_name(""))}
    return attrs.evolve(uses, objects=objects)


def _unknown(family: Family, name: _Name) -> Diagnostic:
    kind = "counter" if name[0] else "set or list"
    return Diagnostic(
        SHARED_NAME,
        f"{family.title}: the name {name[1]} stands for more than one {kind} of a side, and which"
        " of them is which of the other side is not known",
        hint="give each of them a name of its own, or compare table by table",
    )


# --- what names stand for -------------------------------------------------------------------------


def _uses(side: Side, family: Family) -> dict[_Name, _Uses]:
    found: dict[_Name, _Uses] = defaultdict(_Uses)
    for ruleset in side.rulesets:
        for name, thing, changed in _objects(ruleset, family):
            found[name].objects.add(thing)
            found[name].changed |= changed
    return found


def _objects(ruleset: Ruleset, family: Family) -> Iterator[tuple[_Name, _Object, bool]]:
    for table in ruleset.tables:
        if table.family is not family:
            continue
        if isinstance(table, nft.Table):
            yield from _of_table(table)
            continue
        for chain in table.chains:
            for rule in chain.rules:
                for node in (*rule.matches, rule.target):
                    yield from _of_node(node)


def _of_node(
    node: iptables.Match | iptables.Target | None,
) -> Iterator[tuple[_Name, _Object, bool]]:
    """What a match or target of iptables uses, by the names that their meanings have for it."""
    match node:
        case MatchSet():
            yield from _ipset(node.members.value.name, changed=False)
        case SetTarget():
            for members in (node.add, node.delete, node.map):
                if members:
                    yield from _ipset(members.name, changed=members is not node.map)
        case Recent():
            changed = node.operation is not Operation.CHECK
            yield (False, f"recent-{node.name}"), ("recent", node.name), changed
        case Hashlimit():
            yield (False, f"hashlimit-{node.name}"), ("hashlimit", node.name), True
        case Nfacct():
            yield (True, node.object), ("nfacct", node.object), True


def _ipset(name: str, *, changed: bool) -> Iterator[tuple[_Name, _Object, bool]]:
    yield (False, name), ("ipset", name), changed
    yield (False, f"{name}-nomatch"), ("nomatch", name), changed


def _of_table(table: nft.Table) -> Iterator[tuple[_Name, _Object, bool]]:
    """The sets and counters that rules of a table use, but for sets that never change."""
    home = table.name
    dynamic = {one.name for one in table.sets if not one.elements or "dynamic" in one.flags}
    for value in values_in(table.chains):
        match value:
            case x.SetReference(name) if name in dynamic:
                yield (False, names.demangle(name)), (home, name), False
            case s.UpdateSet(_, name):
                yield (False, names.demangle(name)), (home, name), True
            case s.NamedCounter(name):
                yield (True, names.demangle(name)), (home, name), True


# --- names of their own ---------------------------------------------------------------------------


def _with_own_names(side: Side, family: Family, own: Mapping[_Name, set[_Object]]) -> Side:
    rulesets: list[Ruleset] = []
    for ruleset in side.rulesets:
        if isinstance(ruleset, nft.Ruleset):
            tables = (_renamed(table, own) if table.family is family else table
                      for table in ruleset.tables)  # fmt: skip
            rulesets.append(attrs.evolve(ruleset, tables=tuple(tables)))
        else:
            rulesets.append(ruleset)
    return attrs.evolve(side, rulesets=tuple(rulesets))


def _renamed(table: nft.Table, own: Mapping[_Name, set[_Object]]) -> nft.Table:
    home = table.name
    new = {
        (counts, raw): f"of.{home}.{raw}"
        for (counts, _), objects in own.items()
        for where, raw in objects
        if where == home
    }
    taken = {*(one.name for one in table.sets), *(one.name for one in table.counters)}
    while taken & set(new.values()):
        new = {key: f"of.{name}" for key, name in new.items()}
    return attrs.evolve(
        table,
        chains=_with_names(table.chains, new),
        sets=tuple(
            attrs.evolve(one, name=new.get((False, one.name), one.name)) for one in table.sets
        ),
        counters=tuple(
            attrs.evolve(one, name=new.get((True, one.name), one.name)) for one in table.counters
        ),
    )


def _with_names(node: Any, new: Mapping[tuple[bool, str], str]) -> Any:
    """A tree of nodes with other names of sets and counters."""
    if isinstance(node, tuple):
        return tuple(_with_names(one, new) for one in node)
    if not attrs.has(type(node)):
        return node
    changes = {
        field.alias: _with_names(getattr(node, field.name), new)
        for field in attrs.fields(type(node))
        if field.init and field.eq
    }
    match node:
        case x.SetReference(name):
            changes["name"] = new.get((False, name), name)
        case s.UpdateSet(_, name):
            changes["set"] = new.get((False, name), name)
        case s.NamedCounter(name):
            changes["name"] = new.get((True, name), name)
    return attrs.evolve(node, **changes)
