"""What iptables-restore-translate gets wrong."""

from __future__ import annotations

from typing import Any

import attrs

from vpccni_nft import nft
from vpccni_nft.nft import expressions as x
from vpccni_nft.nft import statements as s

from .base import (
    CT_MARK,
    MARK,
    RESTORE,
    Chains,
    Steps,
    chains,
    rules,
    steps,
)


@steps("restoring one bit of the mark wipes all others")
def _(step: Any) -> Any:
    if isinstance(step, s.Jump) and (found := RESTORE.fullmatch(step.chain)):
        return s.Assign(MARK, x.Binary("&", CT_MARK, x.Hex(int(found[1], 16))))
    return NotImplemented


def _rest(step: s.Statement, named: Chains) -> tuple[nft.Rule, ...] | None:
    """The rules of the helper chain of a negated list of states that has DNAT in it."""
    if isinstance(step, s.Jump) and step.chain.startswith("."):
        helper = named[step.chain].rules
        returns = [rule for rule in helper if rule.statements[-1:] == (s.Return(),)]
        if returns and "dnat" in str(returns[-1].statements):
            return helper
    return None


@rules("of a negated list of states, only DNAT is left, and without the negation")
def _(statements: Steps, named: Chains) -> Steps:
    helper = _rest(statements[-1], named) if statements else None
    if helper is None:
        return statements
    return (*statements[:-1], s.Match(x.Ct("status"), "in", x.Flags(("dnat",))),
            *helper[-1].statements)  # fmt: skip


@rules("of a negated list of states, only DNAT is left")
def _(statements: Steps, named: Chains) -> Steps:
    helper = _rest(statements[-1], named) if statements else None
    if helper is None:
        return statements
    return (*statements[:-1], s.Match(x.Ct("status"), "!", x.Flags(("dnat",))),
            *helper[-1].statements)  # fmt: skip


@rules("a negated list of states with DNAT becomes one line, wrong without an entry")
def _(statements: Steps, named: Chains) -> Steps:
    helper = _rest(statements[-1], named) if statements else None
    if helper is None:
        return statements
    tests = (
        attrs.evolve(step, operator="!")
        for rule in helper[:-1]
        for step in rule.statements
        if isinstance(step, s.Match)
    )
    return (*statements[:-1], *tests, *helper[-1].statements)


@steps("a mark is set as mark ^ VALUE & ~MASK, where & binds first")
def _(step: Any) -> Any:
    match step:
        case s.Assign(key, x.Binary("^", x.Binary("&", _, x.Hex(kept)), x.Hex(value))):
            return s.Assign(key, x.Binary("^", key, x.Hex(value & kept)))
        case s.Assign(key, x.Binary("|", _, x.Hex(value))):
            return s.Assign(key, x.Binary("^", key, x.Hex(value & ~value)))
    return NotImplemented


@rules("of a source type and a destination type, only the first is left")
def _(statements: Steps, _named: Chains) -> Steps:
    types = [step for step in statements if _is_fib(step)]
    return tuple(step for step in statements if step not in types[1:])


def _is_fib(step: s.Statement) -> bool:
    return isinstance(step, s.Match) and isinstance(step.left, x.Fib)


@steps("the test for the protocol is lost")
def _(step: Any) -> Any:
    match step:
        case s.Match(x.Meta("l4proto"), "==", _):
            return None
    return NotImplemented


@rules("rules that change a set are left out")
def _(statements: Steps, _named: Chains) -> Steps | None:
    return None if any(isinstance(step, s.UpdateSet) for step in statements) else statements


@chains("every rule is there twice")
def _(chain: nft.Chain, _named: Chains) -> nft.Chain:
    return attrs.evolve(chain, rules=tuple(rule for rule in chain.rules for _ in "12"))
