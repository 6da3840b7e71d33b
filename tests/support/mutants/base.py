"""How a mistake is put into a ruleset, wherever it can be made."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import attrs

from vpccni_nft import nft
from vpccni_nft.nft import expressions as x
from vpccni_nft.nft import statements as s

Steps = tuple[s.Statement, ...]
Chains = dict[str, nft.Chain]

FULL = 0xFFFFFFFF
MARK, CT_MARK = x.Meta("mark"), x.Ct("mark")
RESTORE = re.compile(r"\.restore-mark-(0x[0-9a-f]+)")


@attrs.frozen
class Mutant:
    name: str
    change: Callable[[nft.Ruleset], nft.Ruleset]

    def apply(self, ruleset: nft.Ruleset) -> nft.Ruleset | None:
        """The ruleset with the mistake; None where it changes nothing."""
        changed = self.change(ruleset)
        return None if changed == ruleset else changed

    def __str__(self) -> str:
        return self.name


MUTANTS: list[Mutant] = []


def _add(name: str, change: Callable[[nft.Ruleset], nft.Ruleset]) -> None:
    assert name not in {mutant.name for mutant in MUTANTS}
    MUTANTS.append(Mutant(name, change))


# --- where a mistake is made --------------------------------------------------------------------


def chains(name: str) -> Callable[[Any], Any]:
    """A mistake about a chain: it gives the chain that is there instead."""

    def decorate(change: Callable[[nft.Chain, Chains], nft.Chain]) -> Any:
        def in_ruleset(ruleset: nft.Ruleset) -> nft.Ruleset:
            return nft.Ruleset(tuple(map(in_table, ruleset.tables)))

        def in_table(table: nft.Table) -> nft.Table:
            named = {chain.name: chain for chain in table.chains}
            return attrs.evolve(table, chains=tuple(change(one, named) for one in table.chains))

        _add(name, in_ruleset)
        return change

    return decorate


def hooks(name: str) -> Callable[[Any], Any]:
    """A mistake about a base chain's hook."""

    def decorate(change: Callable[[nft.Hook], nft.Hook]) -> Any:
        @chains(name)
        def in_chain(chain: nft.Chain, _named: Chains) -> nft.Chain:
            return attrs.evolve(chain, hook=change(chain.hook)) if chain.hook else chain

        return change

    return decorate


def rules(name: str) -> Callable[[Any], Any]:
    """A mistake about a rule's steps; None where there is no rule any more."""

    def decorate(change: Callable[[Steps, Chains], Steps | None]) -> Any:
        @chains(name)
        def in_chain(chain: nft.Chain, named: Chains) -> nft.Chain:
            found = ((rule, change(rule.statements, named)) for rule in chain.rules)
            kept = (attrs.evolve(rule, statements=new) for rule, new in found if new is not None)
            return attrs.evolve(chain, rules=tuple(kept))

        return change

    return decorate


def steps(name: str) -> Callable[[Any], Any]:
    """A mistake about one step: it gives the step that is there instead, or None for none.

    Steps that the change says nothing about (NotImplemented) stay.
    """

    def decorate(change: Callable[[Any], Any]) -> Any:
        @rules(name)
        def in_rule(statements: Steps, _named: Chains) -> Steps:
            found = ((step, change(step)) for step in statements)
            news = (step if new is NotImplemented else new for step, new in found)
            return tuple(new for new in news if new is not None)

        return change

    return decorate


def literals(name: str) -> Callable[[Any], Any]:
    """A mistake about what a match compares with; in sets, about each of the elements."""

    def decorate(change: Callable[[Any, Any], Any]) -> Any:
        def changed(left: x.Expression, right: x.Expression) -> x.Expression:
            if isinstance(right, x.AnonymousSet):
                return x.AnonymousSet(tuple(changed(left, one) for one in right.elements))
            found: x.Expression = change(left, right)
            return right if found is NotImplemented else found

        @steps(name)
        def in_step(step: Any) -> Any:
            if isinstance(step, s.Match):
                return attrs.evolve(step, right=changed(step.left, step.right))
            return NotImplemented

        return change

    return decorate


def texts(name: str, pattern: str, replacement: str) -> None:
    """A mistake in the script's text."""
    _add(name, lambda ruleset: nft.parse(re.sub(pattern, replacement, nft.serialize(ruleset))))


def turned(name: str, sign: str, other: str, *lefts: type | x.Expression) -> None:
    """A comparison's sign mistaken for another, where one of these is compared."""

    @steps(name)
    def in_step(step: Any) -> Any:
        match step:
            case s.Match(left, operator, right) if operator == sign and _is_of(left, lefts):
                return s.Match(left, other, right)
        return NotImplemented


def _is_of(left: x.Expression, wanted: tuple[type | x.Expression, ...]) -> bool:
    inner = left.left if isinstance(left, x.Binary) else left
    return any(isinstance(inner, one) if isinstance(one, type) else inner == one for one in wanted)


def verdicts(name: str, old: type[s.Verdict], make: Callable[[Any], s.Verdict | None]) -> None:
    """A verdict mistaken for another."""

    @steps(name)
    def in_step(step: Any) -> Any:
        return make(step) if isinstance(step, old) else NotImplemented
