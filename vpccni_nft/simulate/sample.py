"""One packet through two rulesets: what happens on either side, and where they part.

Either side is iptables or nft: what is compared is the hook, with all its base chains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..iptables import ast as iptables
from ..model.concrete import Concrete
from ..model.hook import ROUTED_BY, outcome
from ..model.packet import ACCEPT, ANEW, ROUTED
from ..model.path import MADE_HERE, RECEIVED, Path, run_path
from ..semantics import iptables as iptables_meaning
from ..semantics import nft as nft_meaning

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..core.values import Family
    from ..model.concrete import Question
    from ..model.hook import BaseChain, Outcome
    from ..model.packet import State
    from ..nft import ast as nft

Chains = tuple["BaseChain", ...]


@attrs.frozen
class Packet:
    """A packet at a hook or on a path, and what the world answers about it.

    On a path ``hook`` is that which tells the path: ``forward``, ``input`` or ``output``. The
    device that a packet leaves by which is forwarded is what routing answers.
    """

    family: Family
    hook: str
    fields: Mapping[str, int]
    answers: Mapping[Question, int] = attrs.Factory(dict)
    seed: int = 0  #: for the answers that are not given
    on_path: bool = False  #: whether it goes through a whole path
    internal: int = 0  #: bits of the mark that no one outside looks at
    unrouted: int = 0  #: further bits that routing does not look at

    @property
    def path(self) -> Path:
        """The hooks that it goes through."""
        if not self.on_path:
            return Path.at(self.hook)
        return MADE_HERE if self.hook == "output" else RECEIVED

    def seen_as(self, other: Packet) -> Packet:
        """The same, with the bits of the mark that are seen of another one."""
        return attrs.evolve(self, internal=other.internal, unrouted=other.unrouted)

    @property
    def at_entry(self) -> Mapping[str, int]:
        """Its fields where it enters: what is received has no device to leave by."""
        return {**self.fields, "oif": 0} if self.path is RECEIVED else self.fields


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
    comes_to: Callable[[State, str], None] | None = None,
) -> Outcome:
    """Send a packet through a hook or a path; ``watch`` is called for each rule it comes to.

    ``comes_to`` is called at each hook of a path.
    """
    state = run_path(
        Concrete(packet.seed, packet.answers),
        packet.family,
        packet.path,
        chains,
        packet.at_entry,
        watch,
        internal=packet.internal,
        unrouted=packet.unrouted,
        comes_to=comes_to,
    )
    return outcome(state)


#: What routing has seen, among the names of what differs: a field, and this.
AT_ROUTING = " at routing"


def differences(before: Outcome, after: Outcome) -> dict[str, tuple[object, object]]:
    """What of two outcomes differs: both values, by what they are of.

    On a path only the first of these: what routing sees of the packet, unless it is dropped on both
    sides and nothing else shows; the verdict; everything else.
    """
    found = _all_differences(before, after)
    if not (before.routed or after.routed):
        return found
    routed = _seen_otherwise(before.routed, after.routed)
    if routed and (found.keys() - OWN_FIELDS or ACCEPT in {before.verdict, after.verdict}):
        return routed
    if "verdict" in found:
        return {"verdict": found["verdict"]}
    if "oif" in found:
        return {name: both for name, both in found.items() if name not in OF_THE_WAY}
    return found


def _seen_otherwise(
    before: Mapping[str, int], after: Mapping[str, int]
) -> dict[str, tuple[object, object]]:
    """What routing sees otherwise of a packet that it sees on both sides."""
    if before.get(ANEW) != after.get(ANEW):
        return {ANEW: (before[ANEW], after[ANEW])}
    if not all(side.get(ANEW, side.get(ROUTED)) for side in (before, after)):
        return {}
    return {
        f"{name}{AT_ROUTING}": (before[name], after[name])
        for name in ROUTED_BY
        if before[name] != after[name]
    }


#: Fields that only the model has: a binding says what they say.
OWN_FIELDS = frozenset({"snat_done", "dnat_done", "ct_template"})

#: Fields that are other ones where packets are forwarded.
OF_THE_WAY = frozenset({"ttl", "priority"})


def _all_differences(before: Outcome, after: Outcome) -> dict[str, tuple[object, object]]:
    found: dict[str, tuple[object, object]] = {}
    for name in ("verdict", "bindings", "events"):
        one, other = getattr(before, name), getattr(after, name)
        if one != other:
            found[name] = (one, other)
    for field, value in before.fields.items():
        if value != after.fields[field]:
            found[field] = (value, after.fields[field])
    return found
