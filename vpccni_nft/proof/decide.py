"""A path or a hook in every order that its base chains may run in.

Orders that make no difference, because the base chains commute, are one. Where every order of one
side is like one order of the other one, and the other way round, all are alike.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import NO_MEANING, ORDER_MATTERS, TOO_MANY_ORDERS, Diagnostic
from ..model.packet import DEFRAG_PRIORITY, HELPER_PRIORITY
from .acceptance import NOTHING, Acceptances
from .answers import HookStatus
from .budget import GaveUp
from .commute import do_all_commute
from .hooks import PathComparison, at_hook
from .order import MOST, ChainOrder, Ties, describe, groups_at, run_the_same
from .search import Decision, search
from .symbolic import Undecided

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from ..model.hook import BaseChain
    from ..model.known_node import KnownNode
    from ..model.path import Path
    from .chains import ChainComparison
    from .context import ProofContext
    from .order import Arrangement, Item
    from .side import Side
    from .symbolic import Solver

_HINT = (
    "say in which order base chains of one priority run: --order takes a list, what nft list hooks"
    " prints, or same, where it is the same on both sides"
)

_SAME_HINT = (
    "where the order is the same on both sides nothing differs: --order same says that it is; or"
    " say the order itself, as a list or as what nft list hooks prints"
)

#: That each packet is treated the same, but for those of which what differs is accepted.
_NOTHING_LEFT = {HookStatus.EQUAL, HookStatus.ACCEPTED}
_EARLIER = "give the chain a priority below 300"

_LATER = "give the chain a priority above -400, where conntrack reassembles them"

#: One order of either side.
_Orders = tuple["Arrangement", "Arrangement"]


@attrs.frozen
class PathSearch:
    """A path of two sides, or a hook."""

    path: Path
    pairs: Mapping[str, ChainComparison]  #: of each hook
    solver: Solver
    before: Side
    after: Side
    #: All base chains of either side, at any hook.
    ours: Sequence[BaseChain]
    theirs: Sequence[BaseChain]
    internal: int = 0  #: bits of the mark that no one outside looks at
    node: KnownNode | None = None  #: what is known of the node that both sides are on
    accept: Acceptances = NOTHING  #: differences that the caller accepts
    progress: Callable[[str], None] = lambda _: None  #: takes how far the search is
    #: Hooks at which no order makes a difference, as is known.
    settled: Collection[str] = ()
    #: Whether packets are looked at case by case where many rules ask for different values.
    splits: bool = attrs.field(default=True, kw_only=True)

    @property
    def setting(self) -> ProofContext:
        """Packets where they enter."""
        return self.pairs[self.path.entry].setting

    @property
    def place(self) -> str:
        """The family and the path or hook, for a reader."""
        return f"{self.setting.family.title} {self.path.name}"

    def in_order(self, orders: _Orders, most: int, *, first: bool = False) -> Decision:
        """Decide it in one order of either side; with ``first`` one packet is enough."""
        before, after = orders
        turns = _turns(self.ours, before), _turns(self.theirs, after)
        compared = PathComparison(
            self.path, self.setting, self.solver, before, after, self.pairs, turns,
            self.internal, self.node, self.accept, self.progress, splits=self.splits,
        )  # fmt: skip
        return search(compared, self.before, self.after, most, first=first)


def decide(hook: PathSearch, order: ChainOrder, most: int, *, first: bool = False) -> Decision:
    """Decide a hook in every order that is possible; with ``first`` one packet is enough."""
    try:
        sides = [_Side.of(hook, chains, order) for chains in (hook.ours, hook.theirs)]
    except GaveUp as given_up:
        return Decision(reasons=(given_up.reason,))
    except Undecided:
        sides = []
    if not sides or not all(side.orders for side in sides):
        message = f"{hook.place}: base chains of one priority may run in more than {MOST} orders"
        return Decision(reasons=(Diagnostic(TOO_MANY_ORDERS, message, hint=_HINT),))
    before, after = sides
    every = (*hook.ours, *hook.theirs)
    here = [chain for name in hook.path.hooks for chain in at_hook(every, name)]
    unseen = () if hook.setting.fragments else tuple(filter(None, map(_out_of_reach, here)))
    if unseen:
        where, hint = unseen[0]
        message = f"{hook.place}: a base chain runs {where}"
        return Decision(reasons=(Diagnostic(NO_MEANING, message, hint=hint),))
    usual, *others = _pairs_of(before.orders, after.orders, order)
    decision = hook.in_order(usual, most, first=first)
    tied = any(side.groups for side in sides)
    if not tied or decision.status is HookStatus.UNDECIDED:
        return decision
    if decision.status is HookStatus.EQUAL and order.ties is not Ties.SAME:
        # Each order of one side with the first one of the other side: the rest follows, unless
        # something differs that is accepted.
        few = [(one, usual[1]) for one in before.orders if one is not usual[0]]
        few += [(usual[0], one) for one in after.orders if one is not usual[1]]
        statuses = {hook.in_order(orders, 1, first=True).status for orders in few}
        if statuses <= {HookStatus.EQUAL}:
            others = []
    if len(others) >= MOST:
        message = f"{hook.place}: base chains of both sides may run in more than {MOST} orders"
        return Decision(reasons=(Diagnostic(TOO_MANY_ORDERS, message, hint=_HINT),))
    for orders in others:
        other = hook.in_order(orders, 1, first=True)
        if other.status is HookStatus.UNDECIDED:
            return other
        if other.status in _NOTHING_LEFT and decision.status in _NOTHING_LEFT:
            decision = attrs.evolve(decision, accepted=(*decision.accepted, *other.accepted))
        elif other.status is not decision.status:
            hint = _SAME_HINT if _is_equal_in_one_order(hook, before, after, order) else _HINT
            why = _matters(hook, sides, usual, orders, decision.status)
            return Decision(reasons=(attrs.evolve(why, hint=hint),))
    return attrs.evolve(decision, order=_sentence(sides, order, usual))


def _is_equal_in_one_order(
    hook: PathSearch, before: _Side, after: _Side, order: ChainOrder
) -> bool:
    """Whether nothing differs in any order that both sides have."""
    if order.ties is Ties.SAME:
        return False
    same = [one for one in product(before.orders, after.orders) if run_the_same(*one)]
    if not same or len(same) > MOST:
        return False
    return all(hook.in_order(one, 1, first=True).status is HookStatus.EQUAL for one in same)


def _out_of_reach(chain: BaseChain) -> tuple[str, str] | None:
    """Why a base chain sees packets that the model does not have, and what to do.

    Kernel: nf_defrag_ipv4.c and nf_conntrack_proto.c. Nat chains run where NAT does.
    """
    if chain.type == "nat":
        return None
    if chain.hook in {"prerouting", "output"} and chain.priority <= DEFRAG_PRIORITY:
        return "before fragments are reassembled", _LATER
    if chain.hook in {"input", "postrouting"} and chain.priority >= HELPER_PRIORITY:
        return "behind conntrack's helpers, which may change packets", _EARLIER
    return None


@attrs.frozen
class _Side:
    """A side's base chains on a path."""

    groups: tuple[tuple[Item, ...], ...]  #: what runs at one priority of a hook
    deciding: tuple[tuple[Item, ...], ...]  #: those whose order matters
    orders: list[Arrangement]  #: empty where they are too many

    @classmethod
    def of(cls, path: PathSearch, chains: Sequence[BaseChain], order: ChainOrder) -> _Side:
        hooks = [cls._at(path, hook, chains, order) for hook in path.path.hooks]
        count = prod(len(one.orders) for one in hooks)
        return cls(
            tuple(group for one in hooks for group in one.groups),
            tuple(group for one in hooks for group in one.deciding),
            [
                tuple(chain for arranged in chosen for chain in arranged)
                for chosen in product(*(one.orders for one in hooks))
            ]
            if count <= MOST
            else [],
        )

    @classmethod
    def _at(
        cls, path: PathSearch, hook: str, chains: Sequence[BaseChain], order: ChainOrder
    ) -> _Side:
        here = at_hook(chains, hook)
        if not here:
            return cls((), (), [()])
        pairs = path.pairs[hook]
        groups = tuple(groups_at(here))
        deciding = groups
        if hook in path.settled:
            deciding = ()
        elif order.ties is not Ties.GIVEN:
            deciding = tuple(
                one
                for one in groups
                if order.settles(one, pairs.setting.family, hook)
                or not do_all_commute(pairs, one, here)
            )
        return cls(groups, deciding, order.arrangements(here, deciding, pairs.setting.family))


