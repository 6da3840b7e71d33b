"""A path or a hook: all base chains of two sides, in their order."""

from __future__ import annotations

from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING

import attrs

from ..model.hook import BaseChain, acts_at
from ..model.oracle import OracleKind
from ..model.packet import ANEW, ROUTED
from ..model.path import RECEIVED, run_path
from ..simulate.sample import AT_ROUTING, OF_THE_WAY, OWN_FIELDS
from .acceptance import NOTHING, Acceptances, Accepting
from .axioms import axioms_of_paths
from .chance import choose_otherwise
from .context import distinct_verdicts, is_device, packets_at
from .coupling import Coupling
from .pairs import ChainPart
from .regions import region
from .term import LOG, asks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ..model.hook import Program
    from ..model.known_node import KnownNode
    from ..model.packet import State
    from ..model.path import Path
    from .chains import ChainComparison
    from .context import ProofContext
    from .regions import Region
    from .split import PacketCase
    from .symbolic import Model, Solver
    from .term import Term


@attrs.define
class PathComparison:
    """The base chains of two sides on one path, or at one hook."""

    path: Path
    setting: ProofContext  #: of packets where they enter
    solver: Solver
    before: Sequence[BaseChain]
    after: Sequence[BaseChain]
    pairs: Mapping[str, ChainComparison]  #: of each hook
    #: The turns of all base chains of either side, at any hook.
    turns: tuple[Sequence[int], Sequence[int]]
    internal: int = 0  #: bits of the mark that no one outside looks at
    node: KnownNode | None = None  #: what is known of the node that both sides are on
    accept: Acceptances = NOTHING  #: differences that the caller accepts
    progress: Callable[[str], None] = lambda _: None  #: takes how far the search is
    #: Whether packets are looked at case by case where many rules ask for different values.
    splits: bool = attrs.field(default=True, kw_only=True)
    case: PacketCase | None = attrs.field(default=None, kw_only=True)  #: those looked at; None: all

    @property
    def is_part(self) -> bool:
        """Whether some packets are looked at: it may be that there is none of them."""
        return self.case is not None and bool(self.case.keys or self.setting.facts)

    def of_case(self, case: PacketCase) -> PathComparison:
        """The same for some packets."""
        return attrs.evolve(self, setting=case.setting, case=case)

    @property
    def place(self) -> str:
        """The family and the path or hook, for a reader."""
        return f"{self.setting.family.title} {self.path.name}"

    @property
    def quick(self) -> Solver:
        """What answers small questions."""
        return self.pairs[self.path.entry].solver

    @property
    def meaningless(self) -> list[str]:
        """What the model does not know, with the places of it."""
        return [place for hook in self.path.hooks for place in self.pairs[hook].meaningless]

    @property
    def open(self) -> list[tuple[ChainPart, ChainPart]]:
        """The parts of chains that do not mean the same, or may not."""
        return [parts for hook in self.path.hooks for parts in self.pairs[hook].open]

    def is_equal(self) -> bool:
        """Whether the base chains mean the same one by one, at each hook."""
        return all(map(self._is_equal_at, self.path.hooks))

    def _is_equal_at(self, hook: str) -> bool:
        before, after = (_in_order(at_hook(side, hook)) for side in (self.before, self.after))
        if [_place(chain) for chain in before] != [_place(chain) for chain in after]:
            return False
        prove = self.pairs[hook].prove
        return all(
            prove(_part(*two[:1]), _part(*two[1:])) for two in zip(before, after, strict=True)
        )

    def send(self, *, inside: bool) -> SentPacket:
        """Send any packet through both sides.

        With ``inside`` chains that mean the same are gone through all the same. Without, what they
        do can be anything, and a packet that is found may be none. Raises NoMeaning.
        """
        fits: dict[int, Term] = {}
        one, other = (self._run(side, fits, inside=inside) for side in (self.before, self.after))
        setting, given = self.setting, iter(())
        if self.path.is_whole and setting.as_tracked:
            given = axioms_of_paths(setting.terms, setting.family, self.path, setting.fields)
        asked = tuple(asks(*one.values())), tuple(asks(*other.values()))
        return SentPacket((one, other), fits, tuple(given), asked)

    def compare(self, sent: SentPacket) -> Comparison:
        """Where something else happens to a packet on either side."""
        one, other = sent.outcomes
        same_draws = not choose_otherwise(*sent.asked)
        every = tuple(dict.fromkeys(chain.from_iterable(sent.asked)))
        terms = self.setting.terms
        given = [
            *sent.given,
            *(
                fact
                for question in every
                if question.parts[0].kind is OracleKind.ROUTE_DEVICE
                for fact in is_device(terms, question)
            ),
            *self._of_the_node(every),
            *distinct_verdicts(terms, (one["verdicts"], other["verdicts"])),
        ]
        differences, accepting = self.differ((one, other))
        before, after = (
            {question for question in side if question.parts[0].kind in ROUTES}
            for side in sent.asked
        )
        return Comparison(
            self,
            (one, other),
            differences,
            sent.fits,
            same_draws,
            accepting,
            tuple(given),
            (before, after),
        )

    @property
    def unrouted(self) -> int:
        """Bits of the mark that routing does not look at, but whoever gets the packet may."""
        return self.node.unseen_marks(self.setting.family) if self.node else 0

    def _of_the_node(self, every: Iterable[Term]) -> Iterator[Term]:
        """What holds of the answers of this node."""
        if not self.node:
            return
        terms, family = self.setting.terms, self.setting.family
        for asked in every:
            if LOG not in {word.width for word in asked.terms}:
                yield self.node.allows(terms, family, asked.parts[0], asked.terms, asked)

    def differ(
        self, outcomes: tuple[Mapping[str, Term], Mapping[str, Term]]
    ) -> tuple[dict[str, Term], Accepting]:
        """Where outcomes differ, by what, and what of that is accepted."""
        differences = self._differences(*outcomes)
        return differences, self.accepting.of(outcomes, differences)

    @property
    def accepting(self) -> Accepting:
        """What is accepted, before it is known what differs."""
        return Accepting(self.setting, self.accept, self.path, self.internal | self.unrouted)

    def _differences(self, one: Mapping[str, Term], other: Mapping[str, Term]) -> dict[str, Term]:
        """Where two outcomes differ, by what; on a path as ``sample.differences`` has it."""
        if not self.path.is_whole:
            return self.setting.differences(one, other)
        terms = self.setting.terms
        was_routed = [
            terms.equal(side[name], terms.const(1, 1))
            for side in (one, other)
            for name in _WHETHER & side.keys()
        ]
        found = self.setting.differences(one, other)
        anew = found.get(ANEW, terms.false)
        for name in (ROUTED, f"ct_mark{AT_ROUTING}"):  # neither is seen by itself
            found.pop(name, None)
        seen = {name for name in found if name.endswith(AT_ROUTING)}
        matters = terms.any(
            *(side["undecided"] for side in (one, other)),
            *(found[name] for name in found.keys() - seen - _WHETHER),
        )
        for name in seen:
            found[name] = terms.all(*was_routed, found[name])
        same_route = terms.not_(terms.any(anew, *(found[name] for name in seen)))
        fates = [found[name] for name in _FATES if name in found]
        same_fate = terms.all(same_route, *map(terms.not_, fates))
        same_way = terms.all(same_fate, terms.not_(found.get("oif", terms.false)))
        for name, differs in found.items():
            if name == ANEW:
                where = matters
            elif name in seen:
                where = terms.all(matters, terms.not_(anew))
            elif name in _FATES:
                where = same_route
            else:
                where = same_way if name in OF_THE_WAY else same_fate
            found[name] = terms.all(where, differs)
        return found

    def _run(
        self, side: Sequence[BaseChain], fits: dict[int, Term], *, inside: bool
    ) -> dict[str, Term]:
        setting = self.setting

        def watch(rule: object, _live: Term, here: Term) -> None:
            before = fits.get(id(rule), setting.terms.false)
            fits[id(rule)] = setting.terms.any(before, here)

        chains = side
        if self.path.is_whole and not inside:
            pairs = self.pairs
            chains = [
                _Called.of(one) if pairs[one.hook].is_alike(one.program, one.name) else one
                for one in side
            ]
        state = run_path(
            setting.terms,
            setting.family,
            self.path,
            chains,
            setting.fields,
            watch,
            None if inside else self._call,
            internal=self.internal,
            unrouted=self.unrouted,
        )
        found = setting.outcome(state)
        for name, term in state.routed.items():
            found[name if name in _WHETHER else f"{name}{AT_ROUTING}"] = term
        return {name: term for name, term in found.items() if name not in OWN_FIELDS}

    def _call(self, program: Program, chain: str, state: State, where: Term) -> Term | None:
        pairs = self.pairs[state.at or self.path.entry]
        return pairs.call(program, chain, state, where)


