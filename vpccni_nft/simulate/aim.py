"""Aim at a rule: what a packet must be like to come to it and fit it.

An aim is a guess: it knows the tests of the rules that lead somewhere, not what rules before them
do to the packet. Where it errs a packet goes another way, which is as good a sample. What fits a
match is for its own room to say.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import attrs

from ..extensions import extension_of
from ..extensions.aiming import Draft
from ..extensions.matches.comment import Comment
from ..extensions.targets.reject import Reject
from ..extensions.targets.verdicts import Accept, Drop, Return
from ..iptables import ast
from ..model.hook import ICMP
from ..model.oracle import Oracle, Position
from ..model.packet import STATE_BITS, STATUS_BITS, interface_word, width
from ..semantics.iptables import PLACES, sets_of, sharing_of
from .constants import constants_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from random import Random

    from ..core.values import Family, Negatable
    from ..extensions.extension import Extension
    from ..ipset.ast import IpSets
    from ..model.concrete import Question

#: Longer paths are cut off: deep cascades have as many aims as chains.
LONGEST = 40

#: Protocols with transport headers of their own.
PROTOCOLS = (6, 17, 1, 58, 132)


@attrs.frozen(eq=False, slots=False)
class PathStep:
    """A rule, and what of its chain its tests depend on."""

    table: str
    chain: str
    number: int  #: of the rule in its chain
    rule: ast.Rule
    #: How many random or counting matches stand before those of this rule.
    draws_before: int
    family: Family
    #: What is known of the sets that rules name.
    sets: IpSets | None = None
    #: All matches of the ruleset that use something together, by what they use.
    sharing: Mapping[tuple[str, str], tuple[ast.Match, ...]] = attrs.Factory(dict)

    @functools.cached_property
    def edges(self) -> tuple[tuple[str | Oracle, tuple[int, ...]], ...]:
        """Values around the edges of what the rule's tests take, by field or by what is asked."""
        tests: list[tuple[str | Oracle, object]] = [*self._base_tests().items()]
        for node in (*self.rule.matches, self.rule.target):
            if extension := _extension(node):
                tests += extension.edges(node).items()
        found = [(key, self._values(test)) for key, test in tests]
        if self.rule.protocol:
            found.append(("protocol", PROTOCOLS))
        return tuple((key, values) for key, values in found if values)

    def _base_tests(self) -> Mapping[str | Oracle, object]:
        rule = self.rule
        return {
            "saddr": rule.source,
            "daddr": rule.destination,
            "iif": rule.in_interface,
            "oif": rule.out_interface,
        }

    def _values(self, test: object) -> tuple[int, ...]:
        """The values that are given, or those of the constants in a test."""
        if isinstance(test, tuple) and all(isinstance(one, int) for one in test):
            return tuple(value for value in test if value >= 0)
        return tuple(constants_in((test,), self.family).every())


def _extension(node: ast.Match | ast.Target | None) -> Extension[Any] | None:
    """The record of a match or target, where it is known."""
    others = (ast.UnknownMatch, ast.UnknownTarget, ast.Jump, ast.Goto)
    return None if node is None or isinstance(node, others) else extension_of(node)


#: What hangs on a packet's connection is worth trying with every rule.
_ANYWHERE = (
    ("ct_state", tuple(STATE_BITS.values())),
    ("ct_status", (0, *STATUS_BITS.values())),
)


@attrs.frozen(eq=False)
class Aim:
    """A rule, and the rules whose jumps lead to its chain from a hook."""

    table: str
    hook: str
    path: tuple[PathStep, ...]

    @property
    def rule(self) -> ast.Rule:
        """The rule that is aimed at."""
        return self.path[-1].rule

    def fit(self, fields: dict[str, int], answers: dict[Question, int], random: Random) -> None:
        """Change a packet so that it fits the rules of the path, as far as their rooms know how."""
        if self.table == "nat":
            fields |= {"snat_done": 0, "dnat_done": 0}
            fields["ct_state"] = STATE_BITS[random.choice(("new", "new", "related"))]
        # NAT of the connection would give the packet other addresses on its way to the rule.
        fields["ct_status"] &= ~(STATUS_BITS["snat"] | STATUS_BITS["dnat"])
        # The rule that is aimed at last, so that it wins where the path contradicts itself.
        for step in self.path:
            draft = Draft(step.family, self.hook, fields, answers, random, step.sets, step.sharing)
            draft.before_conntrack = self.table == "raw"
            _fit_rule(step, draft)
        if self.table == "nat" and fields["protocol"] == ICMP[self.path[-1].family]:
            fields["ct_state"] = STATE_BITS["new"]  # no nat chain sees messages about others

    def move_to_edge(
        self, fields: dict[str, int], answers: dict[Question, int], random: Random
    ) -> None:
        """Change a packet that fits once more, so that it is beside some rule's edge."""
        step = self.path[-1] if random.random() < 3 / 4 else random.choice(self.path)
        beside = step.edges if step.edges and random.random() < 3 / 4 else _ANYWHERE
        key, values = random.choice(beside)
        if isinstance(key, Oracle):
            answers[key, ()] = random.choice(values)
        elif key not in {"iif", "oif"} or fields[key]:
            bits = width(key, step.family)
            fitting = [value for value in values if not value >> bits]
            fields[key] = random.choice(fitting or [fields[key]])


