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

from ..model.concrete import Concrete
from ..model.oracle import OracleKind
from .changes import Deviation, NatDeviation
from .conditions import Condition, Packets
from .terms import asks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..core.values import Family
    from ..model.hook import Outcome
    from ..model.oracle import Oracle
    from ..simulate.sample import Packet
    from .conditions import Group
    from .context import ProofContext
    from .counterexample import Counterexample
    from .terms import Term

#: What sets are asked, by their names.
Asked = Mapping[str, Sequence[tuple["Oracle", tuple[str, ...] | None]]]

#: Both sides of an outcome.
Outcomes = tuple["Mapping[str, Term]", "Mapping[str, Term]"]


@attrs.frozen
class Case:
    """Which packets, and what may differ of them."""

    condition: Condition
    changes: tuple[Deviation, ...]
    both_ways: bool = False  #: whether the sides may stand the other way round

    @property
    def ways(self) -> tuple[tuple[Deviation | NatDeviation, ...], ...]:
        """What may differ, in one direction or in both."""
        turned = tuple(one.turned for one in self.changes)
        return tuple(map(_with_translation, (self.changes, *((turned,) if self.both_ways else ()))))


@attrs.frozen
class Acceptance:
    """One difference that is accepted, in one case or in several."""

    name: str
    cases: tuple[Case, ...]
    why: str = ""
    until: datetime.date | None = None  #: the last day on which it is accepted
    code: str = ""  #: of a catalogue

    def is_over(self, today: datetime.date) -> bool:
        """Whether it is no longer accepted."""
        return self.until is not None and today > self.until


def _with_translation(changes: tuple[Deviation, ...]) -> tuple[Deviation | NatDeviation, ...]:
    named = frozenset(name for one in changes for name in one.names)
    nat = tuple(NatDeviation.by(one, named) for one in changes if one.name == "bindings")
    return (*changes, *nat)


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


@attrs.frozen
class Acceptances:
    """Everything that is accepted."""

    each: tuple[Acceptance, ...] = ()
    groups: Mapping[Family, Mapping[str, Group]] = attrs.field(factory=dict, eq=False)
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
    """What is accepted at a hook."""

    setting: ProofContext
    regions: tuple[AcceptedRegion, ...]
    asked: Asked

    @classmethod
    def of(
        cls, setting: ProofContext, outcomes: Outcomes, differences: Mapping[str, Term]
    ) -> Accepting:
        """What is accepted of the differences between outcomes."""
        valid = setting.accept.valid
        if not valid or not differences:
            return cls(setting, (), {})
        asked = _asked(differences.values())
        finals = {**setting.fields, **outcomes[0]}, {**setting.fields, **outcomes[1]}
        groups = setting.accept.groups.get(setting.family, {})
        packets = Packets(
            setting.terms, setting.family, setting.hook, setting.fields, finals, groups, asked
        )  # fmt: skip
        terms, regions = setting.terms, []
        for one, case in ((each, case) for each in valid for case in each.cases):
            if case.condition.groups - groups.keys():
                continue
            where = case.condition.holds(packets)
            for way in case.ways if where is not terms.false else ():
                names = frozenset(name for change in way for name in change.names)
                if names.isdisjoint(differences):
                    continue
                fits = (change.in_terms(setting, outcomes) for change in way)
                region = terms.all(where, *fits)
                if region is not terms.false:
                    regions.append(AcceptedRegion(one, case, names, region))
        return cls(setting, tuple(regions), asked)

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
        finals = outcomes[0].fields, outcomes[1].fields
        groups = self.setting.accept.groups.get(packet.family, {})
        packets = Packets(
            world, packet.family, packet.hook, packet.fields, finals, groups, self.asked
        )  # fmt: skip
        for one, case in dict.fromkeys((each.acceptance, each.case) for each in self.regions):
            if not case.condition.holds(packets):
                continue
            for way in case.ways:
                fits = (
                    change.in_numbers(world, packet.family, differing, packet.fields)
                    for change in way
                )
                if all(fits):
                    names = frozenset(name for change in way for name in _seen(change))
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


def _seen(change: Deviation | NatDeviation) -> frozenset[str]:
    """The names that an interpreter's outcomes have for what may differ."""
    return change.names if isinstance(change, NatDeviation) else frozenset({change.name})


def _asked(differences: Iterable[Term]) -> Asked:
    """What sets are asked, by their names: about which fields, where they are fields."""
    found: dict[str, dict[tuple[Oracle, tuple[str, ...] | None], None]] = {}
    for differs in differences:
        for term in asks(differs):
            oracle = term.parts[0]
            if oracle.kind is OracleKind.MEMBER and all(word.width > 0 for word in term.terms):
                plain = all(word.kind == "variable" for word in term.terms)
                fields = tuple(str(word.parts[0]) for word in term.terms) if plain else None
                found.setdefault(str(oracle.object), {})[oracle, fields] = None
    return {name: list(asked) for name, asked in found.items()}
