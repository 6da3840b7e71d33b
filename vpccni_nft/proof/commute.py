"""Whether base chains of one priority do the same in any order."""

from __future__ import annotations

from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

from ..model.hook import Act, BaseChain, run_chain
from ..model.packet import NoMeaning
from .residue import CaseProver
from .split import PacketCase, by_case, results

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..model.packet import State
    from .chains import ChainComparison
    from .context import ProofContext
    from .order import Item
    from .term import Term

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
        orders = ((one, other), (other, one))
        return all(
            results(by_case(PacketCase.of_all(pairs.setting), partial(_agree, pairs, orders)))
        )
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


def _agree(pairs: ChainComparison, orders: Iterable[Iterable[BaseChain]], case: PacketCase) -> bool:
    """Whether base chains do the same in each of some orders, to the packets of a case."""
    one, other = (_outcome(pairs, case.setting, order) for order in orders)
    differs = case.setting.compare(one, other)
    if case.setting.facts:
        return CaseProver(case.setting, pairs.solver).is_unsat(differs)
    return pairs.is_unsat(differs)


def _outcome(
    pairs: ChainComparison, setting: ProofContext, chains: Iterable[BaseChain]
) -> dict[str, Term]:
    return setting.outcome(_run(pairs, setting, chains))


def _run(pairs: ChainComparison, setting: ProofContext, chains: Iterable[BaseChain]) -> State:
    state = setting.start(pairs.call)
    for chain in chains:
        run_chain(state, chain)
    return state


def _touched(pairs: ChainComparison, chain: BaseChain) -> set[str]:
    """The fields that a chain looks at or changes."""
    found = _outcome(pairs, pairs.setting, (chain,))
    reads = (pairs.setting.terms.dependence.reads(term) for term in found.values())
    return {*found, *frozenset().union(*reads)} & pairs.setting.fields.keys()
