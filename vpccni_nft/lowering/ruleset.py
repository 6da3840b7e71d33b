"""Lower tables: chains, their hooks, and the objects that their rules need."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import (
    BAD_STRUCTURE,
    CHAINS_MERGED,
    NAME_CHANGED,
    TOO_DEEP,
    UNKNOWN_TABLE,
    Diagnostic,
    Problem,
)
from ..core.typed import trusted
from ..extensions import extension_of
from ..extensions.context import Context, LimitTable, Objects, RecentList, Report, Shared
from ..iptables import ast as iptables
from ..nft import ast as nft
from ..nft import statements as s
from ..text.forms import Repeat
from . import layout
from .depth import flatten
from .jumps import built_in_above, calls_of, check_jumps
from .repeats import RepeatLowering
from .rule import RuleLowering, chain_name
from .templates import Places, behind_templates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..core.values import Family
    from ..ipset.ast import IpSets
    from .options import TranslateOptions


@trusted()
def lower(
    ruleset: iptables.Ruleset, options: TranslateOptions
) -> tuple[nft.Ruleset, tuple[Diagnostic, ...]]:
    """The nft ruleset that means the same, and every problem on the way.

    Rules that are refused are missing from the result: use it only where no diagnostic refuses.
    """
    report = Report(options.allow)
    families = {
        family: _FamilyFacts(_uses_conntrack(ruleset, family), _sharing(ruleset, family))
        for family in {table.family for table in ruleset.tables}
    }
    sets = _SetFacts.of(ruleset)
    tables = tuple(
        _TableLowering(table, options, report, families[table.family], sets).lower()
        for table in ruleset.tables
    )
    return nft.Ruleset(tables), tuple(report.diagnostics)


@attrs.frozen
class _SetFacts:
    """What is known of the ipsets, and who uses them."""

    ipsets: IpSets | None = None
    users: Mapping[str, frozenset[tuple[Family, str]]] = attrs.Factory(dict)

    @classmethod
    def of(cls, ruleset: iptables.Ruleset) -> _SetFacts:
        if ruleset.ipsets is None:
            return cls()
        from .ipsets import sets_and_users

        return cls(*sets_and_users(ruleset))


@attrs.define
class _FamilyFacts:
    """What the tables of one family share."""

    tracked: bool
    sharing: Mapping[tuple[str, str], tuple[iptables.Match, ...]]
    recent_lists: dict[str, RecentList] = attrs.Factory(dict)
    limit_tables: dict[str, LimitTable] = attrs.Factory(dict)


def _uses_conntrack(ruleset: iptables.Ruleset, family: Family) -> bool:
    """Whether these rules make the kernel track connections; a nat chain alone does not."""
    known: set[type] = set(_NOT_EXTENSIONS)
    for table in ruleset.tables:
        if table.family is not family:
            continue
        for rule in _rules(table):
            for node in (*rule.matches, rule.target):
                if node is None or type(node) in known:
                    continue
                if extension_of(node).uses_conntrack:
                    return True
                known.add(type(node))
    return False


def _sharing(
    ruleset: iptables.Ruleset, family: Family
) -> Mapping[tuple[str, str], tuple[iptables.Match, ...]]:
    """The matches of a family's rules that keep something together, by what that is."""
    found: dict[tuple[str, str], list[iptables.Match]] = {}
    for table in ruleset.tables:
        for rule in _rules(table) if table.family is family else ():
            for match in rule.matches:
                if match.shares:
                    found.setdefault(match.shares, []).append(match)
    return {shared: tuple(dict.fromkeys(matches)) for shared, matches in found.items()}


def _rules(table: iptables.Table) -> Iterable[iptables.Rule]:
    """All rules but repeats, which have no match and no target that others have not."""
    return (rule for chain in table.chains for rule in chain.rules if not isinstance(rule, Repeat))


_NOT_EXTENSIONS = (iptables.Jump, iptables.Goto, iptables.UnknownMatch, iptables.UnknownTarget)


