"""Prove of a table, as it is now, that it means the same with the moved rules and without.

*With* them it is iptables alone. *Without* them the new nft table does their part. Both hold before
rules are taken out of iptables, and before they are put back: the same question decides.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Any

import attrs

from .. import iptables, nft
from ..core.diagnostics import Refused
from ..core.errors import CannotRead
from ..core.render import printable
from ..core.span import IPSET_NAME, Source
from ..core.version import __version__
from ..lowering.options import codes_named
from ..node.live import output_of
from ..text.sources import parse_sources
from .copies import is_newest
from .neighbours import REACH, neighbours
from .plan import ALL
from .programs import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ..core.values import Family
    from ..proof.answers import Answer
    from ..proof.side import Ruleset
    from ..proof.verify import ProofSettings
    from .moves import TableMove
    from .neighbours import Neighbours, Turn
    from .saved import SavedTable

_COUNTER = re.compile(r"\bcounter packets \d+ bytes \d+\b", re.ASCII)


class Age(enum.Enum):
    """What is known of when the new table was loaded: what is loaded last runs first."""

    NEWEST = "newest"  #: after everything else
    THIS_START = "this start"  #: after the table of iptables, and before or after other tables
    UNKNOWN = "unknown"  #: the machine was started since, or iptables has made a chain again


@attrs.frozen
class _Beside:
    """A table for ``neighbours``."""

    name: str
    table: iptables.Table


@attrs.define
class Checker:
    """Answers the question for the tables of one plan. Answers are kept: rules come back."""

    allow: frozenset[Any]
    turn: Turn | None
    whole: bool  #: whether all rules move, not those of one owner
    twice: bool  #: whether it is accepted that rules act twice while both are there
    sets: bool  #: whether rules name ipsets
    seconds: float
    copies: tuple[tuple[str, str], ...]  #: the new tables: families and names
    same_version: bool  #: whether this version has made the plan, and so its proof
    directory: Path  #: of the plan
    age: Age = Age.NEWEST
    _known: dict[object, str] = attrs.Factory(dict)

    @classmethod
    def of(cls, directory: Path, about: Mapping[str, Any], seconds: float) -> Checker:
        """A checker for a plan, by its ``plan.json``."""
        return cls(
            codes_named(about["allowed"]),
            about["iptables_runs"],
            about["owner"] == ALL,
            bool(about["proof"]["overlaps"]),
            bool(about["ipset_save"]),
            seconds,
            tuple((str(one["family"]), str(one["nft_table"])) for one in about["tables"]),
            about["version"] == __version__,
            directory,
        )

    def problem(
        self, move: TableMove, full: SavedTable, rest: SavedTable, new: str, *, stay: bool = False
    ) -> str:
        """Why it is not proved that a new table and what is left mean the full table.

        Empty where it is proved. ``new`` is the new table as nft prints it, or what loads it.
        Unless ``stay``, the new table with the full one must mean the same, too: both are there
        meanwhile.
        """
        try:
            return self._problem(move, full, rest, new, stay=stay)
        except Refused as refused:
            return f"{move.name}: {refused.diagnostics[0].message}"
        except ModuleNotFoundError as missing:
            raise CannotRead(f"{missing.name} is missing, which proofs need") from None

    def _problem(
        self, move: TableMove, full: SavedTable, rest: SavedTable, new: str, *, stay: bool
    ) -> str:
        listing = Source.of(run("nft", "list", "ruleset"), "<nft list ruleset>")
        sets = self._sets()
        before, after = (_ruleset(move, table, sets) for table in (full, rest))
        script = _only(nft.parse(_COUNTER.sub("counter", new), "<nft>"), move)
        beside = neighbours(
            listing,
            _Beside(move.name, before.tables[0]),
            0 if self.whole else REACH,
            self.turn,
            frozenset({move.nft_table}),
        )
        if self._is_planned(move, full, rest, new, beside, before):
            return ""
        tracked = self._tracked(move, before, sets)
        # One owner's chains have priorities of their own, at which iptables has none.
        newest = not self.whole or is_newest(self.directory, move)
        age = self.age if newest else Age.UNKNOWN
        known = (
            tuple(full.lines()), tuple(rest.lines()), script, beside.rulesets, age, stay,
            None if sets is None else sets.content, tracked,
        )  # fmt: skip
        if known not in self._known:
            question = _Question(before, script, beside, tracked, self._settings(), age)
            problem = question.problem(move.name, after)
            if not problem and not stay and not self.twice:
                problem = question.problem(f"{move.name}, while both are there", before)
            self._known[known] = problem
        return self._known[known]

    def _settings(self) -> ProofSettings:
        from ..proof.order import GIVEN_ORDER
        from ..proof.verify import ProofSettings

        return ProofSettings(seconds=self.seconds, most=1, order=GIVEN_ORDER, allow=self.allow)

    def _sets(self) -> Source | None:
        if not self.sets:
            return None
        return Source.of(output_of("ipset", "save") or b"", IPSET_NAME)

    def _is_planned(
        self,
        move: TableMove,
        full: SavedTable,
        rest: SavedTable,
        new: str,
        beside: Neighbours,
        table: iptables.Ruleset,
    ) -> bool:
        """Whether the plan itself has this proof: for the same tables, of which nothing else is."""
        from ..proof.side import Side

        return (
            self.same_version
            and new == move.script
            and (full, rest) == (move.before, move.after)
            and not (beside.rulesets or self.sets)
            and Side((table,)).tracks(move.family)
        )

    def _tracked(
        self, move: TableMove, table: iptables.Ruleset, sets: Source | None
    ) -> frozenset[Family]:
        """The family, where not this table but another one makes the kernel track connections."""
        from ..proof.side import Side

        if Side((table,)).tracks(move.family):
            return frozenset()
        text = Source.of(run(f"{move.program}-save"), f"<{move.program}-save>")
        whole, _ = parse_sources((text,), move.family, sets)
        tables = tuple(one for one in whole.tables if one.name != move.table)
        if Side((attrs.evolve(whole, tables=tables),)).tracks(move.family):
            return frozenset({move.family})
        loaded = run("nft", "list", "tables").split("\n")
        for family, name in self.copies:
            if f"table {family} {name}" in loaded and name != move.nft_table:
                listed = nft.parse(run("nft", "list", "table", family, name), "<nft>")
                if Side((listed,)).tracks(move.family):
                    return frozenset({move.family})
        return frozenset()


@attrs.frozen
class _Question:
    before: iptables.Ruleset
    script: nft.Ruleset
    beside: Neighbours
    tracked: frozenset[Family]
    settings: ProofSettings
    age: Age

    def problem(self, name: str, after: iptables.Ruleset) -> str:
        """Why the new table with what is left is not proved to mean what the table means."""
        from ..proof.answers import Equivalent
        from ..proof.side import Side
        from ..proof.verify import verify

        for one, other in self._orders(after):
            before, then = (Side(side, tracked=self.tracked) for side in (one, other))
            answer = verify(before, then, self.settings)
            if not isinstance(answer, Equivalent):
                return f"{name}: {_why(answer)}"
        return ""

    def _orders(
        self, after: iptables.Ruleset
    ) -> Iterator[tuple[tuple[Ruleset, ...], tuple[Ruleset, ...]]]:
        """Both sides, in each order of base chains that the kernel can have."""
        alone = attrs.evolve(self.beside, rulesets=())
        for beside in (alone, self.beside) if self.beside.rulesets else (alone,):
            for order in beside.orders(self.before):
                own = next(number for number, one in enumerate(order) if one is self.before)
                left = tuple(after if one is self.before else one for one in order)
                last = {Age.NEWEST: 0, Age.THIS_START: own, Age.UNKNOWN: len(order)}[self.age]
                for place in range(last + 1):
                    yield order, (*left[:place], self.script, *left[place:])


def _ruleset(move: TableMove, table: SavedTable, sets: Source | None) -> iptables.Ruleset:
    text = Source.of("".join(f"{line}\n" for line in table.lines()), f"<{move.program}-save>")
    ruleset, problems = parse_sources((text,), move.family, sets)
    if refusing := [one for one in problems if one.refuses]:
        raise Refused(refusing)
    return ruleset


def _only(ruleset: nft.Ruleset, move: TableMove) -> nft.Ruleset:
    key: tuple[Family, str] = (move.family, move.nft_table)
    tables = tuple(one for one in ruleset.tables if (one.family, one.name) == key)
    if not tables:
        raise CannotRead(f"the table {move.family.value} {move.nft_table} is not loaded")
    return nft.Ruleset(tables)


def _why(answer: Answer) -> str:
    from ..proof.answers import Different

    if isinstance(answer, Different):
        return f"another thing happens to {printable(answer.counterexamples[0].plain.text)}"
    return "; ".join(one.message for one in getattr(answer, "reasons", ()))
