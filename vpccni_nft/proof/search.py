"""One hook in one order of its base chains: equal, or packets that differ, or what is not known."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import (
    CONTRADICTED,
    NO_MEANING,
    NO_TIME,
    OTHER_DRAWS,
    SEARCH_INCOMPLETE,
    Diagnostic,
)
from ..model.packet import NoMeaning
from .acceptance import AcceptedClass, Occurs
from .answers import HookStatus
from .budget import GaveUp
from .classes import DifferenceClass, merged
from .counterexample import counterexample, plainer
from .findings import Finding, joined
from .regions import Description, describe, fits
from .residue import CaseProver, Residue, outcome_shape
from .split import PacketCase, Smaller, Split, Tree, by_case
from .symbolic import Undecided

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from .acceptance import Acceptance
    from .hooks import Comparison, PathComparison, SentPacket
    from .side import Side
    from .term import Term

#: How many classes of a hook are looked for before those are joined that differ in literals alone.
_MOST_TRIED = 500


@attrs.frozen
class Decision:
    """What is known of a hook."""

    found: tuple[DifferenceClass, ...] = ()
    #: Why it is not decided; where packets are found, why there may be more of them.
    reasons: tuple[Diagnostic, ...] = ()
    order: str = ""  #: in which order base chains ran, where they could run in another one
    accepted: tuple[AcceptedClass, ...] = ()  #: what is accepted, where it occurs or may

    @property
    def status(self) -> HookStatus:
        """Whether it is decided, and how."""
        if self.found:
            return HookStatus.DIFFERENT
        if self.reasons:
            return HookStatus.UNDECIDED
        return HookStatus.ACCEPTED if self.accepted else HookStatus.EQUAL


def search(
    hook: PathComparison, before: Side, after: Side, most: int, *, first: bool = False
) -> Decision:
    """Decide a hook as its base chains stand, with so many classes of differences at most.

    With ``first`` one packet is enough.
    """
    found = _Found(most, first)
    reasons: list[Diagnostic] = []
    try:
        if not hook.is_equal():
            reasons += _look_for_classes(hook, before, after, found)
    except NoMeaning as reason:
        places = hook.meaningless or [str(reason)]
        reasons += (Diagnostic(NO_MEANING, place) for place in places)
    except Undecided:
        reasons.append(_no_time(hook, hook.solver.seconds))
    except GaveUp as given_up:
        reasons.append(given_up.reason)
    return Decision(found.classes, tuple(dict.fromkeys(reasons)), accepted=tuple(found.accepted))


class _Enough(Exception):  # noqa: N818 - found on the way, and caught
    """There are as many classes as are wanted."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class _Contradiction(Exception):  # noqa: N818 - found on the way, and caught
    """The interpreters see no difference where the proof sees one."""


@attrs.define
class _Found:
    """What was found so far."""

    most: int  #: how many classes are wanted
    first: bool  #: whether one packet is enough
    #: What was found where chains that mean the same were not gone through.
    outside: tuple[DifferenceClass, ...] = ()
    #: What was found since.
    single: list[DifferenceClass] = attrs.Factory(list)
    #: What is accepted, and occurs or may.
    accepted: list[AcceptedClass] = attrs.Factory(list)

    @property
    def classes(self) -> tuple[DifferenceClass, ...]:
        """All of it, where classes are one that differ in literals alone."""
        return merged(self.single) or self.outside

    def check(self) -> None:
        """Raise _Enough where no more classes are wanted."""
        if len(merged(self.single)) >= self.most or len(self.single) >= _MOST_TRIED:
            raise _Enough("no more of them were searched for")


def _look_for_classes(
    hook: PathComparison, before: Side, after: Side, found: _Found
) -> list[Diagnostic]:
    """The answer is why there may be more packets than those that are found."""
    look = _Look(hook, before, after, found)
    try:
        if hook.splits:
            every = PacketCase.of_all(hook.setting)
            # What is done for one key has consequences at all hooks behind it.
            start = every.splitting() if hook.path.is_whole else None
            tree = by_case(start or every, look.at)
        else:
            tree = Tree(look.at(PacketCase(hook.setting)))
    except _Enough as enough:
        return [*look.reasons, _more(hook, enough.why)]
    except _Contradiction:
        return [*look.reasons, _contradicted(hook)]
    found.single = [one.found for one in joined(tree, hook.setting.family, look.sides)]
    return list(look.reasons)


