"""A hook: all base chains of two sides, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..semantics.hook import NAT_PRIORITIES, run_hook
from ..semantics.packet import CONNTRACK_PRIORITY
from .chains import Names, Pairs, Part
from .generic import packets_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..semantics.hook import BaseChain
    from ..semantics.symbolic import Model, Solver
    from ..semantics.terms import Term
    from .generic import Setting

#: Fields that only the model has, which say what bindings say.
_OWN_FIELDS = {"snat_done", "dnat_done", "ct_template"}


@attrs.define
class Hook:
    """The base chains of two sides at one hook."""

    setting: Setting
    solver: Solver
    before: Sequence[BaseChain]
    after: Sequence[BaseChain]
    pairs: Pairs = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        sides = (self.before, self.after)
        programs = [dict.fromkeys(chain.program for chain in side) for side in sides]
        before, after = map(Names, programs)
        self.pairs = Pairs(self.setting, self.solver, before, after)

    def is_alike(self) -> bool:
        """Whether the base chains mean the same one by one."""
        before, after = (_in_order(side) for side in (self.before, self.after))
        if [_place(chain) for chain in before] != [_place(chain) for chain in after]:
            return False
        return all(self._is_alike(one, other) for one, other in zip(before, after, strict=True))

    def _is_alike(self, one: BaseChain, other: BaseChain) -> bool:
        names = self.pairs.before.of(one.program, one.name)
        if names == self.pairs.after.of(other.program, other.name):
            return self.pairs.prove(*names) is not None
        mine, theirs = (
            Part(base.program, base.name, range(len(base.program.rules(base.name))))
            for base in (one, other)
        )
        return self.pairs.compare(f"{one.name} and {other.name}", mine, theirs) is not None

    def difference(self, *, inside: bool) -> Model | None:
        """A packet to which something else happens; None if there is none.

        With ``inside`` chains that mean the same are gone through all the same: without, what they
        do can be anything, and the packet may be none. Raises Undecided.
        """
        one, other = (self._run(side, inside=inside) for side in (self.before, self.after))
        differing = self.setting.compare(one, other)
        if differing is self.setting.terms.false:
            return None
        return self.solver.find(differing, packets_at(self.setting))

    def _run(self, side: Sequence[BaseChain], *, inside: bool) -> dict[str, Term]:
        setting = self.setting
        state = run_hook(
            setting.terms,
            setting.family,
            setting.hook,
            side,
            setting.fields,
            calls=None if inside else self.pairs.call,
        )
        found = setting.outcome(state)
        return {name: term for name, term in found.items() if name not in _OWN_FIELDS}


def at_hook(chains: Sequence[BaseChain], hook: str) -> list[BaseChain]:
    """The base chains of a hook that do something."""
    return [
        chain
        for chain in chains
        if chain.hook == hook and (chain.policy_drops or chain.program.rules(chain.name))
    ]


def _in_order(chains: Sequence[BaseChain]) -> list[BaseChain]:
    return sorted(chains, key=lambda chain: (_turn(chain), chain.priority))


def _turn(chain: BaseChain) -> int:
    return NAT_PRIORITIES[chain.hook] if chain.type == "nat" else chain.priority


def _place(chain: BaseChain) -> tuple[object, ...]:
    """What must be the same of two base chains, so that only their rules matter.

    Between which acts of the kernel they run: conntrack and NAT.
    """
    turn = _turn(chain)
    acts = [CONNTRACK_PRIORITY] if chain.hook in {"prerouting", "output"} else []
    acts += [NAT_PRIORITIES[chain.hook]] if chain.hook in NAT_PRIORITIES else []
    return chain.type, chain.policy_drops, [turn >= act for act in acts]
