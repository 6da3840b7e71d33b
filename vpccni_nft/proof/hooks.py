"""A hook: all base chains of two sides, in their order."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import attrs

from ..model.hook import acts_at, run_hook
from .acceptance import Accepting
from .chance import choose_otherwise
from .context import packets_at
from .pairs import ChainPart
from .regions import region

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..model.hook import BaseChain
    from .chains import ChainComparison
    from .context import ProofContext
    from .regions import Region
    from .symbolic import Model, Solver
    from .terms import Term

#: Fields that only the model has, which say what bindings say.
_OWN_FIELDS = {"snat_done", "dnat_done", "ct_template"}


@attrs.define
class HookComparison:
    """The base chains of two sides at one hook."""

    setting: ProofContext
    solver: Solver
    before: Sequence[BaseChain]
    after: Sequence[BaseChain]
    pairs: ChainComparison
    #: The turns of all base chains of either side, at any hook.
    turns: tuple[Sequence[int], Sequence[int]]

    @property
    def place(self) -> str:
        """The family and the hook, for a reader."""
        return f"{self.setting.family.title} {self.setting.hook}"

    def is_equal(self) -> bool:
        """Whether the base chains mean the same one by one."""
        before, after = (_in_order(side) for side in (self.before, self.after))
        if [_place(chain) for chain in before] != [_place(chain) for chain in after]:
            return False
        return all(self._is_equal(one, other) for one, other in zip(before, after, strict=True))

    def _is_equal(self, one: BaseChain, other: BaseChain) -> bool:
        return self.pairs.prove(_part(one), _part(other)) is not None

    def compare(self, *, inside: bool) -> Comparison:
        """Send any packet through both sides.

        With ``inside`` chains that mean the same are gone through all the same. Without, what they
        do can be anything, and a packet that is found may be none. Raises NoMeaning.
        """
        fits: dict[int, Term] = {}
        one, other = (self._run(side, fits, inside=inside) for side in (self.before, self.after))
        same_draws = not choose_otherwise(one, other)
        differences = self.setting.differences(one, other)
        accepting = Accepting.of(self.setting, (one, other), differences)
        return Comparison(self, (one, other), differences, fits, same_draws, accepting)

    def _run(
        self, side: Sequence[BaseChain], fits: dict[int, Term], *, inside: bool
    ) -> dict[str, Term]:
        setting = self.setting

        def watch(rule: object, _live: Term, here: Term) -> None:
            before = fits.get(id(rule), setting.terms.false)
            fits[id(rule)] = setting.terms.any(before, here)

        state = run_hook(
            setting.terms,
            setting.family,
            setting.hook,
            side,
            setting.fields,
            watch,
            None if inside else self.pairs.call,
        )
        found = setting.outcome(state)
        return {name: term for name, term in found.items() if name not in _OWN_FIELDS}


@attrs.frozen
class ShownPacket:
    """A packet that differs, as the interpreters have it: what it is about."""

    rules: frozenset[int]  #: the rules that decide about it, by their identities
    fits: frozenset[int]  #: all rules that it fits
    #: What differs, by the names of ``ProofContext.differences``: both values.
    differs: Mapping[str, tuple[object, object]]


@attrs.define
class Comparison:
    """Any packet at a hook: where something else happens to it, and which rules it fits."""

    hook: HookComparison
    outcomes: tuple[Mapping[str, Term], Mapping[str, Term]]
    differences: Mapping[str, Term]  #: where something differs, by what
    fits: Mapping[int, Term]  #: by the identity of the rule
    same_draws: bool  #: whether both sides draw and count numbers in the same places
    accepting: Accepting  #: what of the differences the caller accepts
    #: What was found so far, with the packet that shows it.
    found: list[tuple[Region, ShownPacket]] = attrs.Factory(list)

    @property
    def differing(self) -> Term:
        """Where anything differs."""
        return self.hook.setting.terms.any(*self.differences.values())

    @property
    def facts(self) -> Iterator[Term]:
        """What the solver is told of logs."""
        return (fact for one, _ in self.found for fact in one.facts)

    def left(self) -> dict[str, Term]:
        """Where something differs in a way that is not accepted nor found so far, by what."""
        terms = self.hook.setting.terms
        left = {}
        for name, differs in self.differences.items():
            covered = [one.term for one, _ in self.found if name in one.differs]
            covered += self.accepting.of_name(name)
            left[name] = terms.all(differs, *map(terms.not_, covered))
        return left

    def shown(self, region: Region) -> Term:
        """The packets of a region, without those of which all that differs is accepted."""
        terms = self.hook.setting.terms
        return terms.all(
            region.term,
            terms.any(
                *(
                    terms.all(*map(terms.not_, self.accepting.of_name(name)))
                    for name in region.differs
                )
            ),
        )

    def find(self) -> Model | None:
        """A packet of which something differs in a way that was not found so far.

        Raises Undecided.
        """
        return self.find_where(self.hook.setting.terms.any(*self.left().values()))

    def find_where(self, wanted: Term) -> Model | None:
        """A packet of a condition, no fragment if there is another one. Raises Undecided."""
        terms = self.hook.setting.terms
        if self.hook.setting.fragments:
            whole = terms.equal(self.hook.setting.fields["fragment"], terms.const(0, 16))
            if (found := self._find(wanted, whole)) is not None:
                return found
        return self._find(wanted)

    def _find(self, *conditions: Term) -> Model | None:
        terms = self.hook.setting.terms
        wanted = terms.all(*conditions)
        if wanted is terms.false:
            return None
        return self.hook.solver.find(wanted, (*packets_at(self.hook.setting), *self.facts))

    def is_found(self, packet: ShownPacket) -> bool:
        """Whether all that differs of a packet is of what was found, as far as its values show."""
        return all(
            any(
                name in one.differs
                and one.rules <= packet.fits
                and (not one.fixed[name] or shown.differs.get(name) == packet.differs[name])
                for one, shown in self.found
            )
            for name in packet.differs
        )

    def add(self, model: Model, packet: ShownPacket) -> Region:
        """The packets that differ as one does: those of its deciding rules, where there are any."""
        terms, left = self.hook.setting.terms, self.left()
        known = {rule: self.fits[rule] for rule in packet.rules if rule in self.fits}
        names = [name for name in packet.differs if left.get(name, terms.false) is not terms.false]
        fits = terms.all(*known.values())
        # The packet has been made plain since: the model is to be one of the same rules.
        for wanted in ([left[name] for name in names], [terms.any(*left.values())]):
            if wanted and (other := self._find(fits, *wanted)) is not None:
                model = other
                break
        rules = {rule: term for rule, term in known.items() if model.holds(term)}
        differing = {name: self.differences[name] for name in left if model.holds(left[name])}
        found = region(self.hook.setting, model, self.outcomes, differing, rules)
        self.found.append((found, packet))
        return found


def at_hook(chains: Sequence[BaseChain], hook: str) -> list[BaseChain]:
    """The base chains of a hook that do something."""
    return [
        chain
        for chain in chains
        if chain.hook == hook and (chain.policy_drops or chain.program.rules(chain.name))
    ]


def _part(base: BaseChain) -> ChainPart:
    """All rules of a base chain."""
    return ChainPart.whole(base.program, base.name)


def _in_order(chains: Sequence[BaseChain]) -> list[BaseChain]:
    return sorted(chains, key=attrgetter("place"))


def _place(chain: BaseChain) -> tuple[object, ...]:
    """What must be the same of two base chains, so that only their rules matter.

    Between which acts of the kernel they run: conntrack and NAT.
    """
    behind = [chain.place >= (priority, 0) for priority in acts_at(chain.hook).values()]
    return chain.type, chain.policy_drops, behind
