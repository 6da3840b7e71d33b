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
from .answers import HookStatus
from .budget import GaveUp
from .counterexample import counterexample
from .symbolic import Undecided

if TYPE_CHECKING:
    from .counterexample import Counterexample
    from .hooks import HookComparison, ShownPacket
    from .side import Side

#: How many packets of a hook are looked at, those included that hang on chance.
_MOST_TRIED = 100


@attrs.frozen
class Decision:
    """What is known of a hook."""

    found: tuple[Counterexample, ...] = ()
    #: Why it is not decided; where packets are found, why there may be more of them.
    reasons: tuple[Diagnostic, ...] = ()
    order: str = ""  #: in which order base chains ran, where they could run in another one

    @property
    def status(self) -> HookStatus:
        """Whether it is decided, and how."""
        if self.found:
            return HookStatus.DIFFERENT
        return HookStatus.UNDECIDED if self.reasons else HookStatus.EQUAL


def search(hook: HookComparison, before: Side, after: Side, most: int) -> Decision:
    """Decide a hook as its base chains stand, with so many packets that differ at most."""
    found: list[Counterexample] = []
    reasons: list[Diagnostic] = []
    try:
        if not hook.is_equal():
            reasons += _look_for_packets(hook, before, after, most, found)
    except NoMeaning as reason:
        places = hook.pairs.meaningless or [str(reason)]
        reasons += (Diagnostic(NO_MEANING, place) for place in places)
    except Undecided:
        reasons.append(_no_time(hook, hook.solver.seconds))
    except GaveUp as given_up:
        reasons.append(given_up.reason)
    return Decision(tuple(found), tuple(dict.fromkeys(reasons)))


def _look_for_packets(
    hook: HookComparison, before: Side, after: Side, most: int, found: list[Counterexample]
) -> list[Diagnostic]:
    """First without what is proved; where what it does matters, with all of it.

    The answer is why there may be more packets than those that are found.
    """
    shown: list[ShownPacket] = []
    reasons: list[Diagnostic] = []
    for inside in (False, True):
        comparison = hook.compare(inside=inside)
        comparison.shown = shown
        while model := comparison.find():
            if len(found) >= most or len(shown) >= _MOST_TRIED:
                return [*reasons, _more(hook, "no more packets were searched for")]
            one = counterexample(model, comparison, before, after)
            if not one:
                break
            shown.append(one.shown)
            if not comparison.same_draws and one.hangs_on_chance:
                reasons = [_other_draws(hook)]
            else:
                found.append(one)
        else:
            if shown and comparison.has_more():
                reasons.append(_more(hook, "other packets that match these rules may differ, too"))
            return reasons
    return [*reasons, _contradicted(hook)]


def _more(hook: HookComparison, why: str) -> Diagnostic:
    return Diagnostic(
        SEARCH_INCOMPLETE,
        f"{hook.place}: not every packet that differs is shown: {why}",
        hint="search for more with --most, and fix what is shown first",
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