@attrs.define
class _Look:
    """Looks for classes of differences, case by case."""

    hook: PathComparison
    before: Side
    after: Side
    found: _Found
    #: Why there may be more packets than those that are found.
    reasons: dict[Diagnostic, None] = attrs.Factory(dict)
    #: Which side asks routing what the other one does not, as literals have it.
    sides: dict[Term, str] = attrs.Factory(dict)
    #: What was found of residues that others can have the shape of, with what shows it.
    _known: dict[object, tuple[Residue, list[Finding]]] = attrs.Factory(dict)
    #: The shapes of which nothing was found, without what has to be looked at for it.
    _equal: set[object] = attrs.Factory(set)
    #: Whether chains that mean the same have mattered for some key: then they do for most.
    _matter: bool = False

    def at(self, case: PacketCase) -> list[Finding]:
        """The classes of a case. Raises Split, _Enough, _Contradiction, and what proofs raise.

        First without what is proved to be the same; where what it does matters, with all of it.
        """
        if not (case.keys and self._matter):
            count, accepted, reasons = len(self.found.single), self.found.accepted, self.reasons
            try:
                return self._at(case, inside=False)
            except _Contradiction:
                self.found.outside += tuple(self.found.single[count:])
                del self.found.single[count:]
                self.found.accepted, self.reasons = accepted, reasons
                self._matter = self._matter or bool(case.keys)
        return self._at(case, inside=True)

    def _at(self, case: PacketCase, *, inside: bool) -> list[Finding]:
        hook = self.hook.of_case(case)
        hook.solver.budget.check()
        sent = hook.send(inside=inside)
        shape = _shape(hook, sent, case)
        if shape is not None and shape in self._equal:
            return []
        findings, is_general = self._compare(case, hook.compare(sent), inside=inside)
        if is_general and not findings:
            self._equal.add(shape)
        return findings

    def _compare(
        self, case: PacketCase, comparison: Comparison, *, inside: bool
    ) -> tuple[list[Finding], bool]:
        """The classes of a case, and whether they are so whatever its literals are."""
        hook = comparison.hook
        if not any(one is not hook.setting.terms.false for one in comparison.differences.values()):
            return [], True
        self.sides |= comparison.sides
        residue = _residue(comparison, case)
        if residue.shape is not None and residue.shape in self._known:
            first, known = self._known[residue.shape]
            names = first.renaming(residue)
            again = [one.renamed(hook.setting.terms, names) for one in known]
            if None not in again:
                return [one for one in again if one], True
        if not comparison.same_draws and (smaller := case.splitting()):
            # Who draws for one key draws for no other one.
            raise Smaller(smaller)
        # Of packets without a key there is no other residue that would have the same shape.
        prover = CaseProver(hook.setting, hook.quick, is_general=case.is_of_key)
        outcomes = [comparison] if comparison.same_draws else comparison.by_outcome()
        findings: list[Finding] = []
        quick = case.is_of_key or not comparison.same_draws
        if not (quick and outcomes and all(prover.is_never(one.leaving) for one in outcomes)):
            if not (comparison.same_draws or outcomes):
                self._split_draws(case, comparison)
            for one in outcomes or [comparison]:
                findings += self._classes(one, prover)
        for one in outcomes or [comparison]:
            self._note_accepted(one)
        if not inside and any(one.occurs is Occurs.UNKNOWN for one in self.found.accepted):
            raise _Contradiction
        if outcomes and not comparison.same_draws:
            self.hook.pairs[self.hook.path.entry].by_chance = True
        is_general = prover.is_general and residue.shape is not None
        if is_general:
            self._known[residue.shape] = residue, findings
        return findings, is_general

    def _split_draws(self, case: PacketCase, comparison: Comparison) -> None:
        """Raise Split where numbers are drawn for more packets than need be looked at together."""
        words = (word for outcome in comparison.outcomes for word in outcome.values())
        if by := case.on_draws(words):
            raise Split(by)

    def _classes(self, comparison: Comparison, prover: CaseProver) -> Iterator[Finding]:
        hook, terms = comparison.hook, comparison.hook.setting.terms
        while model := comparison.find():
            self.found.check()
            if comparison.coupling and not comparison.coupling.differs(model):
                self.reasons = {_other_draws(hook): None}
                prover.is_general = False
                comparison.leave_out(model)
                continue
            one = counterexample(model, comparison, self.before, self.after)
            if not one:
                raise _Contradiction
            region = comparison.add(model, one.shown)
            if not (comparison.same_draws or comparison.coupling) and one.hangs_on_chance:
                self.reasons = {_other_draws(hook): None}
                prover.is_general = False
                continue
            if self.found.first:
                nothing = Description((), is_whole=False)
                one = plainer(one, comparison, self.before, self.after, lambda _: True)
                self.found.single.append(DifferenceClass.of(one, nothing, self.sides))
                raise _Enough("one was enough")
            hook.progress(f"class {len(self.found.single) + 1}, of {self.found.most} at most")
            whole = terms.all(comparison.shown(region), *hook.setting.facts)
            anywhere = attrs.evolve(hook.setting, facts=())
            described = describe(anywhere, hook.quick, whole, comparison.facts)
            is_like = partial(fits, anywhere, described)
            one = plainer(one, comparison, self.before, self.after, is_like)
            keys = hook.case.key_terms if hook.case else ()
            parts = tuple((*keys, *part) for part in described.parts)
            single = DifferenceClass.of(one, attrs.evolve(described, parts=parts), self.sides)
            self.found.single.append(single)
            yield Finding(single, described.parts)
            for part in described.parts if prover.is_general else ():
                prover.require(terms.all(*part, terms.not_(whole), *comparison.facts))
        if prover.is_general:
            prover.require(terms.all(comparison.leaving, *comparison.facts))

    def _note_accepted(self, comparison: Comparison) -> None:
        """Note what is accepted and occurs, once for each acceptance."""
        if comparison.hook.accept.each:
            comparison.hook.progress("what is accepted, and whether it occurs")
        known = {one.acceptance: one for one in self.found.accepted}
        shown = {one for one, found in known.items() if found.occurs is Occurs.YES}
        for one in _occurring(comparison, self.before, self.after, shown):
            known[one.acceptance] = one
        self.found.accepted = list(known.values())