#: Where a packet is routed to.
ROUTES = frozenset({OracleKind.ROUTE, OracleKind.ROUTE_DEVICE})

#: What says whether routing has seen a packet.
_WHETHER = {ROUTED, ANEW}

#: The verdict, by the names of outcomes in proofs.
_FATES = ("undecided", "verdicts")


@attrs.frozen
class _Called(BaseChain):
    """A base chain that is not gone through where the other side has one that means the same."""

    @classmethod
    def of(cls, base: BaseChain) -> _Called:
        """A base chain, called so."""
        return cls(**attrs.asdict(base, recurse=False))

    def run(self, state: State, where: Term) -> Term:
        """Do what it does; the answer is where no rule decided."""
        assert state.calls
        back: Term | None = state.calls(self.program, self.name, state, where)
        if back is None:
            back = BaseChain.run(self, state, where)
        return back


@attrs.frozen
class ShownPacket:
    """A packet that differs, as the interpreters have it: what it is about."""

    rules: frozenset[int]  #: the rules that decide about it, by their identities
    fits: frozenset[int]  #: all rules that it fits
    #: What differs, by the names of ``ProofContext.differences``: both values.
    differs: Mapping[str, tuple[object, object]]


@attrs.frozen
class SentPacket:
    """Any packet that was sent through both sides."""

    outcomes: tuple[Mapping[str, Term], Mapping[str, Term]]
    fits: Mapping[int, Term]  #: which rules it fits, by their identities
    given: tuple[Term, ...]  #: what holds of its connection
    asked: tuple[tuple[Term, ...], tuple[Term, ...]]  #: what either side asks the node


