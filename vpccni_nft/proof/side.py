"""What is on a node: dumps, nft rulesets, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .. import iptables, nft
from ..core.diagnostics import (
    FAMILY_BY_NAME,
    LASTING_DEVICE,
    POLICY_ASSUMED,
    Diagnostic,
    Kind,
    Refused,
)
from ..core.values import Family
from ..extensions import extension_of
from ..extensions.matches.socket import Socket
from ..extensions.targets.ct import Ct
from ..extensions.targets.tproxy import Tproxy
from ..lowering import TranslateOptions
from ..lowering.jumps import check_names
from ..lowering.ruleset import lower
from ..nft import expressions as x
from ..nft import statements as s
from ..nft.statements import interfaces_by_number
from ..nft.words import ObjectKind
from ..simulate.constants import values_in
from ..simulate.likely import Likely
from ..simulate.other_names import OWN_NAMES
from ..simulate.side import chains_of_side
from ..text.language import by_language
from ..text.nft_reader import load
from ..text.saved_from import saved_from
from ..text.sources import parse_sources
from .shared_tables import SharedTables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..core.span import Source
    from ..model.hook import BaseChain
    from ..simulate.other_names import OtherNames

Ruleset = iptables.Ruleset | nft.Ruleset

#: What of nft turns connection tracking on, wherever it stands. A chain of the type nat alone does
#: not, nor does iptables' table nat (measured on Linux 6.18).
_TRACKING = (x.Ct, s.Nat, s.CtCount, s.Synproxy)

#: What objects do not that rules name: all others turn it on, too.
_WITHOUT_TRACKING = frozenset({ObjectKind.LIMIT, ObjectKind.QUOTA})

#: What makes the kernel reassemble fragments although it tracks no connection: nft_tproxy.c,
#: xt_TPROXY.c and xt_socket.c call nf_defrag_ipv4_enable.
_REASSEMBLING = (s.Tproxy, Tproxy, Socket)

#: Notes of reading that the answer rests on.
_ASSUMED = frozenset({FAMILY_BY_NAME, POLICY_ASSUMED})


@attrs.frozen
class Side:
    """All rulesets that are on a node together."""

    rulesets: tuple[Ruleset, ...]
    #: What was left out or assumed, as sentences: tables that were given twice, the policy or the
    #: family of what a file does not declare.
    left_out: tuple[str, ...] = ()
    #: Why it is not known what is on the node.
    unknown: tuple[Diagnostic, ...] = ()
    #: Whether each set of nft is its table's, because no dump knows sets by their names alone.
    by_table: bool = False
    #: Whether a translation's set counts as the list of recent that it stands for: T101 is allowed.
    as_lists: bool = False
    #: The families whose connections are tracked by what else is on the node.
    tracked: frozenset[Family] = frozenset()
    #: What objects are called on the other side, by the families of their tables.
    other_names: Mapping[Family, OtherNames] = attrs.Factory(dict)
    _likely: dict[Family, Likely] = attrs.field(factory=dict, eq=False, repr=False)

    @classmethod
    def holding(cls, ruleset: Ruleset) -> Side:
        """A ruleset that a program has made or changed. Raises Refused with all problems."""
        if isinstance(ruleset, iptables.Ruleset):
            problems = tuple(check_names(ruleset))
            if any(one.refuses for one in problems):
                raise Refused(problems)
        return cls((ruleset,))

    @classmethod
    def of(
        cls,
        sources: Sequence[Source],
        options: TranslateOptions = TranslateOptions(),  # noqa: B008 - it is frozen
    ) -> Side:
        """Read dumps and nft rulesets. Raises Refused with all problems.

        All nft texts are loaded into one ruleset, one after the other.
        """
        dumps, scripts = by_language(sources)
        problems: list[Diagnostic] = []
        rulesets: list[Ruleset] = []
        dump, loaded = iptables.Ruleset(()), None
        if dumps:
            dump, problems = parse_sources(dumps, options.family, options.ipset_save)
            problems += check_names(dump)
            rulesets.append(dump)
        shared = SharedTables.of(dump, saved_from(dumps), scripts)
        if scripts:
            try:
                loaded = load(shared.scripts)
            except Refused as refused:
                problems += refused.diagnostics
        if any(one.refuses for one in problems):
            raise Refused(problems)
        assumed = tuple(dict.fromkeys(one.message for one in problems if one.code in _ASSUMED))
        if loaded is None:
            return cls(tuple(rulesets), assumed)
        rulesets.append(loaded.ruleset)
        unknown = tuple(shared.unknown(loaded))
        return cls(tuple(rulesets), (*shared.left_out, *assumed), unknown)

    def names_in(self, family: Family) -> OtherNames:
        """The names that objects of a family have on the other side."""
        return self.other_names.get(family, OWN_NAMES)

    @property
    def families(self) -> set[Family]:
        """The families that there are tables of."""
        return {
            family
            for ruleset in self.rulesets
            for table in ruleset.tables
            for family in table.families
        }

    def likely(self, family: Family) -> Likely:
        """The values that its rules name, for packets that are shown."""
        if family not in self._likely:
            self._likely[family] = Likely.of(self.rulesets, family)
        return self._likely[family]

    @property
    def dumps(self) -> tuple[iptables.Ruleset, ...]:
        """What iptables has of the rules."""
        return tuple(one for one in self.rulesets if isinstance(one, iptables.Ruleset))

    @property
    def is_nft(self) -> bool:
        """Whether nft has some of the rules."""
        return len(self.dumps) < len(self.rulesets)

    def chains(self, family: Family) -> list[BaseChain]:
        """The base chains of a family."""
        return chains_of_side(
            self.rulesets,
            family,
            by_table=self.by_table,
            as_lists=self.as_lists,
            other_names=self.names_in(family),
        )

    def tracks(self, family: Family) -> bool:
        """Whether the rules turn connection tracking on."""
        return family in self.tracked or any(
            _tracks(table)
            for ruleset in self.rulesets
            for table in ruleset.tables
            if family in table.families
        )

    def reassembles(self, family: Family) -> bool:
        """Whether the rules make the kernel reassemble fragments, tracking apart."""
        return any(
            isinstance(value, _REASSEMBLING)
            for ruleset in self.rulesets
            for table in ruleset.tables
            if family in table.families
            for value in (
                nodes_of(table) if isinstance(table, iptables.Table) else values_in(table)
            )
        )

    def approximated(self) -> Iterator[Diagnostic]:
        """The rules that the model has no exact form of: of dumps as nft has none, or of nft."""
        for ruleset in self.rulesets:
            if isinstance(ruleset, nft.Ruleset):
                yield from _looked_up_once(ruleset)
                continue
            for found in lower(ruleset, TranslateOptions())[1]:
                if found.code.kind is Kind.APPROXIMATION:
                    yield found


def _looked_up_once(ruleset: nft.Ruleset) -> Iterator[Diagnostic]:
    """The rules that compare the number of an interface, which the model has by its name."""
    for table in ruleset.tables:
        sets = {one.name: one for one in table.sets}
        for chain in table.chains:
            for rule in chain.rules:
                for statement in rule.statements:
                    for name in interfaces_by_number(statement, sets):
                        message = f"nft looks {name} up once, when the rule is loaded"
                        yield Diagnostic(LASTING_DEVICE, message, rule.origin)


def _tracks(table: iptables.Table | nft.Table) -> bool:
    if isinstance(table, iptables.Table):
        return any(map(_starts_tracking, nodes_of(table)))
    return any(
        isinstance(value, _TRACKING)
        or (isinstance(value, s.UseObject) and value.kind not in _WITHOUT_TRACKING)
        for value in values_in(table)
    )


def nodes_of(table: iptables.Table) -> Iterator[iptables.Match | iptables.Target]:
    """All matches and targets of a table."""
    for chain in table.chains:
        for rule in chain.rules:
            yield from rule.matches
            if rule.target:
                yield rule.target


def _starts_tracking(node: iptables.Match | iptables.Target) -> bool:
    match node:
        case iptables.Jump() | iptables.Goto():
            return False
        case iptables.UnknownMatch() | iptables.UnknownTarget():
            return False  # what it does has no meaning in a proof anyway
        case Ct():
            return not node.notrack
        case _:
            return extension_of(node).uses_conntrack
