"""One hook in one order of its base chains: equal, or packets that differ, or what is not known."""

from __future__ import annotations

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
from .counterexample import counterexample
from .regions import Description, describe
from .symbolic import Undecided

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .hooks import Comparison, PathComparison
    from .side import Side

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
    found = _Found(first=first)
    reasons: list[Diagnostic] = []
    try:
        if not hook.is_equal():
            reasons += _look_for_classes(hook, before, after, most, found)
    except NoMeaning as reason:
        places = hook.meaningless or [str(reason)]
        reasons += (Diagnostic(NO_MEANING, place) for place in places)
    except Undecided:
        reasons.append(_no_time(hook, hook.solver.seconds))
    except GaveUp as given_up:
        reasons.append(given_up.reason)
    return Decision(found.classes, tuple(dict.fromkeys(reasons)), accepted=tuple(found.accepted))


@attrs.define
class _Found:
    """What was found so far."""

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

    def is_enough(self, most: int) -> bool:
        """Whether there are as many classes as are wanted."""
        return len(merged(self.single)) >= most or len(self.single) >= _MOST_TRIED


def _look_for_classes(
    hook: PathComparison, before: Side, after: Side, most: int, found: _Found
) -> list[Diagnostic]:
    """First without what is proved; where what it does matters, with all of it.

    The answer is why there may be more packets than those that are found.
    """
    for inside in (False, True):
        comparison = hook.compare(inside=inside)
        reasons: list[Diagnostic] = []
        found.accepted = []
        found.outside, found.single = found.classes, []
        while model := comparison.find():
            if found.is_enough(most):
                return [*reasons, _more(hook, "no more of them were searched for")]
            one = counterexample(model, comparison, before, after)
            if not one:
                break
            region = comparison.add(model, one.shown)
            if not comparison.same_draws and one.hangs_on_chance:
                reasons = [_other_draws(hook)]
                continue
            if found.first:
                found.single.append(DifferenceClass.of(one, Description((), is_whole=False)))
                return [*reasons, _more(hook, "one was enough")]
            hook.progress(f"class {len(found.single) + 1}, of {most} at most")
            shown = comparison.shown(region)
            described = describe(hook.setting, hook.quick, shown, comparison.facts)
            found.single.append(DifferenceClass.of(one, described))
        else:
            if hook.accept.each:
                hook.progress("what is accepted, and whether it occurs")
            found.accepted = list(_occurring(comparison, before, after))
            if inside or not any(one.occurs is Occurs.UNKNOWN for one in found.accepted):
                return reasons
    return [*reasons, _contradicted(hook)]


def _occurring(comparison: Comparison, before: Side, after: Side) -> Iterator[AcceptedClass]:
    """What is accepted and there, with a packet that shows it."""
    setting = comparison.hook.setting
    here = ((setting.family, comparison.hook.path.name),)
    for acceptance, where in comparison.accepting.occurring(comparison.differences):
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
