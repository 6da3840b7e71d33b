"""Whether two sides treat every packet the same: the proof's whole way."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import (
    APPROXIMATED,
    ONE_SIDE_TRACKS,
    Diagnostic,
    Refused,
)
from ..core.values import Family
from ..model.oracle import KeptSet
from ..model.packet import HOOKS, STATE_BITS
from ..model.path import PATHS, Path
from .acceptance import NOTHING, Acceptances, AcceptedClass, Occurs
from .answers import Different, Equivalent, HookAnswer, HookStatus, Unknown
from .axioms import give_templates, hold_for
from .budget import MOST_MEGABYTES, MOST_TERMS, Budget, GaveUp
from .chains import ChainComparison
from .chance import TOLERANCE
from .context import ProofContext
from .correspondence import comparable, sentences
from .decide import PathSearch, decide
from .hooks import at_hook
from .objects import has_list_and_set
from .order import EVERY_ORDER, ChainOrder
from .pairs import Chains
from .paths import assumed_of_node, assumed_on_paths, unknown_on_paths
from .references import missing_names
from .rule_keys import index_rules
from .symbolic import Solver
from .terms import Terms
from .unread import UnreadRules

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from ..core.diagnostics import Code
    from ..model.known_node import KnownNode
    from .answers import Answer
    from .chains import Pair
    from .classes import DifferenceClass
    from .search import Decision
    from .side import Side
    from .summary import ChainSummary


#: The time for each question about a part of a chain: the whole hook can still decide.
_MOST_SECONDS = 5


@attrs.frozen(kw_only=True)
class ProofSettings:
    """How a proof is made."""

    seconds: float = 60  #: for each question to the solver
    timeout: float | None = None  #: seconds for the whole proof; None: any time
    most_terms: int = MOST_TERMS  #: the proof's room, for the hooks of one family
    most_megabytes: float = MOST_MEGABYTES  #: memory that the whole proof may take
    most: int = 10  #: how many classes of differences are looked for
    first: bool = False  #: whether one packet of a hook is enough
    counters: bool = False  #: whether it counts which rules counted a packet
    splits: bool = True  #: whether packets are looked at case by case where rules are many
    order: ChainOrder = EVERY_ORDER  #: in which order base chains of one priority run
    allow: frozenset[Code] = frozenset()  #: approximations that are taken for exact
    accept: Acceptances = NOTHING  #: differences that the caller accepts
    paths: bool = False  #: whether whole paths are compared where hooks are not equal
    internal: int = 0  #: bits of the mark that, on a path, the rules alone look at
    node: KnownNode | None = None  #: what is known of the node that both sides are on


def verify(
    before: Side,
    after: Side,
    settings: ProofSettings,
    progress: Callable[[str], None] = lambda _: None,
) -> Answer:
    """Whether two sides treat every packet the same.

    ``progress`` is called with what is being looked at. Raises Refused where an nft table names
    something that it does not have.
    """
    budget = Budget(settings.timeout, settings.most_terms, settings.most_megabytes)
    missing = dict.fromkeys(one for side in (before, after) for one in missing_names(side))
    if missing:
        raise Refused(list(missing))
    if unknown := (*before.unknown, *after.unknown):
        return Unknown(unknown)
    before, after, unknown = comparable(before, after, settings.allow)
    if unknown:
        return Unknown(unknown)
    proof = _Proof(before, after, settings, progress, budget)
    for family in sorted(before.families | after.families, key=str):
        try:
            proof.of_family(family)
        except GaveUp as given_up:  # before there was a hook to say it of
            proof.reasons.append(given_up.reason)
    proof.note_approximations()
    not_read = UnreadRules.of(before, after)
    proof.reasons += not_read.unknown
    if proof.found:
        proof.reasons += not_read.apart
    reasons = tuple(dict.fromkeys(proof.reasons))
    if proof.found:
        examples = tuple(one.example for one in proof.found)
        return Different(
            examples,
            tuple(proof.hooks),
            reasons,
            tuple(proof.found),
            proof.accepted,
            tuple(proof.paths),
            tuple(proof.of_node()),
        )
    if reasons:
        return Unknown(reasons, tuple(proof.hooks), proof.accepted, tuple(proof.paths))
    hooks = tuple((one.family, one.hook) for one in proof.hooks)
    unequal = tuple(
        (one.family, one.hook)
        for one in proof.hooks
        if one.status not in {HookStatus.EQUAL, HookStatus.ACCEPTED}
    )
    assumed = (*proof.assumptions(), *not_read.sentences)
    return Equivalent(hooks, assumed, proof.accepted, unequal, tuple(proof.paths))


@attrs.define
class _Proof:
    before: Side
    after: Side
    settings: ProofSettings
    progress: Callable[[str], None]
    budget: Budget
    found: list[DifferenceClass] = attrs.Factory(list)
    reasons: list[Diagnostic] = attrs.Factory(list)
    hooks: list[HookAnswer] = attrs.Factory(list)
    occurring: list[AcceptedClass] = attrs.Factory(list)
    paths: list[HookAnswer] = attrs.Factory(list)
    _assumed: dict[str, None] = attrs.Factory(dict)

    def of_family(self, family: Family) -> None:
        """Look at all hooks of a family."""
        sides = (self.before, self.after)
        tracked = {side.tracks(family) for side in sides}
        if len(tracked) == 2:
            self.reasons.append(_one_side_tracks(family))
        fragments = tracked == {False}
        if fragments and len({side.reassembles(family) for side in sides}) == 2:
            self.reasons.append(_one_side_reassembles(family))
        if not fragments:
            self._assume(f"{family.title}: no fragments, because conntrack reassembles packets")
        chains = [side.chains(family) for side in sides]
        known: dict[str, int] = {}
        if fragments:
            known = {"ct_state": STATE_BITS["invalid"]}  # there are no connections
            if any(one.type == "nat" for side in chains for one in side):
                self._assume(f"{family.title}: no connections are tracked, so nat chains never run")
        rulesets = (*self.before.rulesets, *self.after.rulesets)
        if not give_templates(rulesets):
            known["ct_template"] = 0
        as_tracked = not fragments and hold_for(rulesets)
        solver = Solver(self.settings.seconds, self.budget)
        quick = solver.within(_MOST_SECONDS)
        terms = Terms(self.budget)
        ours, theirs = (Chains(dict.fromkeys(one.program for one in side)) for side in chains)
        if self.settings.splits:
            programs = dict.fromkeys(chain.program for side in chains for chain in side)
            index_rules(programs, family, self.budget)
        anywhere: dict[Pair, ChainSummary | None] = {}
        contexts = {
            hook: ProofContext(
                terms, family, hook, fragments, self.settings.counters, known,
                as_tracked=as_tracked,
            )
            for hook in HOOKS
        }  # fmt: skip
        pairs = {
            hook: ChainComparison(context, quick, ours, theirs, anywhere)
            for hook, context in contexts.items()
        }
        internal = self.internal
        hooks = [
            PathSearch(
                Path.at(hook), pairs, solver, *sides, chains[0], chains[1], internal,
                self.settings.node, splits=self.settings.splits,
            )
            for hook in HOOKS
            if any(at_hook(side, hook) for side in chains)
        ]  # fmt: skip
        self._of_hooks(hooks)
        if any(isinstance(oracle.object, KeptSet) for oracle in terms.oracles()):
            self._assume(f"{family.title}: sets that rules fill have room for what they add")
        if asked := sorted({oracle.topic for oracle in terms.oracles()}):
            self._assume(
                f"{family.title}: the node answers both sides the same: {', '.join(asked)}"
            )

    def _of_hooks(self, hooks: Sequence[PathSearch]) -> None:
        """Decide hooks, or the paths that lead through those that are not equal by themselves."""
        if not self.settings.paths:
            for number, hook in enumerate(hooks, 1):
                self.hooks.append(self._in_full(hook, f"hook {number} of {len(hooks)}"))
            return
        unequal: dict[str, PathSearch] = {}
        for number, hook in enumerate(hooks, 1):
            self.progress(f"{hook.place}, hook {number} of {len(hooks)}")
            answer = self._answer(hook, decide(hook, self.settings.order, 1, first=True))
            if answer.status is not HookStatus.EQUAL:
                unequal[answer.hook] = hook
            if answer.status is HookStatus.DIFFERENT:
                answer = attrs.evolve(answer, reasons=())
            self.hooks.append(answer)
        in_full: dict[str, HookAnswer] = {}
        for path in PATHS:
            here = [hook for name, hook in unequal.items() if name in path.hooks]
            family = hooks[0].setting.family if hooks else Family.IP
            if not here:
                if any(hook.setting.hook in path.hooks for hook in hooks):
                    self.paths.append(HookAnswer(family, path.name, HookStatus.EQUAL))
            elif why := unknown_on_paths(self.before, self.after, path, family):
                for hook in here:
                    if hook.setting.hook not in in_full:
                        in_full[hook.setting.hook] = self._in_full(hook, "hook by hook")
                answers = [in_full[hook.setting.hook] for hook in here]
                self.paths.append(_hook_by_hook(path, answers, why))
            else:
                self._of_path(path, hooks, unequal)

    def _of_path(self, path: Path, hooks: Sequence[PathSearch], unequal: Collection[str]) -> None:
        """Decide a path on which a hook is not equal by itself."""
        settled = set[str]()
        if self.settings.order == EVERY_ORDER:  # else they are equal in some orders alone
            settled = {hook.setting.hook for hook in hooks} - set(unequal)
        for sentence in assumed_on_paths(self.internal, self.settings.node):
            self._assume(sentence)
        which = f"path {PATHS.index(path) + 1} of {len(PATHS)}"
        whole = attrs.evolve(hooks[0], path=path, settled=settled)
        self.paths.append(self._in_full(whole, which))

    def _in_full(self, path: PathSearch, which: str) -> HookAnswer:
        """Look for all classes of differences, in all orders that base chains may run in."""
        where = f"{path.place}, {which}"
        self.progress(where)
        most = self.settings.most - len(self.found)
        path = attrs.evolve(
            path,
            accept=self.settings.accept,
            progress=lambda what: self.progress(f"{where}: {what}"),
        )
        decision = decide(path, self.settings.order, most, first=self.settings.first)
        self.found += decision.found
        self.occurring += decision.accepted
        self.reasons += decision.reasons
        return self._answer(path, decision)

    def _answer(self, path: PathSearch, decision: Decision) -> HookAnswer:
        """What is known of a path or hook, with what that rests on."""
        if any(path.pairs[hook].by_chance for hook in path.path.hooks):
            self._assume(f"random outcomes are equally likely on both sides, within {TOLERANCE}")
        if decision.order:
            self._assume(f"{path.place}: {decision.order}")
        family, name = path.setting.family, path.path.name
        return HookAnswer(family, name, decision.status, decision.reasons, decision.order)

    @property
    def internal(self) -> int:
        """Bits of the mark that, on a path, the rules alone look at."""
        return self.settings.internal | self.settings.accept.internal

    @property
    def accepted(self) -> tuple[AcceptedClass, ...]:
        """What is accepted, each with whether it occurs, and where."""
        accept = self.settings.accept
        # Where the search ended early, it is not known what does not occur.
        otherwise = Occurs.UNKNOWN if self.reasons else Occurs.NO
        found = []
        for one in accept.each:
            there = [each for each in self.occurring if each.acceptance == one]
            there.sort(key=lambda each: each.occurs is not Occurs.YES)
            places = tuple(dict.fromkeys(place for each in there for place in each.places))
            if one.is_over(accept.today):
                found.append(AcceptedClass(one, Occurs.OVER))
            elif there:
                found.append(attrs.evolve(there[0], places=places))
            else:
                found.append(AcceptedClass(one, otherwise))
        return tuple(found)

    def note_approximations(self) -> None:
        """A proof that rests on something that is approximated is none."""
        # What is on both sides is approximated alike on both of them.
        ours, theirs = (set(map(id, side.rulesets)) for side in (self.before, self.after))
        before, after = _without(self.before, theirs), _without(self.after, ours)
        for one, other in ((before, after), (after, before)):
            there = Counter(map(_key, other.approximated()))
            for found in one.approximated():
                if there[_key(found)]:
                    there[_key(found)] -= 1
                elif found.code in self.settings.allow:
                    self._assume(f"{found.code}: {found.code.title}")
                else:
                    self.reasons.append(
                        Diagnostic(
                            APPROXIMATED,
                            f"{found.message} ({found.code}: {found.code.title})",
                            found.span,
                            f"treat it as exact with --allow {found.code}",
                        )
                    )

    def of_node(self) -> Iterator[str]:
        """What is known of the node, and not."""
        if self.settings.node:
            families = sorted(self.before.families | self.after.families, key=str)
            yield from assumed_of_node(self.settings.node, families)

    def _assume(self, sentence: str) -> None:
        self._assumed[sentence] = None

    def assumptions(self) -> Iterator[str]:
        """What the answer rests on."""
        if not self.settings.counters:
            yield "which rules count a packet is not compared"
        occurring = (one.acceptance for one in self.accepted if one.occurs is Occurs.YES)
        if self.settings.paths and any(one.leads_elsewhere for one in occurring):
            yield (
                "where packets that are accepted take another route, what happens to them behind"
                " it is not compared"
            )
        yield from dict.fromkeys((*self.before.left_out, *self.after.left_out))
        if self.before.as_lists and any(map(has_list_and_set, (self.before, self.after))):
            yield "T101: where a list of recent and its set are both loaded, they hold the same"
        yield from sentences(self.after.other_names)
        yield from self.of_node()
        yield from self._assumed


def _hook_by_hook(path: Path, hooks: Sequence[HookAnswer], why: str) -> HookAnswer:
    """What is known of a path by those of its hooks that are not equal at first sight."""
    every = {one.status for one in hooks}
    worst = (HookStatus.DIFFERENT, HookStatus.UNDECIDED, HookStatus.ACCEPTED, HookStatus.EQUAL)
    status = next(one for one in worst if one in every)
    reasons = dict.fromkeys(reason for one in hooks for reason in one.reasons)
    said = f"compared hook by hook: {why}"
    return HookAnswer(hooks[0].family, path.name, status, tuple(reasons), said)


def _one_side_tracks(family: Family) -> Diagnostic:
    return Diagnostic(
        ONE_SIDE_TRACKS,
        f"{family.title}: one side turns connection tracking on, which reassembles fragments"
        " and enables NAT, and the other does not",
        hint="compare all rules of a node with all rules of a node",
    )


def _one_side_reassembles(family: Family) -> Diagnostic:
    return Diagnostic(
        ONE_SIDE_TRACKS,
        f"{family.title}: a transparent proxy or a socket match makes the kernel reassemble"
        " fragments on one side only",
        hint="compare all rules of a node with all rules of a node",
    )


def _without(side: Side, shared: Collection[int]) -> Side:
    """A side without rulesets, which are given by their identities."""
    return attrs.evolve(side, rulesets=tuple(one for one in side.rulesets if id(one) not in shared))


def _key(found: Diagnostic) -> tuple[str, str, str]:
    return found.code.name, found.message, found.span.text if found.span else ""
