"""Differences that a caller accepts: each with a condition, what becomes of it, and a reason.

What is accepted is a region of packets and of what happens to them: a condition, and what of the
outcomes may differ and how. So an acceptance cannot hide a difference of another kind.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import CATALOGUE, Diagnostic
from ..model.concrete import Concrete
from ..model.oracle import OracleKind
from ..simulate.sample import AT_ROUTING
from .changes import SEEN_BY_ROUTING, Deviation, Following, NumberEnds, TermEnds
from .conditions import Condition, Packets
from .split import ONLY_KEYS
from .term import asks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..core.values import Family
    from ..model.algebra import Bool
    from ..model.hook import Outcome
    from ..model.oracle import Oracle
    from ..model.packet import Binding
    from ..model.path import Path
    from ..simulate.sample import Packet
    from .changes import Ends
    from .conditions import Group
    from .context import ProofContext
    from .counterexample import Counterexample
    from .term import Term

#: What sets are asked, by their names.
Asked = Mapping[str, Sequence[tuple["Oracle", tuple[str, ...] | None]]]

#: What becomes of any packet on both sides, by name.
TermOutcomes = tuple["Mapping[str, Term]", "Mapping[str, Term]"]


@attrs.frozen
class Case:
    """Which packets, and what may differ of them."""

    condition: Condition
    changes: tuple[Deviation, ...]
    both_ways: bool = False  #: whether the sides may stand the other way round

    @property
    def ways(self) -> tuple[AcceptedWay, ...]:
        """What may differ, in one direction or in both."""
        turned = tuple(one.turned for one in self.changes)
        ways = (self.changes, turned) if self.both_ways else (self.changes,)
        return tuple(AcceptedWay(way, Following.of(way)) for way in ways)


#: Names of what may differ, and what holds where they do.
_Part = tuple[frozenset[str], "tuple[Callable[[Ends], Bool], ...]"]


@attrs.frozen
class AcceptedWay:
    """What may differ, and what follows from it."""

    changes: tuple[Deviation, ...]
    follows: Following

    @property
    def parts(self) -> tuple[_Part, ...]:
        """By the names of a proof: what happens, and what routing sees of it."""
        return self._parts(frozenset(name for one in self.changes for name in one.names))

    @property
    def seen(self) -> tuple[_Part, ...]:
        """The same by the names of an interpreter's outcomes."""
        return self._parts(frozenset(one.name for one in self.changes))

    def _parts(self, names: frozenset[str]) -> tuple[_Part, ...]:
        holds = (*(one.holds for one in self.changes), self.follows.holds)
        parts = [
            (names | self.follows.fields, holds),
            (self.follows.at_routing, (self.follows.holds_at_routing,)),
        ]
        # Where a packet is refused on one side, nothing is behind its route that could differ; but
        # that the other side sends a first packet elsewhere is a difference of its own.
        parts += [
            (SEEN_BY_ROUTING, (one.happens, _same_bindings, *holds))
            for one in self.changes
            if one.refuses
        ]
        return tuple(parts)


def _same_bindings(ends: Ends) -> Bool:
    return ends.same("bindings")


@attrs.frozen
class Acceptance:
    """One difference that is accepted, in one case or in several."""

    name: str
    cases: tuple[Case, ...]
    why: str = ""
    until: datetime.date | None = None  #: the last day on which it is accepted
    code: str = ""  #: of a catalogue

    @property
    def leads_elsewhere(self) -> bool:
        """Whether routing may see something else of its packets."""
        changes = (one for case in self.cases for one in case.changes)
        return any(one.name == "bindings" or one.name.endswith(AT_ROUTING) for one in changes)

    def is_over(self, today: datetime.date) -> bool:
        """Whether it is no longer accepted."""
        return self.until is not None and today > self.until


