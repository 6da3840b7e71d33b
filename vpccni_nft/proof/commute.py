"""Whether base chains of one priority do the same in any order."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from ..model.hook import Act, BaseChain, run_chain
from ..model.packet import NoMeaning

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..model.packet import State
    from .chains import ChainComparison
    from .order import Item
    from .terms import Term

#: What NAT looks at and changes besides what is known of the connection.
_TRANSLATED = {"saddr", "daddr", "sport", "dport", "snat_done", "dnat_done"}


def do_all_commute(
    pairs: ChainComparison, group: Iterable[Item], chains: Sequence[BaseChain]
) -> bool:
    """Whether what runs at one priority does the same in any order, for any packet in any state.

    ``chains`` are all base chains of the hook: nat chains run where NAT does.
    """
    try:
        return all(_commute(pairs, *two, chains) for two in combinations(group, 2))
    except NoMeaning:
        return False


def _commute(pairs: ChainComparison, one: Item, other: Item, chains: Sequence[BaseChain]) -> bool:
    if isinstance(one, BaseChain) and isinstance(other, BaseChain):
        found = (_outcome(pairs, order) for order in ((one, other), (other, one)))
        return pairs.is_unsat(pairs.setting.compare(*found))
    chain, act = (one, other) if isinstance(one, BaseChain) else (other, one)
    assert isinstance(chain, BaseChain)
    assert isinstance(act, Act)
    touched = _touched(pairs, chain)
    if any(field.startswith("ct_") for field in touched):
        return False
    if act is Act.CONNTRACK:
        return True
    nat = [one for one in chains if one.type == "nat"]
    return not touched & _TRANSLATED and all(_commute(pairs, chain, one, ()) for one in nat)


def _outcome(pairs: ChainComparison, chains: Iterable[BaseChain]) -> dict[str, Term]:
    return pairs.setting.outcome(_run(pairs, chains))


def _run(pairs: ChainComparison, chains: Iterable[BaseChain]) -> State:
    state = pairs.setting.start(pairs.call)
    for chain in chains:
        run_chain(state, chain)
    return state


def _touched(pairs: ChainComparison, chain: BaseChain) -> set[str]:
    """The fields that a chain looks at or changes."""
    found = _outcome(pairs, (chain,))
    reads = (pairs.setting.terms.dependence.reads(term) for term in found.values())
    return {*found, *frozenset().union(*reads)} & pairs.setting.fields.keys()
