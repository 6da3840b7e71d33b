"""Whether two sides treat every packet alike: the proof's whole way."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import (
    APPROXIMATED,
    NO_MEANING,
    NO_TIME,
    ONE_SIDE_TRACKS,
    OTHER_DRAWS,
    Diagnostic,
)
from ..model.packet import HOOKS, NoMeaning
from .answers import Different, Equivalent, Unknown
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
    from .side import Side


#: The time for each question about a part of a chain: the whole hook can still tell.
_MOST_SECONDS = 5


@attrs.frozen(kw_only=True)
class ProofSettings:
    """How a proof is made."""

    seconds: float = 60  #: for each question to the solver
    most: int = 10  #: how many packets are looked for
    counters: bool = False  #: whether it counts which rules counted a packet
    allow: frozenset[Code] = frozenset()  #: approximations that are taken for exact


def verify(
    before: Side,
    after: Side,
    settings: ProofSettings,
    progress: Callable[[str], None] = lambda _: None,
) -> Answer:
    """Whether two sides treat every packet alike.

    ``progress`` is told what is being looked at.
    """
    if unknown := (*before.unknown, *after.unknown):
        return Unknown(unknown)
    proof = _Proof(before, after, settings, progress)
    for family in sorted(before.families | after.families, key=str):
        if len(proof.found) < settings.most:
            proof.of_family(family)
    proof.note_approximations()
    if proof.found:
        return Different(tuple(proof.found))
    if proof.reasons:
        return Unknown(tuple(proof.reasons))
    return Equivalent(tuple(proof.hooks), tuple(proof.assumptions()))


@attrs.define
class _Proof:
    before: Side
    after: Side
    settings: ProofSettings
    progress: Callable[[str], None]
    found: list[Counterexample] = attrs.Factory(list)
    reasons: list[Diagnostic] = attrs.Factory(list)
    hooks: list[tuple[Family, str]] = attrs.Factory(list)
    _assumed: dict[str, None] = attrs.Factory(dict)

    def of_family(self, family: Family) -> None:
        """Look at all hooks of a family."""
        sides = (self.before, self.after)
        tracked = {side.tracks(family) for side in sides}
        if len(tracked) == 2:
            self.reasons.append(_one_side_tracks(family))
        fragments = tracked == {False}
        if not fragments:
            self._assume(f"{family.title}: no fragments, for conntrack puts packets together")
        chains = [side.chains(family) for side in sides]
        solver = Solver(self.settings.seconds)
        quick = Solver(min(self.settings.seconds, _MOST_SECONDS))
        terms = Terms()
        known, other = (Chains(dict.fromkeys(one.program for one in side)) for side in chains)
        anywhere: dict[Pair, ChainSummary | None] = {}
        for name in HOOKS:
            before, after = (at_hook(side, name) for side in chains)
            if before or after:
                self.hooks.append((family, name))
                self.progress(f"{family.title} {name}")
                setting = ProofContext(terms, family, name, fragments, self.settings.counters)
                pairs = ChainComparison(setting, quick, known, other, anywhere)
                self._of_hook(HookComparison(setting, solver, before, after, pairs))
                if len(self.found) >= self.settings.most:
                    return
        if asked := sorted({oracle.topic for oracle in terms.oracles()}):
            self._assume(f"{family.title}: the node answers both sides alike: {', '.join(asked)}")

    def _of_hook(self, hook: HookComparison) -> None:
        for side in (hook.before, hook.after):
            self._note_order(side)
        try:
            if not hook.is_alike():
                self._look_for_packets(hook)
            if hook.pairs.by_chance:
                self._assume(f"outcomes of chance are as likely on both sides, within {TOLERANCE}")
        except NoMeaning as reason:
            for place in hook.pairs.meaningless or [str(reason)]:
                self.reasons.append(Diagnostic(NO_MEANING, place))
        except Undecided:
            self.reasons.append(_no_time(hook, self.settings.seconds))

    def _look_for_packets(self, hook: HookComparison) -> None:
        """First without what is proved; where what it does matters, with all of it."""
        for inside in (False, True):
            comparison = hook.compare(inside=inside)
            while model := comparison.find():
                found = counterexample(model, comparison, self.before, self.after)
                if not found:
                    break
                if not comparison.same_draws and found.hangs_on_chance:
                    self.reasons.append(_other_draws(hook))
                    return
                self.found.append(found)
                if len(self.found) >= self.settings.most:
                    return
                comparison.leave_out(found.culprits)
            else:
                return
        raise Undecided

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
        f"{family.title}: one side turns connection tracking on, which puts fragments together and"
        " lets NAT happen, and the other does not",
        hint="compare all rules of a node with all rules of a node",
    )


def _other_draws(hook: HookComparison) -> Diagnostic:
    return Diagnostic(
        OTHER_DRAWS,
        f"{hook.setting.family.title} {hook.setting.hook}: the two sides draw other random numbers,"
        " and that all outcomes are as likely is not shown",
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
        f"{hook.setting.family.title} {hook.setting.hook}{at}: no answer within {seconds:g} s",
        hint="give it more time with --seconds, or look for a packet with vpccni-nft replay",
    )


def _key(found: Diagnostic) -> tuple[str, str]:
    return found.code.name, found.span.text if found.span else ""
