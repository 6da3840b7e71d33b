"""Whether two sides treat every packet the same: the proof's whole way."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import (
    APPROXIMATED,
    CONTRADICTED,
    NO_MEANING,
    NO_TIME,
    ONE_SIDE_TRACKS,
    OTHER_DRAWS,
    SEARCH_INCOMPLETE,
    Diagnostic,
)
from ..model.packet import HOOKS, NoMeaning
from .answers import Different, Equivalent, HookAnswer, HookStatus, Unknown
from .budget import MOST_TERMS, Budget, GaveUp
from .chains import ChainComparison
from .chance import TOLERANCE
from .context import ProofContext
from .counterexample import counterexample
from .hooks import HookComparison, at_hook
from .pairs import Chains
from .symbolic import Solver, Undecided
from .terms import Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..core.diagnostics import Code
    from ..core.values import Family
    from ..model.hook import BaseChain
    from .answers import Answer
    from .chains import ChainSummary, Pair
    from .counterexample import Counterexample
    from .hooks import Shown
    from .side import Side


#: How many packets of a hook are looked at, those included that hang on chance.
_MOST_TRIED = 100

#: The time for each question about a part of a chain: the whole hook can still decide.
_MOST_SECONDS = 5


@attrs.frozen(kw_only=True)
class ProofSettings:
    """How a proof is made."""

    seconds: float = 60  #: for each question to the solver
    timeout: float | None = None  #: seconds for the whole proof; None: any time
    most_terms: int = MOST_TERMS  #: the proof's room, for the hooks of one family
    most: int = 10  #: how many packets are looked for
    counters: bool = False  #: whether it counts which rules counted a packet
    allow: frozenset[Code] = frozenset()  #: approximations that are taken for exact


def verify(
    before: Side,
    after: Side,
    settings: ProofSettings,
    progress: Callable[[str], None] = lambda _: None,
) -> Answer:
    """Whether two sides treat every packet the same.

    ``progress`` is called with what is being looked at.
    """
    if unknown := (*before.unknown, *after.unknown):
        return Unknown(unknown)
    proof = _Proof(before, after, settings, progress)
    for family in sorted(before.families | after.families, key=str):
        proof.of_family(family)
    proof.note_approximations()
    reasons = tuple(dict.fromkeys(proof.reasons))
    if proof.found:
        return Different(tuple(proof.found), tuple(proof.hooks), reasons)
    if reasons:
        return Unknown(reasons, tuple(proof.hooks))
    hooks = tuple((one.family, one.hook) for one in proof.hooks)
    return Equivalent(hooks, tuple(proof.assumptions()))


@attrs.define
class _Proof:
    before: Side
    after: Side
    settings: ProofSettings
    progress: Callable[[str], None]
    found: list[Counterexample] = attrs.Factory(list)
    reasons: list[Diagnostic] = attrs.Factory(list)
    hooks: list[HookAnswer] = attrs.Factory(list)
    budget: Budget = attrs.field(init=False)
    _assumed: dict[str, None] = attrs.Factory(dict)

    def __attrs_post_init__(self) -> None:
        self.budget = Budget(self.settings.timeout, self.settings.most_terms)

    def of_family(self, family: Family) -> None:
        """Look at all hooks of a family."""
        sides = (self.before, self.after)
        tracked = {side.tracks(family) for side in sides}
        if len(tracked) == 2:
            self.reasons.append(_one_side_tracks(family))
        fragments = tracked == {False}
        if not fragments:
            self._assume(f"{family.title}: no fragments, because conntrack reassembles packets")
        chains = [side.chains(family) for side in sides]
        solver = Solver(self.settings.seconds, self.budget)
        quick = Solver(min(self.settings.seconds, _MOST_SECONDS), self.budget)
        terms = Terms(self.budget)
        known, other = (Chains(dict.fromkeys(one.program for one in side)) for side in chains)
        anywhere: dict[Pair, ChainSummary | None] = {}
        for name in HOOKS:
            before, after = (at_hook(side, name) for side in chains)
            if before or after:
                self.progress(f"{family.title} {name}")
                setting = ProofContext(terms, family, name, fragments, self.settings.counters)
                pairs = ChainComparison(setting, quick, known, other, anywhere)
                self._of_hook(HookComparison(setting, solver, before, after, pairs))
        if asked := sorted({oracle.topic for oracle in terms.oracles()}):
            self._assume(
                f"{family.title}: the node answers both sides the same: {', '.join(asked)}"
            )

    def _of_hook(self, hook: HookComparison) -> None:
        """Decide a hook, or note every reason why it is not decided."""
        for side in (hook.before, hook.after):
            self._note_order(side)
        known, reasons = len(self.found), list[Diagnostic]()
        try:
            if not hook.is_equal():
                reasons += self._look_for_packets(hook)
            if hook.pairs.by_chance:
                self._assume(
                    f"random outcomes are equally likely on both sides, within {TOLERANCE}"
                )
        except NoMeaning as reason:
            places = hook.pairs.meaningless or [str(reason)]
            reasons += (Diagnostic(NO_MEANING, place) for place in places)
        except Undecided:
            reasons.append(_no_time(hook, self.settings.seconds))
        except GaveUp as given_up:
            reasons.append(given_up.reason)
        status = HookStatus.UNDECIDED if reasons else HookStatus.EQUAL
        if len(self.found) > known:
            status = HookStatus.DIFFERENT
        family, name = hook.setting.family, hook.setting.hook
        self.hooks.append(HookAnswer(family, name, status, tuple(reasons)))
        self.reasons += reasons

    def _look_for_packets(self, hook: HookComparison) -> list[Diagnostic]:
        """First without what is proved; where what it does matters, with all of it.

        The answer is why there may be more packets than those that are found.
        """
        shown: list[Shown] = []
        reasons: list[Diagnostic] = []
        found = None
        for inside in (False, True):
            comparison = hook.compare(inside=inside)
            comparison.shown = shown
            while model := comparison.find():
                if len(self.found) >= self.settings.most or len(shown) >= _MOST_TRIED:
                    return [*reasons, _more(hook, "no more packets were looked for")]
                found = counterexample(model, comparison, self.before, self.after)
                if not found:
                    break
                shown.append(found.shown)
                if not comparison.same_draws and found.hangs_on_chance:
                    reasons = [_other_draws(hook)]
                else:
                    self.found.append(found)
            else:
                if shown and comparison.has_more():
                    reasons.append(_more(hook, "packets that fit these rules and others may, too"))
                return reasons
        return [*reasons, _contradicted(hook)]

    def _note_order(self, chains: Sequence[BaseChain]) -> None:
        """The kernel promises no order of chains of one priority; ours is an assumption."""
        places = Counter((chain.hook, chain.type, chain.priority) for chain in chains)
        for (hook, _, priority), count in places.items():
            if count > 1:
                self._assume(
                    f"base chains at {hook} {priority} run in the order in which they were given"
                )

    def note_approximations(self) -> None:
        """A proof that rests on something that is approximated is none."""
        for one, other in ((self.before, self.after), (self.after, self.before)):
            if not other.is_nft:
                continue
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
                            f"take it for exact with --allow {found.code}",
                        )
                    )

    def _assume(self, sentence: str) -> None:
        self._assumed[sentence] = None

    def assumptions(self) -> Iterator[str]:
        """What the answer rests on."""
        if not self.settings.counters:
            yield "which rules count a packet is not compared"
        yield from dict.fromkeys((*self.before.left_out, *self.after.left_out))
        yield from self._assumed


def _one_side_tracks(family: Family) -> Diagnostic:
    return Diagnostic(
        ONE_SIDE_TRACKS,
        f"{family.title}: one side turns connection tracking on, which reassembles fragments"
        " and enables NAT, and the other does not",
        hint="compare all rules of a node with all rules of a node",
    )


def _more(hook: HookComparison, why: str) -> Diagnostic:
    return Diagnostic(
        SEARCH_INCOMPLETE,
        f"{hook.place}: not every packet that differs is shown: {why}",
        hint="look for more of them with --most, and mend what is shown first",
    )


def _contradicted(hook: HookComparison) -> Diagnostic:
    return Diagnostic(
        CONTRADICTED,
        f"{hook.place}: the proof finds a packet that the interpreter treats"
        " the same on both sides: neither a difference nor a proof",
        hint="look for a packet with vpccni-nft replay",
    )


def _other_draws(hook: HookComparison) -> Diagnostic:
    return Diagnostic(
        OTHER_DRAWS,
        f"{hook.place}: the two sides draw different random"
        " numbers, and their outcomes are not shown to be equally likely",
        hint="look for a packet with vpccni-nft replay, which repeats what is random",
    )


def _no_time(hook: HookComparison, seconds: float) -> Diagnostic:
    places = ", ".join(
        f"{part.program.table} {part.chain} rule {part.numbers[0] + 1}"
        for part, _ in hook.pairs.open[:3]
    )
    at = f", with {places}" if places else ""
    return Diagnostic(
        NO_TIME,
        f"{hook.place}{at}: no answer within {seconds:g} s",
        hint="give it more time with --seconds, or look for a packet with vpccni-nft replay",
    )


def _key(found: Diagnostic) -> tuple[str, str]:
    return found.code.name, found.span.text if found.span else ""
