"""One packet through two rulesets: what happens on either side, and where they part.

Either side is iptables or nft: what is compared is the hook, with all its base chains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..iptables import ast as iptables
from ..model.concrete import Concrete
from ..model.hook import outcome, run_hook
from ..semantics import iptables as iptables_meaning
from ..semantics import nft as nft_meaning

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..core.values import Family
    from ..model.concrete import Question
    from ..model.hook import BaseChain, Outcome
    from ..nft import ast as nft

Chains = tuple["BaseChain", ...]


@attrs.frozen
class Packet:
    """A packet at a hook, and what the world answers about it."""

    family: Family
    hook: str
    fields: Mapping[str, int]
    answers: Mapping[Question, int] = attrs.Factory(dict)
    seed: int = 0  #: for the answers that are not given


def chains_of(ruleset: iptables.Ruleset | nft.Ruleset, family: Family) -> Chains:
    """The base chains of a family's tables."""
    if isinstance(ruleset, iptables.Ruleset):
        sets = iptables_meaning.sets_of(ruleset)
        sharing = iptables_meaning.sharing_of(ruleset.tables, family)
        return tuple(
            chain
            for table in ruleset.tables
            if table.family is family
            for chain in iptables_meaning.base_chains(table, sets, sharing)
        )
    return tuple(
        chain
        for table in ruleset.tables
        if family in table.families
        for chain in nft_meaning.base_chains(table)
    )


def run(
    chains: Chains,
    packet: Packet,
    watch: Callable[[object, bool, bool], None] | None = None,
) -> Outcome:
    """Send a packet through a hook; ``watch`` is called for each rule that it comes to."""
    world = Concrete(packet.seed, packet.answers)
    return outcome(run_hook(world, packet.family, packet.hook, chains, packet.fields, watch))


def differences(before: Outcome, after: Outcome) -> dict[str, tuple[object, object]]:
    """What of two outcomes differs: both values, by what they are of."""
    found: dict[str, tuple[object, object]] = {}
    for name in ("verdict", "bindings", "events"):
        one, other = getattr(before, name), getattr(after, name)
        if one != other:
            found[name] = (one, other)
    for field, value in before.fields.items():
        if value != after.fields[field]:
            found[field] = (value, after.fields[field])
    return found
