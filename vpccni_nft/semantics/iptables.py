"""What iptables rules mean. Kernel: net/ipv4/netfilter/ip_tables.c, ipt_do_table."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import attrs

from ..core.values import Family
from ..extensions import extension_of
from ..extensions.targets.set import SetTarget
from ..ipset.ast import IpSets
from ..iptables import ast
from ..model.effects import Effect, View
from ..model.hook import BaseChain, call
from ..model.lookup import Indices
from ..model.oracle import Position
from ..model.packet import Event, NoMeaning, State, interface_word, prefix_mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..core.values import Negatable, Network
    from ..model.algebra import Bool

#: The tables' built-in chains: hook and priority (linux/netfilter_ipv4.h, nf_ip_hook_priorities).
#: Written out here once more, so that the translation's own table is compared with it.
PLACES = {
    ("raw", "PREROUTING"): ("prerouting", -300), ("raw", "OUTPUT"): ("output", -300),
    ("mangle", "PREROUTING"): ("prerouting", -150), ("mangle", "INPUT"): ("input", -150),
    ("mangle", "FORWARD"): ("forward", -150), ("mangle", "OUTPUT"): ("output", -150),
    ("mangle", "POSTROUTING"): ("postrouting", -150),
    ("nat", "PREROUTING"): ("prerouting", -100), ("nat", "OUTPUT"): ("output", -100),
    ("nat", "INPUT"): ("input", 100), ("nat", "POSTROUTING"): ("postrouting", 100),
    ("filter", "INPUT"): ("input", 0), ("filter", "FORWARD"): ("forward", 0),
    ("filter", "OUTPUT"): ("output", 0),
    ("security", "INPUT"): ("input", 50), ("security", "FORWARD"): ("forward", 50),
    ("security", "OUTPUT"): ("output", 50),
}  # fmt: skip

#: IPv6 extension headers, which are no protocols: hop-by-hop, routing, fragment, authentication,
#: and destination options.
NO_PROTOCOLS = (0, 43, 44, 51, 60)


def sets_of(ruleset: ast.Ruleset) -> IpSets | None:
    """What is known of the ipsets of a node, and which of them its rules change."""
    if ruleset.ipsets is None:
        return None
    rules = (rule for table in ruleset.tables for chain in table.chains for rule in chain.rules)
    named = {
        members.name
        for rule in rules
        if isinstance(rule.target, SetTarget)
        for members in (rule.target.add, rule.target.delete)
        if members
    }
    known = IpSets({one.name: one for one in ruleset.ipsets})
    listed = {one.name for name in named for one in known.members(name)}
    return attrs.evolve(known, changed=frozenset(named | listed))


#: What the kernel has once for each family (xt_hashlimit.c, htable_find_get).
_OF_FAMILIES = {"hashlimit"}


def sharing_of(
    tables: Iterable[ast.Table], family: Family
) -> Mapping[tuple[str, str], tuple[ast.Match, ...]]:
    """All matches that use something of the kernel's together with a family, by what they use."""
    found: dict[tuple[str, str], dict[ast.Match, None]] = {}
    for table in tables:
        for chain in table.chains:
            for rule in chain.rules:
                for match in rule.matches:
                    if (shared := match.shares) and (
                        table.family is family or shared[0] not in _OF_FAMILIES
                    ):
                        found.setdefault(shared, {})[match] = None
    return {shared: tuple(matches) for shared, matches in found.items()}


def base_chains(
    table: ast.Table,
    sets: IpSets | None = None,
    sharing: Mapping[tuple[str, str], tuple[ast.Match, ...]] | None = None,
) -> Iterator[BaseChain]:
    """The chains of a table that the kernel calls.

    ``sharing`` has all matches of the ruleset that share something; without it, those of the table.
    """
    chains = {chain.name: chain for chain in table.chains}
    sharing = sharing_of((table,), table.family) if sharing is None else sharing
    program = IptablesProgram(table.name, chains, dict(_places(table)), sets, sharing)
    for chain in table.chains:
        if chain.policy:
            hook, priority = PLACES[table.name, chain.name]
            kind = "nat" if table.name == "nat" else "filter"
            if (table.name, chain.name) == ("mangle", "OUTPUT"):
                kind = "route"
            drops = chain.policy is ast.Policy.DROP
            yield BaseChain(hook, priority, kind, drops, program, chain.name)


def _places(table: ast.Table) -> Iterator[tuple[tuple[str, int, int], Position]]:
    """Each match's place; those that draw are counted, as in ``semantics.nft``."""
    for chain in table.chains:
        seen = itertools.count()
        for number, rule in enumerate(chain.rules):
            for index, match in enumerate(rule.matches):
                place = Position(table.name, chain.name, number, index)
                if match.draws:
                    place = Position(table.name, chain.name, next(seen))
                yield (chain.name, number, index), place