def aims_of(ruleset: ast.Ruleset, family: Family) -> Iterator[Aim]:
    """One aim for each rule that packets can come to, by the first way that leads there."""
    sets, sharing = sets_of(ruleset), sharing_of(ruleset.tables, family)
    for table in ruleset.tables:
        if table.family is family:
            like = PathStep(table.name, "", 0, ast.Rule(), 0, family, sets, sharing)
            yield from _aims_of_table(table, like)


def _aims_of_table(table: ast.Table, like: PathStep) -> Iterator[Aim]:
    steps = {chain.name: tuple(_steps(chain, like)) for chain in table.chains}
    for base in table.chains:
        if not base.policy:
            continue
        hook, _ = PLACES[table.name, base.name]
        seen = {base.name}
        ahead: list[tuple[str, tuple[PathStep, ...]]] = [(base.name, ())]
        while ahead:
            chain, path = ahead.pop()
            for step in steps[chain]:
                here = (*path, step)[-LONGEST:]
                yield Aim(table.name, hook, here)
                target = step.rule.target
                if isinstance(target, ast.Jump | ast.Goto) and target.chain not in seen:
                    seen.add(target.chain)
                    ahead.append((target.chain, here))


def _steps(chain: ast.Chain, like: PathStep) -> Iterator[PathStep]:
    draws = 0
    for number, rule in enumerate(chain.rules):
        yield attrs.evolve(like, chain=chain.name, number=number, rule=rule, draws_before=draws)
        draws += sum(match.draws for match in rule.matches)
        if _ends_always(rule):
            return  # nothing comes to the rules behind it


def _ends_always(rule: ast.Rule) -> bool:
    """Whether every packet fits, and none goes on in the chain."""
    tests = (rule.in_interface, rule.out_interface, rule.protocol, rule.fragment)
    ends = (rule.source, rule.destination)
    fits = (
        not any(tests)
        and all(end is None or (not end.value.mask and not end.negated) for end in ends)
        and all(isinstance(match, Comment) for match in rule.matches)
    )
    return fits and isinstance(rule.target, ast.Goto | Accept | Drop | Return | Reject)


def _fit_rule(step: PathStep, draft: Draft) -> None:
    """Make a packet fit one rule: its base options, its matches in their order, its target."""
    _fit_base(step.rule, draft)
    draws = step.draws_before
    for index, node in enumerate((*step.rule.matches, step.rule.target)):
        if not (extension := _extension(node)):
            continue
        draft.place = Position(step.table, step.chain, step.number, index)
        if isinstance(node, ast.Match) and node.draws:
            draft.place = Position(step.table, step.chain, draws)
            draft.earlier = tuple(
                Position(step.table, step.chain, earlier) for earlier in range(draws)
            )
            draws += 1
        if extension.aim:
            extension.aim(node, draft)


def _fit_base(rule: ast.Rule, draft: Draft) -> None:
    draft.fit_network("saddr", rule.source)
    draft.fit_network("daddr", rule.destination)
    draft.fit("protocol", rule.protocol)
    for field, test in (("iif", rule.in_interface), ("oif", rule.out_interface)):
        if test and draft.fields[field]:
            draft.fields[field] = interface_word(_interface(test, draft.random))


def _interface(test: Negatable[ast.Interface], random: Random) -> str:
    """The name of an interface that fits."""
    name = test.value.name
    if test.negated:
        return random.choice(("other", name[:-1] or "x"))
    return random.choice((f"{name}0", f"{name}ab1"))[:15] if test.value.wildcard else name
