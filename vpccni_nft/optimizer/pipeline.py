"""The passes, in the order in which they run.

A pass takes a table, with what its chains lead to, and gives one that means the same: the same
verdicts, bindings, changes of the packet and counts, in the same order, whatever the packet. It
gives the table itself back where there is nothing to do, and the chains that it does not touch as
they are. Each is a few scans of the rules with dictionaries, so that the time grows with the number
of rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..core.values import WideFamily
from ..nft.ast import Ruleset
from .calls import Calls
from .dead import remove_dead
from .dispatch import dispatch
from .inline import inline
from .sets import gather_sets

if TYPE_CHECKING:
    from ..nft.ast import Table


class Pass(Protocol):
    """One step of the optimizer."""

    __name__: str

    def __call__(self, table: Table, calls: Calls) -> Table:
        """A table that means the same."""


#: Dead rules first, which else would stand between others; sets before maps, because rules that do
#: the same need no map; inlining last, which sees the callers that are left.
PASSES: tuple[Pass, ...] = (remove_dead, gather_sets, dispatch, inline)


def optimize(ruleset: Ruleset) -> Ruleset:
    """The ruleset after all passes."""
    return Ruleset(tuple(map(_optimized, ruleset.tables)), ruleset.others)


def _optimized(table: Table) -> Table:
    if isinstance(table.family, WideFamily):
        return table  # keys are made for one family of addresses
    calls = Calls.of(table)
    for pass_ in PASSES:
        changed = pass_(table, calls)
        if changed is not table:
            table, calls = changed, Calls.of(changed, calls)
    return table
