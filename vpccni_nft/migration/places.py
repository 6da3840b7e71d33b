"""Where moved rules go back to, in a table as it is now: between the rules that they stood between.

A place is anchored by the rule before and the rule behind, or by an end of the chain. Where other
programs have put rules between two anchors meanwhile, there is more than one such place: next to
the rule before, next to the rule behind. Which one it is, the proof decides.
"""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher
from itertools import islice, product
from typing import TYPE_CHECKING

import attrs

from .edits import ChainEdit, Edit, EditedRule, EditKind, InTheWay, target_of
from .saved import SavedChain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .moves import TableMove
    from .saved import SavedRule, SavedTable

#: How many combinations of places are tried.
MOST = 16


def putting_back(move: TableMove, old: SavedTable, now: SavedTable) -> list[Edit]:
    """The edits that put the moved rules back, the most likely one first. Raises InTheWay.

    ``old`` is the table with the moved rules, as it was when they were taken out.
    """
    whole = (_whole_chain(move, name, old, now) for name in move.chains)
    chains = [[found] for found in whole if found]
    for name, texts in move.rules.items():
        if name not in move.chains:
            chains.append(list(_in_chain(name, texts, old, now)))
    chains = [_with_policy(move, old, now, choices) for choices in chains]
    named = {one.name for choices in chains for one in choices}
    for name in move.policies:
        if name not in named and (chain := now.chain(name)) and chain.policy != "DROP":
            rows = tuple(EditedRule(rule, EditKind.KEPT) for rule in chain.rules)
            same = ChainEdit(name=name, rows=rows)
            chains.append(_with_policy(move, old, now, [same]))
    edits = [
        Edit(now, tuple(one for one in chosen if _changes(one)))
        for chosen in islice(product(*chains), MOST)
    ]
    for edit in edits[:1]:
        _check_targets(edit, old)
    return edits


def _with_policy(
    move: TableMove, old: SavedTable, now: SavedTable, choices: list[ChainEdit]
) -> list[ChainEdit]:
    """The same with the policy that goes back, and its counters."""
    name = choices[0].name
    chain, before = now.chain(name), old.chain(name)
    if name not in move.policies or (chain and chain.policy == "DROP"):
        return choices
    counters = before.counters if before else "0:0"
    return [attrs.evolve(one, policy="DROP", counters=counters) for one in choices]


def _changes(edit: ChainEdit) -> bool:
    return bool(
        edit.created
        or edit.deleted
        or edit.policy
        or any(row.sign is not EditKind.KEPT for row in edit.rows)
    )


def _whole_chain(move: TableMove, name: str, old: SavedTable, now: SavedTable) -> ChainEdit | None:
    """A user-defined chain that has moved as a whole; None where it is there again already."""
    before, chain = old.chain(name), now.chain(name)
    rules = before.rules if before else ()
    if chain and chain.rules == rules:
        return None
    if chain and chain.rules:
        raise InTheWay(
            f"the chain {name} is there again, with rules that are not those of the plan: its owner"
            f" has written it: {chain.rules[0].text}: if the owner's rules are all there, there is"
            f" nothing to put back: delete the copy, with nft delete table {move.family.value}"
            f" {move.nft_table}"
        )
    rows = tuple(EditedRule(rule, EditKind.INSERTED) for rule in rules)
    return ChainEdit(name=name, rows=rows, created=chain is None)


def _check_targets(edit: Edit, old: SavedTable) -> None:
    """What comes may only jump to chains that are there."""
    there = {chain.name for chain in edit.result.chains}
    for chain in edit.chains:
        for row in chain.rows:
            target = target_of(row.rule.text) if row.sign is EditKind.INSERTED else ""
            if target not in there and old.chain(target):
                raise InTheWay(
                    f"the chain {target} is gone, and a rule that goes back jumps to it:"
                    f" {row.rule.text}"
                )


# --- places in a chain that has stayed ------------------------------------------------------------


