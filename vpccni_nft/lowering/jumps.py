"""Check what rules name, chains and ipsets: all of it is there, and no jump leads back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.diagnostics import BAD_PLACE, CHAIN_LOOP, MISSING_CHAIN, Diagnostic
from ..iptables.ast import Goto, Jump
from ..text.forms import Repeat, rule_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..iptables.ast import Chain, Rule, Ruleset, Table


#: For each chain, the chains that it jumps or goes to, with the rules that do.
Calls = dict[str, list[tuple[str, "Rule | Repeat"]]]


def calls_of(table: Table) -> Calls:
    """Who calls whom, by the names of chains."""
    return {chain.name: list(_calls_of(chain)) for chain in table.chains}


def _calls_of(chain: Chain) -> Iterator[tuple[str, Rule | Repeat]]:
    for rule in chain.rules:
        if isinstance(rule, Repeat):
            if rule.callee:
                yield rule.callee, rule
        elif isinstance(target := rule.target, Jump | Goto):
            yield target.chain, rule


def built_in_above(table: Table, calls: Calls) -> dict[str, frozenset[str]]:
    """For each chain, the built-in chains that lead to it, itself included."""
    built_in = [chain.name for chain in table.chains if chain.policy]
    above = dict.fromkeys(calls, 0)  # one bit for each built-in chain
    for number, start in enumerate(built_in):
        bit = 1 << number
        ahead = [start]
        while ahead:
            name = ahead.pop()
            known = above.get(name)
            if known is not None and not known & bit:
                above[name] = known | bit
                ahead += [callee for callee, _ in calls[name]]
    sets = {
        bits: frozenset(name for number, name in enumerate(built_in) if bits >> number & 1)
        for bits in set(above.values())
    }
    return {name: sets[bits] for name, bits in above.items()}


def check_jumps(table: Table, calls: Calls) -> Iterator[Diagnostic]:
    """What iptables-restore would refuse as well (iptables: No chain; Too many levels)."""
    built_in = {chain.name for chain in table.chains if chain.policy}
    for found in calls.values():
        for callee, rule in found:
            if callee in built_in:
                yield Diagnostic(
                    BAD_PLACE,
                    f"{callee} is built in: only the kernel calls it",
                    rule_of(rule).target_span,
                )
            elif callee not in calls:
                yield Diagnostic(
                    MISSING_CHAIN,
                    f"the table {table.name} has no chain {callee}, and no target of that name "
                    "is known",
                    rule_of(rule).target_span,
                    "vpccni-nft extensions lists the targets that are known",
                )
    yield from _loops(calls)


def check_names(ruleset: Ruleset) -> Iterator[Diagnostic]:
    """What of a ruleset iptables-restore would refuse, for it names what is not there."""
    for table in ruleset.tables:
        yield from check_jumps(table, calls_of(table))
        if ruleset.ipsets is not None:
            from .ipsets import missing_sets

            yield from missing_sets(ruleset, table)


def _loops(calls: Calls) -> Iterator[Diagnostic]:
    """Walk along the calls, and yield each one that leads to a chain still being walked."""
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
                continue
            callee, rule = call
            if state.get(callee) == on_path:
                yield Diagnostic(
                    CHAIN_LOOP,
                    f"this leads back to {callee}, which leads here",
                    rule_of(rule).target_span,
                )
            elif state.get(callee) == unseen:
                state[callee] = on_path
                path.append((callee, iter(calls[callee])))
