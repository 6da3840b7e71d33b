"""A hook: all base chains of two sides, in their order."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import attrs

from ..model.hook import acts_at, run_hook
from .chance import choose_otherwise
from .context import packets_at
from .pairs import ChainPart
from .symbolic import Undecided

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ..model.hook import BaseChain
    from .chains import ChainComparison
    from .context import ProofContext
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
        return Comparison(self, self.setting.differences(one, other), fits, same_draws)

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
    """A packet that is shown: what it is about, so that others are looked for."""

    rules: frozenset[int]  #: the rules that do something to it, by their identities
    fits: frozenset[int]  #: all rules that it fits
    differs: frozenset[str]  #: what differs, by the names of ``ProofContext.differences``


@attrs.define
class Comparison:
    """Any packet at a hook: where something else happens to it, and which rules it fits."""

    hook: HookComparison
    differences: Mapping[str, Term]  #: where something differs, by what
    fits: Mapping[int, Term]  #: by the identity of the rule
    same_draws: bool  #: whether both sides draw and count numbers in the same places
    shown: list[ShownPacket] = attrs.Factory(list)

    @property
    def differing(self) -> Term:
        """Where anything differs."""
        return self.hook.setting.terms.any(*self.differences.values())

    def find(self) -> Model | None:
        """A packet of which something differs that the shown ones do not explain.

        One of them explains what differs of it for every packet that fits its rules. Raises
        Undecided.
        """
        terms = self.hook.setting.terms
        unexplained = []
        for name, differs in self.differences.items():
            shown = (one for one in self.shown if name in one.differs)
            explained = (self._fits_all(one.rules & self.fits.keys()) for one in shown)
            unexplained.append(terms.all(differs, *map(terms.not_, explained)))
        return self._find(terms.any(*unexplained))

    def is_explained(self, rules: Collection[int], differs: Collection[str]) -> bool:
        """The same of a packet that fits rules, and of which something differs."""
        shown = (one.differs for one in self.shown if one.rules & self.fits.keys() <= set(rules))
        return set(differs) <= frozenset().union(*shown)

    def has_more(self) -> bool:
        """Whether a packet may differ that fits other rules than each of those that are shown.

        It fits all rules of one of them, and more.
        """
        terms = self.hook.setting.terms
        others = (terms.not_(self._fits_equally(one)) for one in self.shown)
        try:
            return self._find(self.differing, *others) is not None
        except Undecided:
            return True

    def _find(self, *conditions: Term) -> Model | None:
        wanted = self.hook.setting.terms.all(*conditions)
        if wanted is self.hook.setting.terms.false:
            return None
        return self.hook.solver.find(wanted, packets_at(self.hook.setting))

    def _fits_all(self, rules: Iterable[int]) -> Term:
        return self.hook.setting.terms.all(*(self.fits[rule] for rule in rules))

    def _fits_equally(self, shown: ShownPacket) -> Term:
        terms = self.hook.setting.terms
        return terms.all(
            *(fits if rule in shown.fits else terms.not_(fits) for rule, fits in self.fits.items())
        )


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
