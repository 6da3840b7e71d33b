"""Chains that call each other, tables, rulesets."""

from __future__ import annotations

import enum

import attrs
from hypothesis import strategies as st

from .. import extensions
from ..core.values import Family
from ..extensions.kinds import Some
from ..extensions.matches.comment import Comment
from ..extensions.matches.mark import Mark
from ..extensions.placement import Place
from ..extensions.targets.mark import SetMark
from ..extensions.targets.verdicts import Accept, Return
from ..iptables import Chain, Counters, Policy, Rule, Ruleset, Table
from .kinds import strategy
from .rooms import BUILT_IN, MATCHES, TARGETS, Room, places_of
from .rule import EVERYTHING, Taste, calls, draw_rule, few
from .values import counters, families, words

#: A chain may begin like a target, an option or a word of nft, but is called like no target.
chain_names = st.one_of(
    st.sampled_from(
        """
        KUBE-SERVICES AWS-SNAT-CHAIN-0 cali-PREROUTING f2b-sshd ACCEPTED LOGDROP RETURN-1 CT-ZONE
        MARKED DNAT+ SNAT2 REJECT_ drop accept counter filter 1st _ .x a.b a/b é ☃ input # $x @x {x
        """.split()
    ),
    words(28).filter(lambda name: name[0] not in "-!"),
).filter(
    lambda name: name not in extensions.TARGETS and name not in BUILT_IN["mangle"]
)  # fmt: skip


_up_to = {most: st.integers(0, most) for most in range(9)}
_several_chains = {most: st.lists(chain_names, max_size=most, unique=True) for most in range(9)}
_several_hooks = {
    table: strategy(Some(chains), Family.IP).map(frozenset) for table, chains in BUILT_IN.items()
}
_policies = st.sampled_from(Policy)


@st.composite
def tables(
    draw: st.DrawFn,
    family: Family,
    name: str,
    taste: Taste = EVERYTHING,
    most_chains: int = 4,
    most_rules: int = 3,
) -> Table:
    """A table with all its built-in chains, and others that the rules call without loops.

    Chains have the order of iptables-save: the built-in ones first, then the others by name.
    """
    built_in = BUILT_IN[name]
    # A chain calls only chains that come later here, from places that it may be in itself.
    ranked = draw(_several_chains[most_chains])
    hooks = {chain: frozenset({chain}) for chain in built_in}
    for chain in ranked:
        hooks[chain] = frozenset(draw(_several_hooks[name]))
    rules_of: dict[str, tuple[Rule, ...]] = {}
    for index, chain in enumerate(hooks):
        later = ranked[max(0, index + 1 - len(built_in)) :]
        callees = tuple(callee for callee in later if hooks[chain] <= hooks[callee])
        place = Place(family, name, hooks[chain])
        numbers = range(draw(_up_to[most_rules]))
        rules_of[chain] = tuple(draw_rule(draw, place, callees, taste) for _ in numbers)
    own = sorted(ranked, key=lambda chain: chain.encode("utf-8", "surrogateescape"))
    return Table(
        family,
        name,
        (
            *(Chain(chain, draw(_policies), rules_of[chain], draw(counters)) for chain in built_in),
            *(Chain(chain, None, rules_of[chain], draw(counters)) for chain in own),
        ),
    )


_every_room: tuple[Room, ...] = (*MATCHES, *TARGETS)
_places = {room: st.sampled_from(places_of(room)) for room in _every_room}


@st.composite
def tables_of_room(draw: st.DrawFn, room: Room, taste: Taste = EVERYTHING) -> Table:
    """A table whose first rules all have a node of one room."""
    place = draw(_places[room])
    (hook,) = place.hooks
    numbers = range(1 + draw(few))
    some = [draw_rule(draw, place, ("CALLED",), taste, room) for _ in numbers]
    chains = tuple(
        Chain(chain, Policy.ACCEPT, tuple(some) if chain == hook else (), Counters(0, 0))
        for chain in BUILT_IN[place.table]
    )
    return Table(place.family, place.table, (*chains, Chain("CALLED", None, (), Counters(0, 0))))


class Order(enum.Enum):
    """How deep the chains of a cascade call each other."""

    SHORT = range(2, 17)
    LONG = range(17, 24)


_MARKED = Taste(rooms=frozenset({Mark, Comment, Accept, Return, SetMark}))


@st.composite
def cascades(draw: st.DrawFn, family: Family, order: Order) -> Table:
    """A table of chains each of which calls the next one in its last rule."""
    name = draw(st.sampled_from(("mangle", "filter", "nat")))
    built_in = BUILT_IN[name]
    start = draw(st.sampled_from(built_in))
    place = Place(family, name, frozenset({start}))
    length = draw(st.sampled_from(order.value))
    path = [start, *(f"CHAIN-{number:02}" for number in range(length))]
    rules_of: dict[str, tuple[Rule, ...]] = {}
    for chain, following in zip(path, [*path[1:], ""], strict=True):
        some = [draw_rule(draw, place, (), _MARKED) for _ in range(draw(_up_to[1]))]
        if following:
            last = draw_rule(draw, place, (), _MARKED)
            some.append(attrs.evolve(last, target=draw(calls)(following)))
        rules_of[chain] = tuple(some)
    return Table(
        family,
        name,
        tuple(
            Chain(
                chain,
                Policy.ACCEPT if chain in built_in else None,
                rules_of.get(chain, ()),
                Counters(0, 0),
            )
            for chain in dict.fromkeys((*built_in, *path))
        ),
    )


_several_tables = {
    most: st.lists(
        st.tuples(families, st.sampled_from(tuple(BUILT_IN))),
        min_size=1,
        max_size=most,
        unique=True,
    )
    for most in range(1, 5)
}


@st.composite
def rulesets(
    draw: st.DrawFn, taste: Taste = EVERYTHING, most_tables: int = 3, most_rules: int = 2
) -> Ruleset:
    """Tables of any names and families, each one once."""
    chosen = draw(_several_tables[most_tables])
    return Ruleset(
        tuple(draw(tables(family, name, taste, most_rules=most_rules)) for family, name in chosen)
    )
