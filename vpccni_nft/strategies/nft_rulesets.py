"""nft rulesets: tables with sets, base chains at some hooks, and chains that call each other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs
from hypothesis import strategies as st

from ..core.values import Family, TableFamily, WideFamily, families_of
from ..model.packet import CONNTRACK_PRIORITY
from ..nft import ast
from ..nft import datatypes as t
from ..nft import expressions as x
from ..nft import statements as s
from ..nft.words import ChainType, HookName, Policy, SetFlag
from .nft_rules import ADDRESS_TYPE, COUNTER, OBJECTS, Site, rules, verdicts
from .nft_values import elements, hosts, intervals, prefixes
from .values import families

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

#: Tables have names that are alike in part: the same chain and set may be in several of them.
_TABLES = ("t", "filter", "nat", "vpccni-filter")
_CHAINS = ("one", "two", "three", "INPUT")
_SETS = ("set_a", "set_b", "map_c")

_ENDS = (
    frozenset({HookName.PREROUTING, HookName.OUTPUT}),
    frozenset({HookName.POSTROUTING, HookName.INPUT}),
    frozenset({HookName.POSTROUTING}),
)
_HOOKS = frozenset(HookName) - {HookName.INGRESS}
#: Before conntrack, at it and behind it; equal ones are ties.
_PRIORITIES = (-300, -250, -150, -150, -10, 0, 0, 50, 150)
_TRACKED_AT = frozenset({HookName.PREROUTING, HookName.OUTPUT})
_NAT_PRIORITIES = (-110, -100, 100)


def nft_rulesets(
    family: Family | None = None, most_tables: int = 2
) -> st.SearchStrategy[ast.Ruleset]:
    """Rulesets over what nft's reader takes and has a meaning for, as the kernel takes them.

    All tables are of one family, or of inet; without ``family`` it is any of the two.
    """
    if family is None:
        return families.flatmap(lambda one: nft_rulesets(one, most_tables))
    names = st.lists(st.sampled_from(_TABLES), min_size=1, max_size=most_tables, unique=True)
    of = st.sampled_from((family, family, WideFamily.INET))
    return names.flatmap(
        lambda chosen: st.tuples(
            *(of.flatmap(partial(nft_tables, name=name)) for name in chosen)
        ).map(ast.Ruleset)
    )


@st.composite
def nft_tables(draw: DrawFn, family: TableFamily, name: str, most_rules: int = 4) -> ast.Table:
    """A table: chains of one type, at some hooks, and others that they lead to.

    In one of the family inet each rule and each set has addresses of one family.
    """
    both = isinstance(family, WideFamily)
    packets = st.sampled_from(families_of(family))
    is_nat = draw(st.integers(0, 2)) == 0
    usable = draw(st.sampled_from(_ENDS)) if is_nat else _HOOKS
    hooks = draw(st.lists(st.sampled_from(sorted(usable)), min_size=1, max_size=2))
    callees = draw(st.lists(st.sampled_from(_CHAINS), max_size=2, unique=True))
    sets = {
        set_.name: set_
        for number, wanted in enumerate(draw(st.lists(st.booleans(), min_size=3, max_size=3)))
        if wanted
        for set_ in (draw(_sets(draw(packets), _SETS[number], tuple(callees))),)
    }
    # A map of verdicts leads to any callee, so that only base chains may look it up.
    plain = {name: one for name, one in sets.items() if not _leads(one)}
    chains = []
    for number, hook in enumerate(hooks):
        place = draw(_places(hook, is_nat=is_nat))
        ahead = hook in _TRACKED_AT and place.priority < CONNTRACK_PRIORITY
        site = Site(Family.IP, frozenset(hooks), is_nat, tuple(callees), sets, both, ahead)
        body = draw(st.lists(_rules_of(site, packets), max_size=most_rules))
        chains.append(ast.Chain(f"base{number}", tuple(body), place))
    for number, chain in enumerate(callees):
        site = Site(Family.IP, frozenset(hooks), is_nat, tuple(callees[number + 1 :]), plain, both)
        body = draw(st.lists(_rules_of(site, packets), max_size=most_rules))
        chains.append(ast.Chain(chain, tuple(body)))
    counters = (ast.CounterObject(COUNTER),)
    return ast.Table(family, name, tuple(chains), tuple(sets.values()), counters, objects=OBJECTS)


def _rules_of(site: Site, packets: st.SearchStrategy[Family]) -> st.SearchStrategy[ast.Rule]:
    """Rules with addresses of one family, and with the sets that have no others."""

    def of(family: Family) -> st.SearchStrategy[ast.Rule]:
        (others,) = (ADDRESS_TYPE[one] for one in Family if one is not family)
        sets = {name: one for name, one in site.sets.items() if others not in _types(one)}
        return rules(attrs.evolve(site, family=family, sets=sets))

    return packets.flatmap(of)


def _types(set_: ast.Set) -> tuple[t.DataType, ...]:
    return (*set_.type, *(set_.data if isinstance(set_, ast.Map) else ()))


@st.composite
def _places(draw: DrawFn, hook: HookName, *, is_nat: bool) -> ast.Hook:
    if is_nat:
        return ast.Hook(ChainType.NAT, hook, draw(st.sampled_from(_NAT_PRIORITIES)))
    routes = hook == HookName.OUTPUT and draw(st.booleans())
    type_ = ChainType.ROUTE if routes else ChainType.FILTER
    policy = draw(st.sampled_from((Policy.ACCEPT, Policy.ACCEPT, Policy.ACCEPT, Policy.DROP)))
    return ast.Hook(type_, hook, draw(st.sampled_from(_PRIORITIES)), policy)


def _leads(set_: ast.Set) -> bool:
    return isinstance(set_, ast.Map) and set_.data == (t.VERDICT,)


@st.composite
def _sets(draw: DrawFn, family: Family, name: str, callees: tuple[str, ...]) -> ast.Set:
    """A set or map, of addresses, ports, marks, names, or two of these."""
    address = t.IPV4_ADDR if family is Family.IP else t.IPV6_ADDR
    one = st.sampled_from(((address,), (t.INET_SERVICE,), (t.MARK,), (t.IFNAME,)))
    two = st.sampled_from(((address, t.INET_SERVICE), (t.INET_PROTO, t.INET_SERVICE)))
    key = draw(st.one_of(one, one, two))
    if name.startswith("map"):
        data = draw(st.sampled_from(((t.VERDICT,), (address,))))
        values: st.SearchStrategy[x.Expression | s.Verdict] = hosts(family)
        if data == (t.VERDICT,):
            values = verdicts(callees)
        pairs = tuple(x.Pair(literal, draw(values)) for literal in draw(elements(key, family)))
        return ast.Map(name, key, elements=pairs, data=data)
    if draw(st.integers(0, 2)) == 0:
        timed = draw(st.booleans())
        flags = (SetFlag.DYNAMIC, SetFlag.TIMEOUT) if timed else (SetFlag.DYNAMIC,)
        timeout = draw(st.sampled_from((None, 60))) if timed else None
        listed = tuple(draw(elements(key, family))) if draw(st.booleans()) else ()
        return ast.Set(name, key, flags, timeout, draw(st.sampled_from((1024, 65535))), listed)
    if draw(st.integers(0, 5)) == 0:
        # It outlives all packets that are sent.
        timed_ones = (x.Element(one, timeout=3600) for one in draw(elements(key, family)))
        return ast.Set(name, key, (SetFlag.TIMEOUT,), elements=tuple(timed_ones))
    if key == (address, t.INET_SERVICE) and draw(st.booleans()):
        network, ports = draw(prefixes(family)), draw(st.sampled_from(((0, 79), (80, 443))))
        several = x.Concat((network, x.Range(*map(x.Number, ports))))
        return ast.Set(name, key, (SetFlag.INTERVAL,), elements=(several,))
    if len(key) == 1 and key != (t.IFNAME,) and draw(st.booleans()):
        found = tuple(draw(intervals(key[0], family)))
        return ast.Set(name, key, (SetFlag.INTERVAL,), elements=found)
    return ast.Set(name, key, elements=tuple(draw(elements(key, family))))
