"""Where a rule stands while it is lowered, and what it may ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import NAME_CHANGED, NO_NFT_FORM, Diagnostic, Kind, Problem
from ..core.values import Family
from ..nft import names
from ..nft.ast import Rule, Set
from .placement import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.diagnostics import Code
    from ..core.span import Span
    from ..ipset.ast import IpSets
    from ..iptables import ast as iptables
    from ..nft.statements import Statement

#: nft's type for the addresses of a family.
ADDRESS_TYPE = {Family.IP: "ipv4_addr", Family.IP6: "ipv6_addr"}

#: Elements that a dynamic set may hold. xt_recent keeps 100 addresses of a list by default.
DYNAMIC_SET_SIZE = 65535

#: For ``Objects.ages``: a list whose addresses never grow too old.
FOREVER = 0


@attrs.define
class Objects:
    """What the rules of one table need beside them."""

    helpers: dict[str, tuple[Rule, ...]] = attrs.Factory(dict)  #: chains, by nft name
    counters: dict[str, None] = attrs.Factory(dict)  #: nft names, in order
    sets: dict[str, Set] = attrs.Factory(dict)  #: by nft name
    owners: dict[str, str] = attrs.Factory(dict)  #: what a set stands for, by its nft name
    ages: dict[str, int] = attrs.Factory(dict)  #: seconds, by the nft name of a dynamic set
    #: The nft names of the sets that ipsets became, by their own; empty where none is needed.
    ipsets: dict[str, str] = attrs.Factory(dict)


@attrs.frozen
class RecentList:
    """What all rules that use a recent list must agree on."""

    table: str  #: iptables' name for it
    mask: int


@attrs.frozen
class LimitTable:
    """What all rules that use one table of limits must agree on."""

    table: str  #: iptables' name for it
    limit: object  #: the options, but for the name


@attrs.define
class Report:
    """The diagnostics so far, and the approximations that the caller allows."""

    allowed: frozenset[Code]
    diagnostics: list[Diagnostic] = attrs.Factory(list)

    def add(self, code: Code, message: str, span: Span | None, hint: str = "") -> None:
        """Keep a diagnostic, marked as allowed where the caller allows its code."""
        self.diagnostics.append(Diagnostic(code, message, span, hint, code in self.allowed))


@attrs.frozen(kw_only=True)
class Shared:
    """What the rules of one table write, and read from one another."""

    objects: Objects
    report: Report
    #: All matches of the family that keep something together, by what that is.
    sharing: Mapping[tuple[str, str], tuple[iptables.Match, ...]]
    recent_lists: dict[str, RecentList]  #: those of this family so far, by name
    limit_tables: dict[str, LimitTable]  #: those of ``hashlimit``, in the same way


#: For ``Context.part``: the target, behind all matches.
TARGET = -1


@attrs.define(kw_only=True)
class Context:
    """Where rules stand that are lowered in the same way, and the one that is lowered now."""

    family: Family
    table: str  #: iptables' name for it, such as ``nat``
    protocol: int | None  #: the number after ``-p``, None where there is none or it is negated
    hooks: frozenset[str]  #: the built-in chains that lead to the rule's chain
    leaves_chain: bool  #: whether the target is RETURN or ``-g``: it cannot move to a helper chain
    #: Whether packets may come to the rule with a template of CT in place of a conntrack entry.
    sees_templates: bool = False
    _shared: Shared
    #: Whether conntrack runs, which puts fragments together before any table sees them.
    tracked: bool
    ipsets: IpSets | None = None  #: None: what is in them is not known
    #: The tables of either family whose rules name an ipset, by the set's name.
    set_users: Mapping[str, frozenset[tuple[Family, str]]] = attrs.Factory(dict)
    rule: iptables.Rule | None = None
    part: int | None = None  #: the number of the match, or ``TARGET``; None: the whole rule
    refused: bool = False  #: whether some part of the rule has no translation
    rest: str = ""  #: the helper chain that the rules behind this one have to go to
    #: Whether the shared state was used, so that the same node may be lowered to something else.
    used_shared: bool = False
    #: What the kernel asks for before it takes a match or target.
    place: Place = attrs.field(
        init=False,
        default=attrs.Factory(
            lambda self: Place(self.family, self.table, self.hooks), takes_self=True
        ),
    )

    @property
    def shared(self) -> Shared:
        """What the rules of the table share."""
        self.used_shared = True
        return self._shared

    @property
    def span(self) -> Span | None:
        """Where the part stands that is lowered now."""
        if self.rule is None:
            return None
        if self.part is None:
            return self.rule.span
        if self.part == TARGET:
            return self.rule.target_span
        spans = self.rule.match_spans
        return spans[self.part] if spans else None

    def begin(self, rule: iptables.Rule) -> None:
        """Go on with another rule."""
        self.rule = rule
        self.refused = False
        self.rest = ""

    def report_problem(self, problem: Problem) -> None:
        """Refuse the rule, with the problem at its own place or else at the part's."""
        place = problem.span or self.span
        self._shared.report.add(problem.code, problem.message, place, problem.hint)
        self.refused = True

    def approximate(self, code: Code, message: str) -> None:
        """Go on where the caller allows the code; the rule is refused otherwise."""
        self._say(code, message, f"allow it with --allow {code} where that holds on your nodes")

    def note(self, code: Code, message: str) -> None:
        """Report a change that no packet can see."""
        self._say(code, message, "")

    def refuse(self, message: str, hint: str = "") -> Problem:
        """The problem to raise where nft has no form for something."""
        return Problem(NO_NFT_FORM, message, hint=hint)

    def counter(self, name: str) -> str:
        """A named counter of the table."""
        spelt = self._spell(name)
        self.shared.objects.counters[spelt] = None
        return spelt

    def helper(self, name: str, *rules: tuple[Statement, ...]) -> str:
        """A chain of these rules, shared by all who ask for the same name."""
        chain = names.helper(name)
        self.shared.objects.helpers[chain] = tuple(Rule(statements) for statements in rules)
        return chain

    def address_set(self, name: str) -> str:
        """An empty set of addresses and prefixes, to be filled by whoever owns it."""
        spelt = self._own_set(name, "ipset")
        self.shared.objects.sets[spelt] = Set(spelt, ADDRESS_TYPE[self.family], ("interval",))
        return spelt

    def recent_set(self, name: str, mask: int, seconds: int | None, *, changes: bool) -> str:
        """A set of recent addresses; ``seconds`` is the age that this rule still takes.

        ``changes`` says whether this rule changes the set; one that no rule changes is not dynamic.

        Raises Problem where the set cannot serve all the rules that use the list.
        """
        self._check_list(name, mask)
        spelt = self._own_set(f"recent-{name}", "recent list")
        ages = self.shared.objects.ages
        if seconds is not None and ages.setdefault(spelt, seconds) != seconds:
            raise self.refuse(
                f"the list {name} is checked for different ages in different rules",
                "the elements of an nft set have one timeout",
            )
        age = ages.get(spelt, FOREVER)
        known = self.shared.objects.sets.get(spelt)
        dynamic = changes or (known is not None and "dynamic" in known.flags)
        self.shared.objects.sets[spelt] = Set(
            spelt,
            ADDRESS_TYPE[self.family],
            ("dynamic",) * dynamic + ("timeout",) * bool(age),
            timeout=age or None,
            size=DYNAMIC_SET_SIZE,
        )
        return spelt

    def counted_set(self, kind: str, name: str, mask: int, seconds: int) -> str:
        """A set of addresses that are counted for a recent list, for so long after they were seen.

        Raises Problem where the set cannot serve all the rules that use the list.
        """
        self._check_list(name, mask)
        type_ = ADDRESS_TYPE[self.family]
        set_ = Set(kind, type_, ("dynamic", "timeout"), timeout=seconds, size=DYNAMIC_SET_SIZE)
        return self.declare(f"{kind}-{name}", set_, f"recent list, {kind}")

    def _check_list(self, name: str, mask: int) -> None:
        first = self.shared.recent_lists.setdefault(name, RecentList(self.table, mask))
        if first.table != self.table:
            raise self.refuse(
                f"the list {name} is used in the tables {first.table} and {self.table}",
                "an nft set belongs to one table",
            )
        if first.mask != mask:
            raise self.refuse(
                f"the list {name} is used with different masks",
                "the kernel takes the mask of whichever rule it loaded first",
            )

    def limit_set(self, name: str, options: object, set_: Set) -> str:
        """The set of a named table of limits; all rules that use it have the same options.

        Raises Problem where they have not, or stand in several tables.
        """
        first = self.shared.limit_tables.setdefault(name, LimitTable(self.table, options))
        if first.table != self.table:
            raise self.refuse(
                f"the table {name} is used in the tables {first.table} and {self.table}",
                "an nft set belongs to one table",
            )
        if first.limit != options:
            raise self.refuse(
                f"the table {name} is used with different options",
                "the kernel takes those of whichever rule it loaded first: name them apart",
            )
        return self.declare(f"{set_.name}-{name}", set_, f"table of limits {name}")

    def numbered_set(self, kind: str, set_: Set) -> str:
        """A set for this rule alone, with a number for its name."""
        owners = self.shared.objects.owners.values()
        number = sum(owner.startswith(f"{kind} ") for owner in owners) + 1
        return self.declare(f"{kind}-{number}", set_, f"{kind} {number}")

    def declare(self, name: str, set_: Set, owner: str) -> str:
        """Put a set into the table, under the name that nft has for it."""
        spelt = self._own_set(name, owner)
        self.shared.objects.sets[spelt] = attrs.evolve(set_, name=spelt)
        return spelt

    def _own_set(self, name: str, kind: str) -> str:
        """The nft name of a set that things of one kind alone use."""
        spelt = self._spell(name)
        other = self.shared.objects.owners.setdefault(spelt, kind)
        if other != kind:
            raise self.refuse(f"a {kind} and a {other} would both be the set {spelt}")
        return spelt

    def _spell(self, name: str) -> str:
        spelt = names.mangle(name)
        if len(spelt) > names.NAME_LENGTH:
            raise self.refuse(f"nft's names have at most {names.NAME_LENGTH} characters")
        if spelt != name:
            self.note(NAME_CHANGED, f"nft knows “{name}” as {spelt}")
        return spelt

    def _say(self, code: Code, message: str, hint: str) -> None:
        if code.kind is Kind.APPROXIMATION and code not in self.shared.report.allowed:
            raise Problem(code, message, hint=hint)
        self.shared.report.add(
            code, message, self.span, "" if code in self.shared.report.allowed else hint
        )
