"""SET: put addresses, ports and the like of the packet into an ipset, or take them out of one.

Kernel: net/netfilter/xt_set.c, set_target_v3. The packet goes on to the next rule, whatever comes
of it. What exists already is not put in again; with ``--exist`` its timeout begins anew.
``--map-set`` gives a packet the mark or the class that its element in a set has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import (
    BAD_PLACE,
    IPSET_COPIED,
    MISSING_SET,
    NAME_CHANGED,
    NO_NFT_FORM,
)
from ...core.values import Address
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.oracle import KeptSet
from ...model.packet import Event, NoMeaning
from ...nft import expressions as x
from ...nft import names
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import NUMBER
from ..option_table import Option, OptionTable, at_least_one, needs
from ..placement import ANYWHERE, LEAVES_BY, Placement
from ..shared.ipset_lowering import changes, find_set, lookups_of, networks_overlap
from ..shared.ipset_meaning import PacketKey, kept_set
from ..shared.marks import set_bits, xor_masked
from ..shared.set_names import FIELDS, HINT, MEMBERS, Members

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...core.values import Family, MaskedMark
    from ...ipset.ast import Entry, IpSet
    from ...model.algebra import Bool, Word
    from ...model.effects import View
    from ..context import Context
    from ..extension import Statements
    from ..shared.ipset_lowering import Lookup

#: Hooks in which a class or a queue can be mapped.


@attrs.frozen(kw_only=True)
class SetTarget(Target):
    """``-j SET`` with its options."""

    add: Members | None = None
    exist: bool = False
    timeout: int | None = None  #: seconds; None: the set's own
    delete: Members | None = None
    map: Members | None = None
    map_mark: bool = False
    map_priority: bool = False
    map_queue: bool = False


# --- meaning ------------------------------------------------------------------------------------


def meaning(node: SetTarget, view: View) -> Effect:
    """Add, then delete, then map."""
    events: list[tuple[Bool, Event]] = []
    if node.add:
        kind = "update" if node.exist else "add"
        events += _changes(kind, node.add, view, node.timeout)
    if node.delete:
        events += _changes("delete", node.delete, view, None)
    return Effect(
        events_where=tuple(events), assignments=tuple(_mapped(node, view)) if node.map else ()
    )


def _changes(
    kind: str, members: Members, view: View, seconds: int | None
) -> Iterator[tuple[Bool, Event]]:
    """The change of a set, under the condition that the packet has what the set is of."""
    if view.sets is None:
        key = tuple(view.state.fields[FIELDS[direction]] for direction in members.directions)
        yield view.state.algebra.true, Event(kind, (KeptSet(members.name),), key)
        return
    named = view.sets.known.get(members.name)
    if named is not None and named.storage == "list":
        # list_set_kadd and list_set_kdel end at the first set of the list that is changed.
        raise NoMeaning(f"which set of the list {named.name} is changed is not modelled")
    if named is not None and named.evicts and kind != "delete":
        raise NoMeaning(f"an element of {named.name} may take the place of another one")
    for ipset in view.sets.in_family(members.name, view.state.family):
        if len(members.directions) < len(ipset.kinds):
            continue
        lasting: tuple[int, ...] = ()
        if ipset.timeout is None:
            # Without timeouts there is nothing to begin anew.
            kind = "add" if kind == "update" else kind
        elif kind != "delete":
            left = ipset.timeout if seconds is None else seconds
            lasting = (left,) if left else ()
        for name, where, key in PacketKey(view, ipset, members.directions).key_words():
            # Beyond the bounds there is nothing to delete.
            fits = view.state.algebra.true if kind == "delete" else _in_bounds(ipset, key, view)
            yield (
                view.state.algebra.all(where, fits),
                Event(kind, (kept_set(view, ipset, name), *lasting), key),
            )


def _in_bounds(ipset: IpSet, key: tuple[Word, ...], view: View) -> Bool:
    """A bitmap has room for some addresses or ports only."""
    algebra = view.state.algebra
    if ipset.bounds is None:
        return algebra.true
    bits = 16 if ipset.type == "bitmap:port" else 32
    first, last = (algebra.const(end, bits) for end in ipset.bounds)
    return algebra.all(algebra.ule(first, key[0]), algebra.ule(key[0], last))


def _mapped(node: SetTarget, view: View) -> Iterator[tuple[Bool, str, Word]]:
    """What the packet's element holds."""
    assert node.map is not None
    if view.sets is None or node.map.name in view.sets.changed:
        raise NoMeaning(f"what elements of {node.map.name} map to is not known")
    state = view.state
    for ipset in view.sets.in_family(node.map.name, state.family):
        if len(node.map.directions) < len(ipset.kinds):
            continue
        packet = PacketKey(view, ipset, node.map.directions)
        for entry in ipset.entries:
            fits = packet.fits(entry)
            if node.map_mark:
                value = state.word("mark", entry.mark.value)
                mark = xor_masked(state, state.fields["mark"], entry.mark.mask, value)
                yield fits, "mark", mark
            if node.map_priority:
                yield fits, "priority", state.word("priority", entry.priority)


# --- lowering -----------------------------------------------------------------------------------