def _shape(hook: PathComparison, sent: SentPacket, case: PacketCase) -> object | None:
    """What is the same of cases of which the same can be said, seen before they are compared."""
    accepting = hook.accepting
    if not case.is_of_key or hook.node or accepting.names_addresses:
        return None
    asked = chain.from_iterable(sent.asked)
    others = (*sent.given, *accepting.conditions(sent.outcomes, asked))
    return outcome_shape(case, sent.outcomes, others, accepting.about)


def _residue(comparison: Comparison, case: PacketCase) -> Residue:
    """What is left of a case, with all that what is found of it hangs on."""
    if not case.is_of_key:
        return Residue(None, ())
    given = dict(enumerate(comparison.given))
    words = (*comparison.outcomes, comparison.left(), given)
    return Residue.of(comparison.hook.setting, words, (*case.keys,))


def _occurring(
    comparison: Comparison, before: Side, after: Side, shown: Collection[Acceptance]
) -> Iterator[AcceptedClass]:
    """What is accepted and there, with a packet that shows it; but for what is shown already."""
    setting = comparison.hook.setting
    here = ((setting.family, comparison.hook.path.name),)
    for acceptance, where in comparison.accepting.occurring(comparison.differences):
        if acceptance in shown:
            continue
        try:
            if (model := comparison.find_where(where)) is None:
                continue
        except Undecided:
            yield AcceptedClass(acceptance, Occurs.UNKNOWN, here)
            continue
        one = counterexample(model, comparison, before, after, acceptance)
        yield AcceptedClass(acceptance, Occurs.YES if one else Occurs.UNKNOWN, here, one)


def _more(hook: PathComparison, why: str) -> Diagnostic:
    return Diagnostic(
        SEARCH_INCOMPLETE,
        f"{hook.place}: not every packet that differs is shown: {why}",
        hint="search for more with --most, and fix what is shown first",
    )


def _contradicted(hook: PathComparison) -> Diagnostic:
    return Diagnostic(
        CONTRADICTED,
        f"{hook.place}: the proof finds a packet that the interpreter treats"
        " the same on both sides: neither a difference nor a proof",
        hint="look for a packet with vpccni-nft replay",
    )


def _other_draws(hook: PathComparison) -> Diagnostic:
    return Diagnostic(
        OTHER_DRAWS,
        f"{hook.place}: the two sides draw different random"
        " numbers, and their outcomes are not shown to be equally likely",
        hint="look for a packet with vpccni-nft replay, which repeats what is random",
    )


def _no_time(hook: PathComparison, seconds: float) -> Diagnostic:
    places = ", ".join(
        f"{part.program.table} {part.chain} rule {part.numbers[0] + 1}" for part, _ in hook.open[:3]
    )
    at = f", with {places}" if places else ""
    return Diagnostic(
        NO_TIME,
        f"{hook.place}{at}: no answer within {seconds:g} s",
        hint="give it more time with --seconds, or look for a packet with vpccni-nft replay",
    )
