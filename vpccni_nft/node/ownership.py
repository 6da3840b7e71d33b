"""Find who owns each chain and each rule of a dump, and why.

A chain that is not built in is its owner's by its name. A rule is asked about in this order; the
first answer decides:

1. It stands in a chain whose owner lets no other program write there: it is that owner's.
2. It has a form that one owner writes (``owners.RULES``).
3. It jumps to a chain with an owner: it is that owner's. Jumps out of chains that have an owner do
   not count.
4. Otherwise it is the user's. So is a rule in a chain of the CNI in a form that no release writes.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import OLD_RULES, Diagnostic, Refused
from ..iptables.ast import Goto, Jump
from ..text.iptables_save import rule_line
from ..text.sources import parse_sources
from ..translation import UNREAD
from .owners import CHAINS, OWNERS, RULES, USER, VPC_CNI, ChainSign, RuleSign
from .releases import ANY, Releases
from .rule_forms import compiled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..core.span import Source
    from ..core.values import Family
    from ..iptables.ast import Chain, Rule, Ruleset, Table

#: All patterns in one, so that a name is looked at once: the group that fits is the sign.
_NAMES = re.compile("|".join(f"(?P<_{index}>{sign.pattern})" for index, sign in enumerate(CHAINS)))

#: Forms by the table that they are for.
_TABLES = ("filter", "nat", "mangle", "raw", "security")


@attrs.frozen
class Answer:
    """Whose it is, and why."""

    owner: str
    why: str
    releases: Releases = ANY  #: those of the CNI that write it
    #: The CNI's settings, by their names in the form: ``prefix`` and ``mark``.
    settings: tuple[tuple[str, str], ...] = ()


@attrs.frozen
class OwnedChain:
    """A chain that is not built in."""

    family: Family
    table: str
    chain: Chain
    answer: Answer


@attrs.frozen
class OwnedRule:
    """A rule and the chain that it stands in."""

    family: Family
    table: str
    chain: str
    rule: Rule
    answer: Answer

    @property
    def text(self) -> str:
        """The rule as iptables-save prints it, without its counters."""
        return _text(self.chain, self.rule)


@attrs.frozen
class Inventory:
    """Everything in a dump, with its owner."""

    chains: tuple[OwnedChain, ...]
    rules: tuple[OwnedRule, ...]

    @property
    def answers(self) -> Iterator[Answer]:
        """The answers for all chains, then for all rules."""
        yield from (one.answer for one in self.chains)
        yield from (one.answer for one in self.rules)

    @property
    def owners(self) -> tuple[str, ...]:
        """Who is there, in the order of ``OWNERS``."""
        there = {answer.owner for answer in self.answers}
        return tuple(owner.name for owner in OWNERS if owner.name in there)

    @property
    def releases(self) -> Releases:
        """The releases of the CNI that can have written all of its rules."""
        found = ANY
        for answer in self.answers:
            if answer.owner == VPC_CNI:
                found &= answer.releases
        return found

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What is odd about the CNI's rules."""
        return tuple(_old_rules(self))


def inventory(ruleset: Ruleset) -> Inventory:
    """Find the owner of every chain and rule."""
    chains: list[OwnedChain] = []
    rules: list[OwnedRule] = []
    for table in ruleset.tables:
        answers = owners_of_chains(table)
        for chain in table.chains:
            if chain.name in answers:
                answer = answers[chain.name]
                chains.append(OwnedChain(table.family, table.name, chain, answer))
            rules += _rules(table, chain, answers)
    return Inventory(tuple(chains), tuple(rules))


def inventory_of(
    sources: Sequence[Source], family: Family | None = None
) -> tuple[Inventory, tuple[Diagnostic, ...]]:
    """Read dumps and find the owner of every chain and rule, with the notes on both.

    What an unknown match or target does need not be known: other signs identify the owner. Raises
    Refused where a dump cannot be read.
    """
    ruleset, problems = parse_sources(sources, family)
    found = tuple(one for one in problems if one.code not in UNREAD)
    if any(one.refuses for one in found):
        raise Refused(found)
    owned = inventory(ruleset)
    return owned, (*found, *owned.diagnostics)


