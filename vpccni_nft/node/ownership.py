"""Find who owns each chain and each rule of a dump, and why.

A chain that is not built in is its owner's by its name. A rule is asked about in this order; the
first answer decides:

1. It stands in a chain whose owner lets no other program write there: it is that owner's.
2. It has a form that one owner writes (``owners.RULES``).
3. It jumps to a chain with an owner: it is that owner's. Jumps out of chains that have an owner do
   not count.
4. It has a trace of an owner (``owners.TRACES``), stands in a chain of one in a form that the owner
   does not write, or beside the chains of one that fills whole tables: its owner is unknown.
5. Otherwise it is the user's.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs

from ..core.diagnostics import OLD_RULES, Diagnostic, Refused
from ..iptables.ast import Goto, Jump
from ..text.iptables_save import rule_line
from ..text.nft_outline import IPTABLES_TABLES, outline
from ..text.saved_from import SavedFrom, saved_from
from ..text.sources import parse_sources
from ..translation import UNREAD
from .mark_bits import shared_bits
from .owners import (
    ANY_CHAINS,
    CHAINS,
    FOR_USERS,
    OWNERS,
    RULES,
    TABLES,
    TRACES,
    UNKNOWN,
    USER,
    VPC_CNI,
    WHOLE_TABLES,
    ChainSign,
    RuleSign,
)
from .releases import ANY, Releases
from .rule_forms import compiled
from .scan import not_a_ruleset

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from ..core.span import Source
    from ..core.values import Family
    from ..iptables.ast import Chain, Rule, Ruleset, Table
    from ..text.nft_outline import OutlinedTable


def _together(signs: Iterable[tuple[int, ChainSign]]) -> re.Pattern[str]:
    """All patterns in one, so that a name is looked at once: the group that fits is the sign."""
    return re.compile("|".join(f"(?P<_{index}>{sign.pattern})" for index, sign in signs))


_NAMES = _together((index, sign) for index, sign in enumerate(CHAINS) if not sign.beside)

#: Names that count where their owner has others, by the owner.
_BESIDE = {
    owner: _together(
        (index, sign) for index, sign in enumerate(CHAINS) if sign.beside and sign.owner == owner
    )
    for owner in dict.fromkeys(sign.owner for sign in CHAINS if sign.beside)
}

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
class OwnedTable:
    """A table of nftables, and how many chains and rules it has."""

    family: str
    name: str
    chains: int
    rules: int
    answer: Answer


@attrs.frozen
class Inventory:
    """Everything in a dump, with its owner."""

    chains: tuple[OwnedChain, ...]
    rules: tuple[OwnedRule, ...]
    tables: tuple[OwnedTable, ...] = ()  #: those of nftables that are none of iptables

    @property
    def answers(self) -> Iterator[Answer]:
        """The answers for all chains, for all rules, then for all tables."""
        yield from (one.answer for one in self.chains)
        yield from (one.answer for one in self.rules)
        yield from (one.answer for one in self.tables)

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
        return (*_old_rules(self), *shared_bits(self))

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON, as ``inventory --json`` has it (``docs/schemas``)."""
        from .as_dict import dict_of_inventory

        return dict_of_inventory(self, self.diagnostics)


def inventory(ruleset: Ruleset) -> Inventory:
    """Find the owner of every chain and rule."""
    chains: list[OwnedChain] = []
    rules: list[OwnedRule] = []
    links = _docker_links(ruleset)
    there = {_owner_of_chain(chain.name) for table in ruleset.tables for chain in table.chains}
    for table in ruleset.tables:
        answers = owners_of_chains(table, there)
        for chain in table.chains:
            if chain.name in answers:
                answer = answers[chain.name]
                chains.append(OwnedChain(table.family, table.name, chain, answer))
            rules += _rules(table, chain, answers, links, there)
    return Inventory(tuple(chains), tuple(rules))


def inventory_of(
    sources: Sequence[Source], family: Family | None = None, listings: Sequence[Source] = ()
) -> tuple[Inventory, tuple[Diagnostic, ...]]:
    """Read dumps and find the owner of every chain and rule, with the notes on both.

    ``listings`` are what nft list ruleset prints. What an unknown match or target does need not be
    known: other signs identify the owner. Raises Refused where a text cannot be read.
    """
    ruleset, problems = parse_sources(sources, family)
    problems += (found for one in listings for found in not_a_ruleset(one, outline(one)))
    found = tuple(one for one in problems if one.code not in UNREAD)
    if any(one.refuses for one in found):
        raise Refused(found)
    # A dump of iptables-legacy does not show what the tables of nftables hold.
    beside = any(saved_from((one,)) is not SavedFrom.LEGACY for one in sources)
    tables = tuple(table for one in listings for table in tables_of(one, beside=beside))
    owned = attrs.evolve(inventory(ruleset), tables=tables)
    return owned, (*found, *owned.diagnostics)


def tables_of(listing: Source, *, beside: bool = False) -> Iterator[OwnedTable]:
    """The tables of a listing with their owners.

    Those of iptables-nft are shown by its dumps, where these stand ``beside`` the listing.
    """
    for table in outline(listing):
        rules = sum(len(chain.rules) for chain in table.chains)
        if table.of_iptables and (beside or not rules):
            continue
        answer = _table_answer(table)
        yield OwnedTable(table.family, table.name, len(table.chains), rules, answer)


