"""state: the state of the packet's connection.

Kernel: net/netfilter/xt_conntrack.c; ``state`` is another name for ``conntrack --ctstate``, without
the bits SNAT and DNAT. Without a conntrack entry the state is INVALID, or UNTRACKED.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...iptables.ast import Match
from ...model.effects import Test
from .. import kinds as k
from ..extension import Extension
from ..forms import list_of
from ..option_table import Option, OptionTable
from ..placement import ANYWHERE
from ..shared.states import STATES, aim_states, has_state, lower_states

if TYPE_CHECKING:
    from ...core.values import Negatable
    from ...model.effects import View
    from ..context import Context
    from ..extension import Piece


@attrs.frozen
class State(Match):
    """``-m state [!] --state LIST``."""

    states: Negatable[tuple[str, ...]]


def meaning(node: State, view: View) -> Test:
    """The packet's state is in the list."""
    return Test(has_state(view, node.states))


def lower(node: State, context: Context) -> tuple[Piece, ...]:
    """The same list."""
    return lower_states(node.states, leaves_chain=context.leaves_chain)


EXTENSION = Extension(
    name="state",
    node=State,
    options=OptionTable.of(
        Option("--state", list_of(STATES), "states", negatable=True, required=True)
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(State, k.negatable(k.Some(STATES))),
    aim=lambda node, draft: aim_states(node.states, draft),
    nft="ct state LIST",
    uses_conntrack=True,
)