def _pairs_of(
    before: Sequence[Arrangement], after: Sequence[Arrangement], order: ChainOrder
) -> list[_Orders]:
    """The orders of both sides together, first one where both have the same."""
    found = list(product(before, after))
    same = [one for one in found if run_the_same(*one)]
    if order.ties is Ties.SAME:
        return same or found
    return [*same, *(one for one in found if one not in same)]


def _turns(every: Sequence[BaseChain], arranged: Arrangement) -> tuple[int, ...]:
    known = {(one.program, one.name): one.turn for one in arranged}
    return tuple(known.get((one.program, one.name), one.turn) for one in every)


def _sentence(sides: Sequence[_Side], order: ChainOrder, orders: _Orders) -> str:
    """Which orders were looked at."""
    count = max(len(side.orders) for side in sides)
    if order.ties is Ties.GIVEN:
        return "base chains of one priority run in the order in which they were given"
    if order.ties is Ties.REGISTERED:
        return "of base chains of one priority the last one that is given runs first"
    if not any(side.deciding for side in sides):
        return "the order of base chains of one priority makes no difference"
    if count == 1:
        said = dict.fromkeys(_said(side, one) for side, one in zip(sides, orders, strict=True))
        return f"base chains run in the order that is said: {' / '.join(filter(None, said))}"
    alike = ", the same one on both sides" if order.ties is Ties.SAME else ""
    return f"base chains of one priority run in any order{alike}: all {count} were tried"


def _said(side: _Side, arrangement: Arrangement) -> str:
    return describe(arrangement, side.deciding)


def _matters(
    hook: PathSearch, sides: Sequence[_Side], first: _Orders, other: _Orders, status: HookStatus
) -> Diagnostic:
    """In one order something differs, and in another one nothing."""
    equal, differing = (first, other) if status in _NOTHING_LEFT else (other, first)
    said = [
        " / ".join(_said(side, one) or "one order" for side, one in zip(sides, orders, strict=True))
        for orders in (equal, differing)
    ]
    return Diagnostic(
        ORDER_MATTERS,
        f"{hook.place}: nothing differs where base chains run in the order {said[0]}, and something"
        f" does in the order {said[1]}",
        hint=_HINT,
    )