class Occurs(enum.Enum):
    """Whether a difference that is accepted is there."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    OVER = "over"  #: it is accepted no longer


@attrs.frozen
class AcceptedClass:
    """A difference that is accepted, and whether packets show it."""

    acceptance: Acceptance
    occurs: Occurs
    places: tuple[tuple[Family, str], ...] = ()  #: where it occurs
    example: Counterexample | None = None  #: one packet of it

    @property
    def diagnostic(self) -> Diagnostic:
        """The same as a message, of an acceptance of a catalogue."""
        code = next(one for one in CATALOGUE if one.name == self.acceptance.code)
        places = ", ".join(f"{family.title} {place}" for family, place in self.places)
        return Diagnostic(code, f"{places}: {self.acceptance.name}", hint=self.acceptance.why)


@attrs.frozen
class Acceptances:
    """Everything that is accepted."""

    each: tuple[Acceptance, ...] = ()
    groups: Mapping[Family, Mapping[str, Group]] = attrs.field(factory=dict, eq=False)
    internal: int = 0  #: bits of the mark that no one but the rules looks at
    today: datetime.date = attrs.Factory(datetime.date.today)

    @property
    def valid(self) -> tuple[Acceptance, ...]:
        """Those whose time is not over."""
        return tuple(one for one in self.each if not one.is_over(self.today))


#: That nothing is accepted.
NOTHING = Acceptances(today=datetime.date.min)


@attrs.frozen
class AcceptedRegion:
    """What is accepted of one comparison: where, and of what."""

    acceptance: Acceptance
    case: Case
    names: frozenset[str]  #: of outcomes in a proof
    term: Term


@attrs.frozen
class Accepting:
    """What is accepted on a path or at a hook."""

    setting: ProofContext
    accept: Acceptances
    path: Path
    internal: int = 0  #: bits of the mark that routing does not look at
    regions: tuple[AcceptedRegion, ...] = ()
    asked: Asked = attrs.Factory(dict)

    def of(self, outcomes: TermOutcomes, differences: Mapping[str, Term]) -> Accepting:
        """What is accepted of the differences between outcomes."""
        if not self.accept.valid or not differences:
            return self
        found = attrs.evolve(self, asked=_asked(asks(*differences.values())))
        return attrs.evolve(found, regions=tuple(found._regions(outcomes, differences)))

    def _regions(
        self, outcomes: TermOutcomes, differences: Mapping[str, Term]
    ) -> Iterator[AcceptedRegion]:
        terms, fields = self.setting.terms, self.setting.fields
        ends = TermEnds(terms, self.setting.family, self.internal, fields, outcomes)
        packets = self._packets(ends)
        for one in self.accept.valid:
            for case in one.cases:
                if case.condition.groups - packets.groups.keys():
                    continue
                where = case.condition.holds(packets)
                for way in case.ways if where is not terms.false else ():
                    for names, holds in way.parts:
                        if not names.isdisjoint(differences):
                            region = terms.all(where, *(fits(ends) for fits in holds))
                            if region is not terms.false:
                                yield AcceptedRegion(one, case, names, region)

    @property
    def names_addresses(self) -> bool:
        """Whether addresses or ports are accepted: what is so of one is not so of another one."""
        changes = (each for one in self.accept.valid for case in one.cases for each in case.changes)
        fields = (each.name.removesuffix(AT_ROUTING) for each in changes if each.is_of_field)
        return not ONLY_KEYS.isdisjoint(fields)

    def conditions(self, outcomes: TermOutcomes, asked: Iterable[Term]) -> Iterator[Term]:
        """Where the conditions hold of what is accepted; ``asked`` is all that outcomes ask."""
        fields = self.setting.fields
        ends = TermEnds(self.setting.terms, self.setting.family, self.internal, fields, outcomes)
        packets = attrs.evolve(self, asked=_asked(asked))._packets(ends)
        for one in self.accept.valid:
            for case in one.cases:
                if not case.condition.groups - packets.groups.keys():
                    yield case.condition.holds(packets)

    def about(self, binding: Binding) -> tuple[tuple[bool, ...], ...]:
        """Which of the bindings that are accepted one is."""
        changes = (each for one in self.accept.valid for case in one.cases for each in case.changes)
        family = self.setting.family
        return tuple(each.names_binding(binding, family) for each in changes)

    def _packets(self, ends: Ends) -> Packets:
        """Packets as conditions look at them."""
        groups = self.accept.groups.get(self.setting.family, {})
        return Packets(ends, self.path, groups, self.asked)

    def of_name(self, name: str) -> Iterator[Term]:
        """Where a difference of this name is accepted."""
        return (one.term for one in self.regions if name in one.names)

    def occurring(self, differences: Mapping[str, Term]) -> Iterator[tuple[Acceptance, Term]]:
        """Each acceptance, with where something differs that it accepts."""
        terms = self.setting.terms
        found: dict[Acceptance, list[Term]] = {}
        for one in self.regions:
            differs = terms.any(*(differences[name] for name in one.names & differences.keys()))
            found.setdefault(one.acceptance, []).append(terms.all(one.term, differs))
        return ((one, terms.any(*where)) for one, where in found.items())

    def accepts(
        self,
        packet: Packet,
        outcomes: tuple[Outcome, Outcome],
        differing: Mapping[str, tuple[object, object]],
    ) -> Mapping[Acceptance, frozenset[str]]:
        """What of a packet's differences is accepted, and by what."""
        found: dict[Acceptance, frozenset[str]] = {}
        if not self.regions or not differing:
            return found
        world = Concrete(packet.seed, packet.answers)
        counts = self.setting.counters
        unseen = packet.internal | packet.unrouted
        ends = NumberEnds(world, packet.family, unseen, packet.at_entry, outcomes, counts)
        packets = self._packets(ends)
        for one, case in dict.fromkeys((each.acceptance, each.case) for each in self.regions):
            if not case.condition.holds(packets):
                continue
            for way in case.ways:
                for names, holds in way.seen:
                    if all(fits(ends) for fits in holds):
                        found[one] = found.get(one, frozenset()) | names & differing.keys()
        return found

    def left(
        self,
        packet: Packet,
        outcomes: tuple[Outcome, Outcome],
        differing: Mapping[str, tuple[object, object]],
    ) -> dict[str, tuple[object, object]]:
        """What of a packet's differences is not accepted."""
        accepted = frozenset().union(*self.accepts(packet, outcomes, differing).values())
        return {name: both for name, both in differing.items() if name not in accepted}


def _asked(questions: Iterable[Term]) -> Asked:
    """What sets are asked, by their names: about which fields, where they are fields."""
    found: dict[str, dict[tuple[Oracle, tuple[str, ...] | None], None]] = {}
    for term in questions:
        oracle = term.parts[0]
        if oracle.kind is OracleKind.MEMBER and all(word.width > 0 for word in term.terms):
            plain = all(word.kind == "variable" for word in term.terms)
            fields = tuple(str(word.parts[0]) for word in term.terms) if plain else None
            found.setdefault(str(oracle.object), {})[oracle, fields] = None
    return {name: list(asked) for name, asked in found.items()}