@attrs.frozen
class _Run:
    """Rules that go back to one place, with what they stood between."""

    rules: tuple[SavedRule, ...]
    places: tuple[int, ...]  #: each a number of rules of the present chain that stand before it


def _in_chain(
    name: str, texts: Sequence[str], old: SavedTable, now: SavedTable
) -> Iterator[ChainEdit]:
    before = old.chain(name)
    chain = now.chain(name)
    if before is None:
        raise InTheWay(f"it was not recorded where the rules of the chain {name} stood")
    if chain is None and not before.built_in:
        raise InTheWay(f"the chain {name}, in which moved rules stood, is gone")
    present = chain.rules if chain else ()
    runs = list(_runs(before, texts, present))
    seen = False
    for places in islice(product(*(run.places for run in runs)), MOST):
        if list(places) == sorted(places):
            seen = True
            yield ChainEdit(name=name, rows=_merged(present, runs, places))
    if not seen:
        raise InTheWay(_other_order(name, runs[0].rules[0].text))


def _merged(
    present: Sequence[SavedRule], runs: Sequence[_Run], places: Sequence[int]
) -> tuple[EditedRule, ...]:
    rows: list[EditedRule] = []
    for number in range(len(present) + 1):
        for run, place in zip(runs, places, strict=True):
            if place == number:
                rows += (EditedRule(rule, EditKind.INSERTED) for rule in run.rules)
        rows += (EditedRule(rule, EditKind.KEPT) for rule in present[number : number + 1])
    return tuple(rows)


def _runs(before: SavedChain, texts: Sequence[str], present: Sequence[SavedRule]) -> Iterator[_Run]:
    """The rules that go back, in groups of those that stood side by side."""
    stood = [rule.text for rule in before.rules]
    at = _aligned(stood, [rule.text for rule in present])
    # Where its owner has written one again, at another place, it is there.
    there = Counter(rule.text for rule in present)
    again = {text for text, times in Counter(stood).items() if there[text] >= times}
    moved = frozenset(texts)
    missing = [
        text in moved and text not in again and number not in at
        for number, text in enumerate(stood)
    ]
    start = 0
    while start < len(stood):
        if not missing[start]:
            start += 1
            continue
        end = start
        while end < len(stood) and missing[end]:
            end += 1
        places = _places(before, start, end, at, present)
        yield _Run(before.rules[start:end], places)
        start = end


def _aligned(stood: Sequence[str], present: Sequence[str]) -> dict[int, int]:
    """The rules of the old chain that are there now in the same order, with their places now."""
    matcher = SequenceMatcher(None, stood, present, autojunk=False)
    return {
        one.a + offset: one.b + offset
        for one in matcher.get_matching_blocks()
        for offset in range(one.size)
    }


def _places(
    before: SavedChain,
    start: int,
    end: int,
    at: dict[int, int],
    present: Sequence[SavedRule],
) -> tuple[int, ...]:
    """Where the rules ``start`` to ``end`` can stand. Raises InTheWay where they have no anchor."""
    stood = [rule.text for rule in before.rules]
    first = stood[start]
    lowest = max((place + 1 for number, place in at.items() if number < start), default=0)
    highest = min((place for number, place in at.items() if number >= end), default=len(present))
    now = {rule.text for rule in present}
    beside = [number for number in (start - 1, end) if 0 <= number < len(stood)]
    lost = [number for number in beside if number not in at]
    if any(stood[number] in now for number in lost):
        raise InTheWay(_other_order(before.name, first))
    places = []
    if start - 1 in at:
        places.append(lowest)
    if end in at:
        places.append(highest)
    if start == 0:
        places.append(lowest)
    if end == len(stood):
        places.append(highest)
    if not places:
        raise InTheWay(
            f"the rules that a moved rule stood between are gone from the chain {before.name}:"
            f" {first} stood between {stood[start - 1]} and {stood[end]}"
        )
    return tuple(dict.fromkeys(places))


def _other_order(chain: str, rule: str) -> str:
    return (
        f"the rules of the chain {chain} are in another order now, and it is unknown where this"
        f" one belongs: {rule}"
    )