@attrs.define
class Comparison:
    """Any packet on a path: where something else happens to it, and which rules it fits."""

    hook: PathComparison
    outcomes: tuple[Mapping[str, Term], Mapping[str, Term]]
    differences: Mapping[str, Term]  #: where something differs, by what
    fits: Mapping[int, Term]  #: by the identity of the rule
    same_draws: bool  #: whether both sides draw and count numbers in the same places
    accepting: Accepting  #: what of the differences the caller accepts
    given: tuple[Term, ...]  #: what holds besides of what the node answers
    routes: tuple[set[Term], set[Term]]  #: what either side asks routing
    #: All outcomes by chance, and the numbers that are drawn for this one.
    coupling: Coupling | None = None
    numbers: Mapping[Term, Term] = attrs.Factory(dict)
    #: What was found so far, with the packet that shows it.
    found: list[tuple[Region, ShownPacket]] = attrs.Factory(list)
    is_possible: bool = False  #: whether some packet is known to fit all facts

    @property
    def sides(self) -> dict[Term, str]:
        """What one side alone asks routing, by what tells it from what the other one asks."""
        before, after = self.routes
        if self.hook.path is not RECEIVED:
            return dict.fromkeys(before | after, "-anew")
        if not (before and after):
            return {}
        return {
            **dict.fromkeys(before - after, "-before"),
            **dict.fromkeys(after - before, "-after"),
        }

    def by_outcome(self) -> list[Comparison]:
        """The outcomes by chance that are as likely on both sides, each by itself.

        Nothing where they are not, or too many. What is found is found for all of them.
        """
        setting = self.hook.setting
        coupling = Coupling.of(setting, *self.outcomes)
        if coupling is None:
            return []
        comparisons = []
        for pair in coupling.matched:
            numbers = {**pair[0].numbers(setting.terms), **pair[1].numbers(setting.terms)}
            one, other = (dict(zip(coupling.names, piece.values, strict=True)) for piece in pair)
            fits = {
                rule: setting.terms.substitute(term, numbers) for rule, term in self.fits.items()
            }
            differences, accepting = self.hook.differ((one, other))
            comparisons.append(
                attrs.evolve(
                    self,
                    outcomes=(one, other),
                    differences=differences,
                    accepting=accepting,
                    fits=fits,
                    numbers=numbers,
                    coupling=coupling,
                )
            )
        return comparisons

    @property
    def differing(self) -> Term:
        """Where anything differs."""
        return self.hook.setting.terms.any(*self.differences.values())

    @property
    def facts(self) -> Iterator[Term]:
        """What holds besides of what the node answers, and what the solver is told of logs."""
        yield from self.given
        yield from (fact for one, _ in self.found for fact in one.facts)

    def left(self) -> dict[str, Term]:
        """Where something differs in a way that is not accepted nor found so far, by what."""
        terms = self.hook.setting.terms
        left = {}
        for name, differs in self.differences.items():
            covered = [one.term for one, _ in self.found if name in one.differs]
            covered += self.accepting.of_name(name)
            left[name] = terms.all(differs, *map(terms.not_, covered))
        return left

    @property
    def leaving(self) -> Term:
        """Where anything differs in a way that is not accepted nor found so far."""
        return self.hook.setting.terms.any(*self.left().values())

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
        return self.find_where(self.leaving)

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
        given = (*packets_at(self.hook.setting), *self.facts)
        found = self.hook.solver.find(wanted, given)
        if found is None and not (self.is_possible or self.hook.is_part):
            # Facts that contradict each other would prove anything.
            assert self.hook.solver.find(terms.true, given), "no packet fits the facts of a proof"
            self.is_possible = True
        return found

    def has(self, packet: Mapping[str, int]) -> bool:
        """Whether a packet is one of those that are looked at."""
        return self.hook.case is None or self.hook.case.has(packet)

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

    def leave_out(self, model: Model) -> None:
        """Look for no packet that differs as one does."""
        left = self.left()
        differing = {name: self.differences[name] for name in left if model.holds(left[name])}
        found = region(self.hook.setting, model, self.outcomes, differing, {})
        self.found.append((found, ShownPacket(frozenset(), frozenset(), {})))

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
        self.is_possible = False
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