def lower(node: SetTarget, context: Context) -> tuple[s.Statement, ...]:
    """One statement, or a jump to a helper chain where it takes several rules."""
    if context.ipsets is None:
        raise context.refuse("the dump does not say what the ipset is of", HINT)
    rules: list[Statements] = []
    if node.add:
        rules += _lower_add(node, node.add, context)
    if node.delete:
        for lookup in changes(node.delete.name, node.delete.directions, context):
            rules.append((*lookup.before, s.UpdateSet("delete", lookup.set, lookup.key)))
    if node.map:
        rules += _lower_map(node, node.map, context)
    if len(rules) < 2:
        return rules[0] if rules else ()
    protocol = "" if context.protocol is None else f"-{context.protocol}"
    words = "-".join(word.lstrip("-").replace(",", ".") for word in EXTENSION.save(node))
    return (s.Jump(context.helper(names.mangle(f"{words}{protocol}"), *rules)),)


def _lower_add(node: SetTarget, members: Members, context: Context) -> Iterator[Statements]:
    ipset = find_set(members.name, context)
    operation, seconds = "add", None
    if ipset.timeout is not None:
        seconds = (ipset.timeout if node.timeout is None else node.timeout) or None
        if node.exist and seconds is None:
            raise context.refuse("nft cannot remove the timeout of an element that has one")
        operation = "update" if node.exist else "add"
    if ipset.evicts:
        raise context.refuse("an nft set that is full makes no room for a new element")
    for lookup in changes(members.name, members.directions, context):
        change = s.UpdateSet(operation, lookup.set, lookup.key, seconds)
        yield (*lookup.before, *_within(ipset, lookup), change)


def _within(ipset: IpSet, lookup: Lookup) -> Statements:
    """The bounds of a bitmap."""
    if ipset.bounds is None:
        return ()
    low, high = ipset.bounds
    ends: tuple[x.Expression, x.Expression]
    if ipset.type == "bitmap:port":
        ends = x.Number(low), x.Number(high)
    else:
        assert ipset.family is not None
        ends = x.Host(Address(ipset.family, low)), x.Host(Address(ipset.family, high))
    return (s.Match(lookup.key, "==", x.Range(*ends)),)


def _lower_map(node: SetTarget, members: Members, context: Context) -> Iterator[Statements]:
    """A set and a rule for each value that elements map to."""
    if node.map_queue:
        raise context.refuse("nft does not choose the device's queue for a packet")
    assert context.ipsets is not None
    ipset = find_set(members.name, context)
    if members.name in context.ipsets.changed or ipset.storage == "list" or "mark" in ipset.kinds:
        raise context.refuse(f"what packets map to in the set {ipset.name} changes with them")
    if any(entry.nomatch for entry in ipset.entries) or networks_overlap(ipset):
        raise context.refuse(f"networks of the set {ipset.name} that overlap map differently")
    groups: dict[tuple[MaskedMark | None, int | None], list[Entry]] = {}
    for entry in ipset.entries:
        value = (
            entry.mark if node.map_mark else None,
            entry.priority if node.map_priority else None,
        )
        groups.setdefault(value, []).append(entry)
    for number, ((mark, priority), entries) in enumerate(groups.items(), start=1):
        change = (
            *(set_bits(x.Meta("mark"), mark) if mark else ()),
            *((s.Assign(x.Meta("priority"), x.Hex(priority)),) if priority is not None else ()),
        )
        if change:
            part = attrs.evolve(ipset, entries=tuple(entries))
            for lookup in lookups_of(part, members.directions, context, f"-map{number}"):
                yield (*lookup.found, *change)


# --- where, and which ---------------------------------------------------------------------------


def _needs(node: SetTarget, _family: Family) -> Placement:
    """set_target_v3_checkentry."""
    if not node.map:
        return ANYWHERE
    if node.map_priority or node.map_queue:
        return Placement(
            tables=("mangle",), some_hook=LEAVES_BY, subject="SET with --map-prio or --map-queue"
        )
    return Placement(tables=("mangle",), subject="SET --map-set")


_MEMBERS = k.Build(
    Members,
    k.Among(("blocked", "seen")) | k.Unquoted(31),
    k.Several(k.Among(("src", "dst")), 1, 6),
)
_SECONDS = k.maybe(k.Integers(0, 60) | k.Integers(0, k.FULL))
_DRAW = k.OneOf(
    k.Build(SetTarget, add=_MEMBERS, exist=k.FLAG, timeout=_SECONDS, delete=k.maybe(_MEMBERS)),
    k.Build(SetTarget, delete=_MEMBERS),
    k.Build(
        SetTarget,
        map=_MEMBERS,
        delete=k.maybe(_MEMBERS),
        map_mark=k.FLAG,
        map_priority=k.FLAG,
        map_queue=k.FLAG,
    ).filter(lambda node: node.map_mark or node.map_priority or node.map_queue),
)


EXTENSION = Extension(
    name="SET",
    node=SetTarget,
    options=OptionTable.of(
        Option("--add-set", MEMBERS, "add"),
        Option("--exist", field="exist"),
        Option("--timeout", NUMBER, "timeout"),
        Option("--del-set", MEMBERS, "delete"),
        Option("--map-set", MEMBERS, "map"),
        Option("--map-mark", field="map_mark"),
        Option("--map-prio", field="map_priority"),
        Option("--map-queue", field="map_queue"),
        at_least_one("--add-set", "--del-set", "--map-set"),
        needs("--exist", "--add-set"),
        needs("--timeout", "--add-set"),
        needs("--map-set", "--map-mark", "--map-prio", "--map-queue"),
        needs("--map-mark", "--map-set"),
        needs("--map-prio", "--map-set"),
        needs("--map-queue", "--map-set"),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    needs=_needs,
    draw=_DRAW,
    nft="add|update|delete @NAME { KEY [timeout TIME] }; KEY @NAME-mapN meta mark set MARK",
    codes=(MISSING_SET, BAD_PLACE, IPSET_COPIED, NAME_CHANGED, NO_NFT_FORM),
)
