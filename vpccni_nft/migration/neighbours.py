"""Native tables with base chains close to those that move, and the orders they can run in.

Of base chains of one hook and one priority the kernel calls the one first that was registered last.
When that was, no listing shows.
"""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from typing import TYPE_CHECKING, Literal, Protocol

import attrs

from .. import nft
from ..core.diagnostics import NOT_PROVED, Diagnostic, Refused
from ..lowering import layout
from ..nft.ast import PRIORITIES
from ..node.priorities import STEP
from ..node.scan import scan_ruleset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .. import iptables
    from ..core.span import Source
    from ..proof.side import Ruleset

#: When iptables' base chains run among others of their priority.
Turn = Literal["first", "last"]

#: How far from iptables' own priority one owner's base chains can come to stand.
REACH = 2 * STEP

#: The most tables whose orders are gone through: there are 24 orders of three and iptables.
MOST = 3


class Moving(Protocol):
    """A table with rules that move."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def table(self) -> iptables.Table:
        """All of it."""


#: A hook and a priority.
_Place = tuple[str, int]


@attrs.frozen
class Neighbours:
    """The tables beside a moved one."""

    places: tuple[_Place, ...]  #: where the table itself has base chains
    rulesets: tuple[nft.Ruleset, ...] = ()  #: one for each table
    turn: Turn | None = None  #: None where it is unknown

    @property
    def names(self) -> tuple[str, ...]:
        """The tables as nft calls them."""
        return tuple(f"{one.tables[0].family.value} {one.tables[0].name}" for one in self.rulesets)

    def orders(self, table: iptables.Ruleset) -> Iterator[tuple[Ruleset, ...]]:
        """The table and its neighbours in each order that the kernel may have them in."""
        every: tuple[Ruleset, ...] = (table, *self.rulesets)
        seen = set()
        for order in permutations(every):
            if self.turn == "first" and order[0] is not table:
                continue
            if self.turn == "last" and order[-1] is not table:
                continue
            if (sequence := self._sequence(order)) not in seen:
                seen.add(sequence)
                yield order

    def _sequence(self, order: tuple[Ruleset, ...]) -> tuple[object, ...]:
        """The tables by the places of their base chains; an order matters at one place only."""
        found = [
            (place, id(one))
            for one in order
            for place in (_places_of(one) if isinstance(one, nft.Ruleset) else self.places)
        ]
        return tuple(sorted(found, key=lambda one: one[0]))


def neighbours(
    listing: Source | None,
    moved: Moving,
    reach: int,
    turn: Turn | None,
    but: frozenset[str] = frozenset(),
) -> Neighbours:
    """The native tables with a base chain so close to one of a moved table.

    ``but`` are the names of tables that do not count: what the move itself has loaded.

    Raises Refused where one cannot be read, or where they are too many to try all their orders.
    """
    priorities = layout.PRIORITIES[moved.table.name]
    places = tuple(
        (layout.HOOKS[chain.name], priorities[chain.name])
        for chain in moved.table.chains
        if chain.policy
    )
    if listing is None:
        return Neighbours(places)
    close = _close(listing, moved.table.family.value, places, reach)
    found = [one for one in close if one[1] not in but]
    rulesets = tuple(_read(listing, moved, *one) for one in found[: MOST + 1])
    at = Counter(hook for one in rulesets for hook, _ in _places_of(one))
    # One owner's base chains go around those that are there, and must not get out of reach.
    if len(found) > MOST or max(at.values(), default=0) > REACH - STEP:
        names = ", ".join(name for _, name in found)
        raise Refused([_unknown(moved, f"the tables {names}", "there are too many orders to try")])
    return Neighbours(places, rulesets, turn)


def _close(
    listing: Source, own: str, places: tuple[_Place, ...], reach: int
) -> list[tuple[str, str]]:
    found: dict[tuple[str, str], None] = {}
    for place, seen in scan_ruleset(listing).chains.items():
        if place.of_iptables or not seen.hook or place.family not in {own, "inet"}:
            continue
        _, hook, priority = seen.hook.replace(",", "").split(maxsplit=2)
        number = _number(priority.removeprefix("priority "))
        if any(hook == its and (number is None or abs(number - at) <= reach) for its, at in places):
            found[place.family, place.table] = None
    return list(found)


def _read(listing: Source, moved: Moving, family: str, name: str) -> nft.Ruleset:
    table = f"the table {family} {name}"
    try:
        return nft.parse(_listed(listing, family, name), table.removeprefix("the "))
    except Refused as refused:
        raise Refused([_unknown(moved, table, refused.diagnostics[0].message)]) from None


def _places_of(ruleset: nft.Ruleset) -> Iterator[_Place]:
    for table in ruleset.tables:
        for chain in table.chains:
            if chain.hook:
                yield chain.hook.name, chain.hook.priority


def _unknown(moved: Moving, beside: str, why: str) -> Diagnostic:
    return Diagnostic(
        NOT_PROVED,
        f"{moved.name} beside {beside}: their order can change, and it is unknown whether"
        f" that matters: {why}",
        None,
        "replace the node instead, with the other mode from the start",
    )


def _number(priority: str) -> int | None:
    """A priority as nft lists it: a number, a name, or a name and a number."""
    words = priority.replace("+", " + ").replace("-", " - ").split()
    total, sign = 0, 1
    for word in words:
        if word in {"+", "-"}:
            sign = -1 if word == "-" else 1
        elif word in PRIORITIES or word.isdigit():
            total += sign * (PRIORITIES[word] if word in PRIORITIES else int(word))
        else:
            return None
    return total


def _listed(listing: Source, family: str, name: str) -> str:
    """A table's lines in the listing."""
    lines = list(listing.lines)
    head = f"table {family} {name} {{"
    start = next(number for number, line in enumerate(lines) if line.startswith(head))
    return "\n".join(lines[start : lines.index("}", start) + 1]) + "\n"
