"""Where a short chain comes back, put together of where each of its rules leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .part_summary import PLAIN, come_to
from .term import postorder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .context import ProofContext
    from .term import Term

#: Where rules lead: back to the caller, and on to the next ones.
Ways = tuple["Term", "Term"]


def comes_back(setting: ProofContext, ways: Sequence[Ways]) -> Term | None:
    """Where rules come back, or go on behind the last one; None where that is not plain to see.

    Each of the ways is a condition on a packet that comes to its rules. No bit of these has moved
    since the first ones, and no two rules ask the world the same (``are_apart``).
    """
    terms = setting.terms
    found: Term = terms.true
    for back, goes_on in reversed(ways):
        found = terms.any(come_to(setting, back), terms.all(come_to(setting, goes_on), found))
    return found if terms.is_plain(found, PLAIN) else None


def are_apart(ways: Sequence[Ways]) -> bool:
    """Whether no two rules ask the world or a chain the same: it may answer otherwise later."""
    known: set[object] = set()
    for own in ways:
        asked = {name for way in own for name in _asked(way)}
        if not known.isdisjoint(asked):
            return False
        known |= asked
    return True


def _asked(term: Term) -> Iterator[object]:
    """The functions that a term hangs on."""
    done: dict[Term, None] = {}
    for one in postorder(term, done):
        done[one] = None
        if one.kind in {"ask", "result"}:
            yield one.parts[0]