@attrs.define
class _TableLowering:
    table: iptables.Table
    options: TranslateOptions
    report: Report
    facts: _FamilyFacts
    sets: _SetFacts
    objects: Objects = attrs.Factory(Objects)
    rules: RuleLowering = attrs.field(init=False)
    repeats: RepeatLowering = attrs.field(init=False)
    #: The rules that may meet a template.
    behind: Places = attrs.field(
        init=False,
        default=attrs.Factory(lambda self: behind_templates(self.table), takes_self=True),
    )

    def __attrs_post_init__(self) -> None:
        counters = self.options.counters
        self.rules = RuleLowering(counters, partial(self._context, self.objects, self.report))
        said = Report(self.options.allow)
        aside = RuleLowering(counters, partial(self._context, Objects(), said))
        self.repeats = RepeatLowering(aside)

    def lower(self) -> nft.Table:
        if self.table.name not in layout.PRIORITIES:
            message = f"there is no table {self.table.name}"
            self.report.add(UNKNOWN_TABLE, message, self.table.span)
            return nft.Table(self.table.family, layout.table_name("unknown"))
        calls = calls_of(self.table)
        self.report.diagnostics += check_jumps(self.table, calls)
        hooks = built_in_above(self.table, calls)
        chains = [
            lowered
            for chain in self.table.chains
            if (lowered := self._chain(chain, hooks[chain.name]))
        ]
        chains += (nft.Chain(name, rules) for name, rules in self.objects.helpers.items())
        return nft.Table(
            family=self.table.family,
            name=layout.table_name(self.table.name),
            chains=self._flatten(tuple(chains)),
            sets=tuple(self.objects.sets.values()),
            counters=tuple(map(nft.CounterObject, self.objects.counters)),
        )

    def _chain(self, chain: iptables.Chain, hooks: frozenset[str]) -> nft.Chain | None:
        try:
            name = chain_name(chain.name)
        except Problem as problem:
            self.report.add(problem.code, problem.message, chain.span)
            return None
        if name != chain.name:
            self.report.add(NAME_CHANGED, f"nft knows the chain as {name}", chain.span)
        rules: list[nft.Rule] = []
        further: dict[str, list[nft.Rule]] = {}
        behind = rules  # those of the helper chain that the rest of the chain went to
        behind_ct = self.behind.get(chain.name, ())
        for number, rule in enumerate(chain.rules, start=1):
            if isinstance(rule, Repeat):
                if written := self.repeats.written(rule, hooks):
                    behind.append(written)
                    continue
                rule = self.repeats.rule(rule)  # noqa: PLW2901 - what it stands for
            lowered, rest = self.rules.lower(
                rule, hooks, f"{name}-{number}", sees_templates=number in behind_ct
            )
            behind += lowered
            if rest:
                behind.append(nft.Rule((s.Goto(rest),)))
                behind = further[rest] = []
        if further:
            self.objects.helpers |= {rest: tuple(its_rules) for rest, its_rules in further.items()}
        return nft.Chain(name, tuple(rules), self._hook(chain))

    def _hook(self, chain: iptables.Chain) -> nft.Hook | None:
        built_in = layout.PRIORITIES[self.table.name]
        if (chain.policy is None) is (chain.name in built_in):
            message = (
                "is built in and needs a policy" if chain.name in built_in else "has no policy"
            )
            self.report.add(BAD_STRUCTURE, f"the chain {chain.name} {message}", chain.span)
            return None
        if chain.policy is None:
            return None
        return layout.hook(self.table.name, chain.name, chain.policy.value.lower())

    def _context(
        self,
        objects: Objects,
        report: Report,
        hooks: frozenset[str],
        protocol: int | None,
        leaves: bool,
        sees_templates: bool,
    ) -> Context:
        return Context(
            family=self.table.family,
            table=self.table.name,
            protocol=protocol,
            hooks=hooks,
            leaves_chain=leaves,
            sees_templates=sees_templates,
            # Without conntrack the kernel passes over nat chains (nf_nat_core.c, nf_nat_inet_fn).
            tracked=self.facts.tracked or self.table.name == "nat",
            shared=Shared(
                objects=objects,
                report=report,
                sharing=self.facts.sharing,
                recent_lists=self.facts.recent_lists,
                limit_tables=self.facts.limit_tables,
            ),
            ipsets=self.sets.ipsets,
            set_users=self.sets.users,
        )

    def _flatten(self, chains: tuple[nft.Chain, ...]) -> tuple[nft.Chain, ...]:
        if any(found.refuses for found in self.report.diagnostics):
            return chains  # jumps may lead nowhere
        flattened = flatten(chains)
        if flattened.merged:
            listed = ", ".join(flattened.merged)
            self.report.add(CHAINS_MERGED, f"merged into their callers: {listed}", self.table.span)
        if flattened.too_deep:
            path = " → ".join(flattened.too_deep)
            self.report.add(
                TOO_DEEP, f"nftables allows 16 chains on a path: {path}", self.table.span
            )
        return flattened.chains