def _table_answer(table: OutlinedTable) -> Answer:
    for sign in TABLES:
        if table.family in sign.families and re.fullmatch(sign.pattern, table.name):
            remark = f": {sign.remark}" * bool(sign.remark)
            return Answer(sign.owner, f"{sign.owner} has a table of such a name{remark}")
    if table.name in IPTABLES_TABLES:
        # Tailscale's own nftables mode takes these names, too.
        owners = {_owner_of_chain(chain.name) for chain in table.chains if not chain.hook}
        if len(owners) == 1 and (owner := owners.pop()):
            return Answer(owner, f"{owner} has chains of the names that all of its chains have")
        return Answer(UNKNOWN, "iptables-nft calls its tables so, and no dump of it was given")
    return Answer(UNKNOWN, "no known owner has a table of such a name")


def _docker_links(ruleset: Ruleset) -> frozenset[str]:
    """The bridges that Docker's chains speak of, whatever their names are."""
    found = set()
    for table in ruleset.tables:
        for chain in table.chains:
            for rule in chain.rules:
                target = rule.target.chain if isinstance(rule.target, Jump | Goto) else ""
                if "docker" in {_owner_of_chain(chain.name), _owner_of_chain(target)}:
                    tests = (rule.in_interface, rule.out_interface)
                    found |= {test.value.name for test in tests if test}
    return frozenset(found)


def _owner_of_chain(name: str) -> str:
    sign = _sign_of(name)
    return sign.owner if sign else ""


def owners_of_chains(table: Table, there: Collection[str]) -> dict[str, Answer]:
    """The answers for the chains of a table that are not built in; ``there`` are known owners."""
    return {
        chain.name: _chain_answer(chain.name, there) for chain in table.chains if not chain.policy
    }


def _chain_answer(name: str, there: Collection[str]) -> Answer:
    sign = _sign_of(name, there)
    if sign is None:
        for owner in ANY_CHAINS:
            if owner in there:
                return Answer(UNKNOWN, f"{owner} has chains of other names, too")
        return Answer(USER, "no known owner has a chain of such a name")
    remark = f": {sign.remark}" * bool(sign.remark)
    return Answer(sign.owner, f"{sign.owner} has chains of such a name{remark}", sign.releases)


def _sign_of(name: str, there: Collection[str] = ()) -> ChainSign | None:
    """The sign that a name fits; one that counts beside others only if these are ``there``."""
    found = _NAMES.fullmatch(name)
    for owner, names in _BESIDE.items() if found is None else ():
        found = found or (names.fullmatch(name) if owner in there else None)
    return CHAINS[int(str(found.lastgroup)[1:])] if found else None


def _rules(
    table: Table,
    chain: Chain,
    answers: Mapping[str, Answer],
    links: frozenset[str],
    there: Collection[str],
) -> Iterator[OwnedRule]:
    if not chain.rules:
        return
    sign = None if chain.policy else _sign_of(chain.name, there)
    if sign and not sign.shared:
        answer = Answer(sign.owner, f"stands in the chain {chain.name}")
        for rule in chain.rules:
            yield OwnedRule(table.family, table.name, chain.name, rule, answer)
        return
    for rule in chain.rules:
        answer = _rule_answer(table.name, chain, rule, sign, answers, links, there)
        yield OwnedRule(table.family, table.name, chain.name, rule, answer)


def _rule_answer(
    table: str,
    chain: Chain,
    rule: Rule,
    sign: ChainSign | None,
    answers: Mapping[str, Answer],
    links: frozenset[str],
    there: Collection[str],
) -> Answer:
    text = _text(chain.name, rule)
    for form in _FORMS[table] if table in _FORMS else _FORMS[""]:
        found = compiled(form.form).fullmatch(text)
        if found and _is_docker_s(found.groupdict().get("link"), links):
            remark = f": {form.remark}" * bool(form.remark)
            written = f"written by {form.releases}" if form.releases != ANY else "a known form"
            return Answer(
                form.owner, written + remark, form.releases, tuple(found.groupdict().items())
            )
    if sign:
        why = f"stands in the chain {chain.name} of {sign.owner}, in no form that it writes"
        return Answer(USER if sign.remark == FOR_USERS else UNKNOWN, why)
    target = rule.target.chain if isinstance(rule.target, Jump | Goto) else ""
    # Who wrote a chain of no known owner wrote its jumps, too.
    if chain.policy and target in answers and answers[target].owner != USER:
        return Answer(answers[target].owner, f"jumps to the chain {target}")
    return _uncertain(chain, text, answers, there) or Answer(USER, "nothing identifies its owner")


def _uncertain(
    chain: Chain, text: str, answers: Mapping[str, Answer], there: Collection[str]
) -> Answer | None:
    """Why a rule in no known form may be an owner's all the same."""
    for owner, trace in _TRACES:
        if trace.search(text):
            return Answer(UNKNOWN, f"it speaks of what is {owner}'s, in no form that it writes")
    whole = [owner for owner in WHOLE_TABLES if owner in there]
    if chain.policy and whole:
        return Answer(UNKNOWN, f"{whole[0]} writes into {chain.name}, too, without a sign")
    if chain.name in answers and answers[chain.name].owner == UNKNOWN:
        return Answer(UNKNOWN, f"stands in the chain {chain.name}, whose owner is uncertain")
    return None


def _is_docker_s(link: str | None, links: frozenset[str]) -> bool:
    """Whether a form's bridge, if it has one, is Docker's."""
    return link is None or link in links or bool(_LINK.fullmatch(link))


#: The bridges of Docker's by their usual names.
_LINK = re.compile(r"docker0|docker_gwbridge|br-[0-9a-f]{12}")

_TRACES = tuple((owner, re.compile(pattern)) for owner, pattern in TRACES)

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