@attrs.frozen(eq=False)
class IptablesProgram:
    """A table."""

    table: str
    chains: Mapping[str, ast.Chain]
    places: Mapping[tuple[str, int, int], Position]
    sets: IpSets | None
    sharing: Mapping[tuple[str, str], tuple[ast.Match, ...]]
    #: Its chains by name, and what they are called where it is compared.
    names: Mapping[str, str] = attrs.field(
        default=attrs.Factory(lambda self: {name: name for name in self.chains}, takes_self=True)
    )
    other: str = ""  #: the table that it is compared with, where that has another name
    indices: Indices = attrs.Factory(Indices)

    @property
    def changed_sets(self) -> Mapping[str, str]:
        """The sets that rules change, of the whole node, by their names."""
        lists = (f"{kind}-{name}" for kind, name in self.sharing)
        names = (*lists, *(self.sets.changed if self.sets else ()))
        return {name: name for name in names}

    def rules(self, chain: str) -> tuple[ast.Rule, ...]:
        """The rules of a chain."""
        return self.chains[chain].rules

    def rule(self, chain: str, number: int, state: State, live: Bool) -> tuple[Bool, Bool]:
        """Go through a rule; the answer is where the next one is reached, and where it returns."""
        algebra, rule = state.algebra, self.chains[chain].rules[number]
        fits = self._fits(chain, number, rule, state, live)
        if state.watch:
            state.watch(rule, live, fits)
        if algebra.impossible(fits):
            return live, algebra.false
        state.emit(fits, Event("count"))
        gone = algebra.all(live, algebra.not_(fits))
        match rule.target:
            case None:
                return live, algebra.false
            case ast.Jump(name):
                return algebra.any(gone, call(self, name, state, fits)), algebra.false
            case ast.Goto(name):
                return gone, call(self, name, state, fits)
            case ast.UnknownTarget(name):
                raise NoMeaning(f"the target {name} is not known")
        effect = extension_of(rule.target).meaning(
            rule.target, View(state, None, fits, self.sets, self.sharing)
        )
        _apply(effect, state, fits)
        for when, _ in effect.verdicts:
            live = algebra.all(live, algebra.not_(algebra.all(fits, when)))
        if effect.verdict or effect.binding or effect.returns:
            live = algebra.all(live, algebra.not_(fits))
        return live, fits if effect.returns else algebra.false

    def _fits(self, chain: str, number: int, rule: ast.Rule, state: State, live: Bool) -> Bool:
        """Test the base specification, then the matches in their order."""
        algebra = state.algebra
        fits = algebra.all(live, *_base(rule, state))
        for index, match in enumerate(rule.matches):
            if algebra.impossible(fits):
                break
            if isinstance(match, ast.UnknownMatch):
                raise NoMeaning(f"the match {match.name} is not known")
            place = self.places[chain, number, index]
            view = View(state, place, fits, self.sets, self.sharing)
            test = extension_of(match).meaning(match, view)
            for when, event in test.events:
                state.emit(algebra.all(fits, when), event)
            for when, field, value in test.assignments:
                state.assign(algebra.all(fits, when), field, value)
            fits = algebra.all(fits, test.holds)
        return fits


def _apply(effect: Effect, state: State, fits: Bool) -> None:
    for event in effect.events:
        state.emit(fits, event)
    for when, event in effect.events_where:
        state.emit(state.algebra.all(fits, when), event)
    for when, field, value in effect.assignments:
        state.assign(state.algebra.all(fits, when), field, value)
    if effect.binding:
        state.bind(fits, effect.binding)
    undecided = fits
    for when, verdict in effect.verdicts:
        state.set_verdict(state.algebra.all(undecided, when), verdict)
        undecided = state.algebra.all(undecided, state.algebra.not_(when))
    if effect.verdict and effect.verdict.kind != "accept":
        state.set_verdict(undecided, effect.verdict)


def _base(rule: ast.Rule, state: State) -> Iterator[Bool]:
    """ip_packet_match."""
    if rule.source:
        yield _network(state, "saddr", rule.source)
    if rule.destination:
        yield _network(state, "daddr", rule.destination)
    if rule.in_interface:
        yield _interface(state, "iif", rule.in_interface)
    if rule.out_interface:
        yield _interface(state, "oif", rule.out_interface)
    if rule.protocol:
        same = state.is_("protocol", rule.protocol.value)
        if state.family is Family.IP6 and rule.protocol.value in NO_PROTOCOLS:
            same = state.algebra.false
        yield state.algebra.not_(same) if rule.protocol.negated else same
    if rule.fragment:
        whole = state.is_("fragment", 0)
        yield whole if rule.fragment.negated else state.algebra.not_(whole)


def _network(state: State, field: str, test: Negatable[Network]) -> Bool:
    inside = state.is_(field, test.value.address, test.value.mask)
    return state.algebra.not_(inside) if test.negated else inside


def _interface(state: State, field: str, test: Negatable[ast.Interface]) -> Bool:
    name = test.value.name
    mask = prefix_mask(name) if test.value.wildcard else None
    same = state.is_(field, interface_word(name), mask)
    return state.algebra.not_(same) if test.negated else same
