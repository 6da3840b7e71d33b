"""Keep the path of jumps as short as nf_tables wants it.

The kernel takes 16 chains on a path, the base chain and helpers included, and counts ``goto`` like
``jump`` (nf_tables_api.c, NFT_JUMP_STACK_SIZE; measured). The CNI's old cascades AWS-SNAT-CHAIN-0,
-1, -2, ... are longer on a VPC with many CIDRs. A cascade is a chain whose last rule jumps on: its
conditions are turned round to return, and the next chain's rules take the jump's place.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from ..nft import expressions as x
from ..nft import statements as s
from ..nft.ast import Chain, Rule
from ..text.nft_script import Written
from .repeats import NodesNeeded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: The most chains on a path of jumps.
MOST_CHAINS = 16

_OPPOSITE = {"==": "!=", "!=": "=="}


@attrs.frozen
class Flattened:
    """The chains, and what was done to them."""

    chains: tuple[Chain, ...]
    merged: tuple[str, ...] = ()  #: chains whose rules now stand in their caller
    too_deep: tuple[str, ...] = ()  #: a path that is still too long


def flatten(chains: tuple[Chain, ...]) -> Flattened:
    """Merge cascades into their callers where a path is too long; chains must not loop.

    Raises NodesNeeded where that means to look into rules whose text alone is known.
    """
    by_name = {chain.name: chain for chain in chains}
    if len(_longest_path(by_name)) <= MOST_CHAINS:
        return Flattened(chains)
    if any(isinstance(rule, Written) for chain in chains for rule in chain.rules):
        raise NodesNeeded
    following = _cascades(chains, by_name)
    followers = set(following.values())
    for head in following.keys() - followers:
        by_name[head] = _merge(head, following, by_name)
    merged = [chain.name for chain in chains if chain.name in followers]
    for name in merged:
        del by_name[name]
    path = _longest_path(by_name)
    kept = tuple(by_name[chain.name] for chain in chains if chain.name in by_name)
    return Flattened(kept, tuple(merged), path if len(path) > MOST_CHAINS else ())


def called(chain: Chain) -> list[str]:
    """The chains that a chain jumps or goes to, in order; a verdict ends its rule."""
    found = []
    for rule in chain.rules:
        if isinstance(rule, Written):
            found += [rule.callee] if rule.callee else ()
        elif rule.statements and isinstance(end := rule.statements[-1], (s.Jump, s.Goto)):
            found.append(end.chain)
    return found


def _cascades(chains: tuple[Chain, ...], by_name: dict[str, Chain]) -> dict[str, str]:
    """For each chain whose last rule jumps on, the chain that can be merged into it."""
    callers = Counter(target for chain in chains for target in called(chain))
    return {
        chain.name: target
        for chain in chains
        if (target := _jumped_on_to(chain)) in by_name and callers[target] == 1
    }


def _jumped_on_to(chain: Chain) -> str:
    """The chain that the last rule jumps to, where every condition of that rule can be turned.

    A base chain keeps its rules, so that the first chain of a cascade keeps its name.
    """
    if chain.hook or not chain.rules or not chain.rules[-1].statements:
        return ""
    *before, verdict = chain.rules[-1].statements
    if not isinstance(verdict, s.Jump | s.Goto):
        return ""
    turnable = all(isinstance(step, s.Counter) or _can_be_turned(step) for step in before)
    return verdict.chain if turnable else ""


def _can_be_turned(step: s.Statement) -> bool:
    """Whether a match is false exactly where its opposite is true: its value is always there."""
    if not isinstance(step, s.Match) or step.operator not in _OPPOSITE:
        return False
    left = step.left.left if isinstance(step.left, x.Binary) else step.left
    always_there = isinstance(left, x.Payload) and left.protocol in {"ip", "ip6"}
    return always_there or left in {x.Meta("mark"), x.Meta("iifname"), x.Meta("oifname")}


def _merge(head: str, following: dict[str, str], chains: dict[str, Chain]) -> Chain:
    """The rules of a whole cascade, in its first chain."""
    rules: list[Rule] = []
    name = head
    while name in following:
        *others, last = chains[name].rules
        rules += others
        rules += _turned(last)
        name = following[name]
    rules += chains[name].rules
    return attrs.evolve(chains[head], rules=tuple(rules))


def _turned(rule: Rule) -> Iterator[Rule]:
    """In place of a jump: what does not go on returns, the rest is counted and goes on."""
    for step in rule.statements:
        if isinstance(step, s.Match):
            opposite = attrs.evolve(step, operator=_OPPOSITE[step.operator])
            yield Rule((opposite, s.Return()), origin=rule.origin)
    if counters := tuple(step for step in rule.statements if isinstance(step, s.Counter)):
        yield Rule(counters, rule.comment, rule.origin)


def _longest_path(chains: dict[str, Chain]) -> tuple[str, ...]:
    """The longest path of jumps that starts in a base chain."""
    length: dict[str, int] = {}
    follow: dict[str, str] = {}
    calls = {name: called(chain) for name, chain in chains.items()}
    for name in callees_first(calls):
        length[name] = 1
        for target in calls[name]:
            if length[target] + 1 > length[name]:
                length[name] = length[target] + 1
                follow[name] = target
    starts = [name for name, chain in chains.items() if chain.hook]
    path = [max(starts, key=length.__getitem__)] if starts else []
    while path and path[-1] in follow:
        path.append(follow[path[-1]])
    return tuple(path)


def callees_first(calls: Mapping[str, Sequence[str]]) -> list[str]:
    """The chains in an order in which each comes after all that it calls; no recursion."""
    done: set[str] = set()
    order: list[str] = []
    for start in calls:
        stack = [start]
        while stack:
            name = stack.pop()
            if name[0] == "\0":  # all that it calls is behind us
                order.append(name[1:])
            elif name not in done:
                done.add(name)
                if called_by_it := calls[name]:
                    stack.append(f"\0{name}")
                    stack += called_by_it
                else:
                    order.append(name)
    return order
