"""Check a table's jumps before it is lowered: every target is there, and none leads back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import BAD_PLACE, CHAIN_LOOP, MISSING_CHAIN, Diagnostic
from ..iptables.ast import Goto, Jump

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.span import Span
    from ..iptables.ast import Rule, Table


@attrs.frozen
class _Call:
    chain: str
    rule: Rule

    @property
    def span(self) -> Span | None:
        return self.rule.target_span


def built_in_above(table: Table) -> dict[str, frozenset[str]]:
    """For each chain, the built-in chains that lead to it, itself included."""
    calls = {
        chain.name: {
            rule.target.chain for rule in chain.rules if isinstance(rule.target, Jump | Goto)
        }
        for chain in table.chains
    }
    above: dict[str, set[str]] = {name: set() for name in calls}
    for built_in in (chain.name for chain in table.chains if chain.policy):
        ahead = [built_in]
        while ahead:
            name = ahead.pop()
            if name in above and built_in not in above[name]:
                above[name].add(built_in)
                ahead += calls[name]
    return {name: frozenset(found) for name, found in above.items()}


def check_jumps(table: Table) -> Iterator[Diagnostic]:
    """What iptables-restore would refuse as well (iptables: No chain; Too many levels)."""
    built_in = {chain.name for chain in table.chains if chain.policy}
    calls = {
        chain.name: [
            _Call(rule.target.chain, rule)
            for rule in chain.rules
            if isinstance(rule.target, Jump | Goto)
        ]
        for chain in table.chains
    }
    for found in calls.values():
        for call in found:
            if call.chain in built_in:
                yield Diagnostic(
                    BAD_PLACE, f"{call.chain} is built in: the kernel alone calls it", call.span
                )
            elif call.chain not in calls:
                yield Diagnostic(
                    MISSING_CHAIN,
                    f"the table {table.name} has no chain {call.chain}, and no target of that name "
                    "is known",
                    call.span,
                    "vpccni-nft extensions lists the targets that are known",
                )
    yield from _loops(calls)


def _loops(calls: dict[str, list[_Call]]) -> Iterator[Diagnostic]:
    """Walk along the calls, and tell each one that leads to a chain still being walked."""
    unseen, on_path, left = 0, 1, 2
    state = dict.fromkeys(calls, unseen)
    for start, first in calls.items():
        if state[start] != unseen:
            continue
        state[start] = on_path
        path = [(start, iter(first))]
        while path:
            name, ahead = path[-1]
            call = next(ahead, None)
            if call is None:
                state[name] = left
                path.pop()
            elif state.get(call.chain) == on_path:
                yield Diagnostic(
                    CHAIN_LOOP, f"this leads back to {call.chain}, which leads here", call.span
                )
            elif state.get(call.chain) == unseen:
                state[call.chain] = on_path
                path.append((call.chain, iter(calls[call.chain])))