def owners_of_chains(table: Table) -> dict[str, Answer]:
    """The answers for the chains of a table that are not built in."""
    return {chain.name: _chain_answer(chain.name) for chain in table.chains if not chain.policy}


def _chain_answer(name: str) -> Answer:
    sign = _sign_of(name)
    if sign is None:
        return Answer(USER, "no known owner has a chain of such a name")
    remark = f": {sign.remark}" * bool(sign.remark)
    return Answer(sign.owner, f"{sign.owner} has chains of such a name{remark}", sign.releases)


def _sign_of(name: str) -> ChainSign | None:
    found = _NAMES.fullmatch(name)
    return CHAINS[int(str(found.lastgroup)[1:])] if found else None


def _rules(table: Table, chain: Chain, answers: Mapping[str, Answer]) -> Iterator[OwnedRule]:
    if not chain.rules:
        return
    sign = None if chain.policy else _sign_of(chain.name)
    if sign and not sign.shared:
        answer = Answer(sign.owner, f"stands in the chain {chain.name}")
        for rule in chain.rules:
            yield OwnedRule(table.family, table.name, chain.name, rule, answer)
        return
    for rule in chain.rules:
        answer = _rule_answer(table.name, chain, rule, sign, answers)
        yield OwnedRule(table.family, table.name, chain.name, rule, answer)


def _rule_answer(
    table: str, chain: Chain, rule: Rule, sign: ChainSign | None, answers: Mapping[str, Answer]
) -> Answer:
    text = _text(chain.name, rule)
    for form in _FORMS[table] if table in _FORMS else _FORMS[""]:
        if found := compiled(form.form).fullmatch(text):
            remark = f": {form.remark}" * bool(form.remark)
            written = f"written by {form.releases}" if form.releases != ANY else "a known form"
            return Answer(
                form.owner, written + remark, form.releases, tuple(found.groupdict().items())
            )
    if sign:
        why = f"stands in the chain {chain.name} of {sign.owner}, in no form that it writes"
        return Answer(USER, why)
    target = rule.target.chain if isinstance(rule.target, Jump | Goto) else ""
    # Who wrote a chain of no known owner wrote its jumps, too.
    if chain.policy and target in answers and answers[target].owner != USER:
        return Answer(answers[target].owner, f"jumps to the chain {target}")
    return Answer(USER, "nothing identifies its owner")


_FORMS: Mapping[str, tuple[RuleSign, ...]] = {
    table: tuple(sign for sign in RULES if sign.table in {table, ""}) for table in ("", *_TABLES)
}


def _text(chain: str, rule: Rule) -> str:
    return rule_line(chain, attrs.evolve(rule, counters=None))


def _old_rules(found: Inventory) -> Iterator[Diagnostic]:
    """What an upgrade or another setting left behind."""
    own = [one for one in found.rules if one.answer.owner == VPC_CNI]
    if found.releases.empty:
        newest = max((one.answer.releases.since or (0, 0, 0) for one in own), default=(0, 0, 0))
        for one in own:
            until = one.answer.releases.until
            if until and until < newest:
                yield Diagnostic(
                    OLD_RULES,
                    f"this rule is {one.answer.why}, and others are of {Releases(newest)}",
                    one.rule.span,
                    "the CNI left it when it was upgraded; it works all the same",
                )
    for name, title in (("prefix", "names of interfaces"), ("mark", "marks")):
        values = Counter(value for one in own for key, value in one.answer.settings if key == name)
        if len(values) > 1:
            yield from _of_rare_setting(own, name, title, values)


def _of_rare_setting(
    own: Iterable[OwnedRule], name: str, title: str, values: Counter[str]
) -> Iterator[Diagnostic]:
    """The first rule of every value but one; which of them is in force, the rules do not show."""
    seen: set[str] = set()
    for one in own:
        value = dict(one.answer.settings).get(name)
        if value is None or value in seen:
            continue
        seen.add(value)
        if len(seen) > 1:
            yield Diagnostic(
                OLD_RULES,
                f"the CNI's rules have several {title}: {', '.join(sorted(values))}",
                one.rule.span,
                "the CNI left some of them when its settings were changed",
            )
