"""The proof of a plan: no packet sees a difference, table by table.

For each table, in each order that base chains of others beside it may have:

- the new table with what stays of the old one does what the old one does,
- and so does the new table with all of the old one, for both are there for a moment.

What is loaded last runs first of its priority, so the new table stands ahead. One owner's base
chains have priorities of their own, which are looked for here.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import attrs

from .. import iptables, nft
from ..core.diagnostics import (
    ACTS_TWICE,
    APPROXIMATED,
    NO_TIME,
    NOT_PROVED,
    Diagnostic,
    Refused,
)
from ..core.render import printable
from ..node.extraction import search
from ..node.priorities import Occupied, placed
from ..proof.answers import Different, Equivalent, Unknown
from ..proof.side import Side
from ..proof.verify import ProofSettings, verify
from .neighbours import REACH, Neighbours, neighbours
from .tables import nft_table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..core.diagnostics import Code
    from ..core.span import Source
    from ..core.values import Family
    from ..node.priorities import BaseChainName
    from ..proof.answers import Answer
    from .neighbours import Turn
    from .tables import MovedTable

#: What is worth trying of a plan where a proof was not decided.
_TRY = {
    NO_TIME: "give it more time with --seconds",
    APPROXIMATED: "allow it with --allow and the code that the message names, where that is exact",
}
_ELSE = "leave these rules to iptables: --owner moves those of one owner; or replace the node"
_ORDER = (
    "if you know whether iptables' base chains run before native ones of their priority on"
    " this node, say so: --iptables-runs first, or last"
)


@attrs.define(kw_only=True)
class Proof:
    """The tables that are proved, and what was found."""

    dump: iptables.Ruleset
    lowered: nft.Ruleset
    listing: Source | None  #: what nft lists on the node
    whole: bool  #: whether all rules move, not those of one owner
    turn: Turn | None
    settings: ProofSettings
    progress: Callable[[str], None]
    #: The families whose connections the node tracks before and after, whichever table does it.
    tracked: frozenset[Family] = frozenset()
    tables: list[nft.Table] = attrs.Factory(list)  #: with their base chains where they are proved
    problems: list[Diagnostic] = attrs.Factory(list)
    overlaps: list[Diagnostic] = attrs.Factory(list)  #: what acts twice while both are there
    neighbours: list[str] = attrs.Factory(list)
    hooks: list[str] = attrs.Factory(list)
    assumptions: list[str] = attrs.Factory(list)

    def of_table(self, moved: MovedTable) -> None:
        """Find where a table's base chains go, and prove that nothing changes.

        Raises Refused where the new table cannot be read back.
        """
        try:
            beside = neighbours(self.listing, moved, 0 if self.whole else REACH, self.turn)
        except Refused as refused:
            self.problems += refused.diagnostics
            return
        self.neighbours += beside.names
        old, taken, rest = (
            attrs.evolve(self.dump, tables=(table,))
            for table in (moved.table, moved.taken, moved.rest)
        )
        name = " beside ".join((moved.name, *beside.names))
        tried: list[tuple[nft.Ruleset, nft.Ruleset]] = []  # with what is read of their scripts

        def attempt(sides: dict[BaseChainName, int]) -> tuple[nft.Ruleset, Answer]:
            new = nft_table_of(self.lowered, moved)
            if not self.whole:
                new = placed(new, sides, Occupied.by(*beside.rulesets))
            script = nft.parse(nft.serialize(new), "apply.nft")
            tried.append((new, script))
            return new, self._same(script, old, rest, beside, f"{name}, moved")

        new, answer = attempt({}) if self.whole else search(old, taken, attempt)
        self.tables += new.tables
        if isinstance(answer, Equivalent):
            self.hooks += [f"{family.title} {hook}" for family, hook in answer.hooks]
            self.assumptions += answer.assumptions
        what = "the node would not behave the same"
        hint = _ORDER if beside.rulesets and not self.turn else ""
        if found := list(_against(answer, moved, name, NOT_PROVED, what, hint)):
            self.problems += found
            return
        script = next(script for one, script in tried if one is new)
        answer = self._same(script, old, old, beside, f"{name}, there twice")
        self.overlaps += _against(answer, moved, name, ACTS_TWICE, "while both are there")

    def _same(
        self,
        script: nft.Ruleset,
        old: iptables.Ruleset,
        left: iptables.Ruleset,
        beside: Neighbours,
        what: str,
    ) -> Answer:
        """Whether the new table with what is left of the old one is like it, in any order.

        ``what`` is what progress calls it.
        """
        answer: Answer = Equivalent((), ())
        alone = attrs.evolve(beside, rulesets=())
        for orders in (alone, beside) if beside.rulesets else (alone,):
            for order in orders.orders(old):
                after = (left if one is old else one for one in order)
                before, then = (
                    Side(side, tracked=self.tracked) for side in (order, (script, *after))
                )
                answer = verify(
                    before, then, self.settings, lambda where: self.progress(f"{what}: {where}")
                )
                if not isinstance(answer, Equivalent):
                    return answer
        return answer


def _against(
    answer: Answer, moved: MovedTable, name: str, code: Code, what: str, hint: str = ""
) -> Iterator[Diagnostic]:
    """What an answer says against the move, with hints that can be followed as they stand."""
    match answer:
        case Different(counterexamples):
            for found in counterexamples:
                changed = ", ".join(sorted(found.differences)) or "what happens"
                yield Diagnostic(
                    code,
                    f"{name}: {what} for the packet {printable(found.plain.text)}: {changed}"
                    " differs",
                    None,
                    hint or f"its path: {_explain(moved, found.plain.text)}",
                )
        case Unknown(reasons):
            for reason in reasons:
                yield Diagnostic(
                    code,
                    f"{name}: not decided: {reason.message} ({reason.code})",
                    reason.span,
                    _TRY.get(reason.code, _ELSE),
                )


def _explain(moved: MovedTable, packet: str) -> str:
    """The command that shows a packet's path through what the plan was to be made from."""
    assert moved.table.span
    name = moved.table.span.source.name
    given = f"--packet {shlex.quote(packet)}"
    if name.startswith("<"):
        return f"{moved.program}-save | vpccni-nft explain - {given}"
    return f"vpccni-nft explain {shlex.quote(name)} {given}"
