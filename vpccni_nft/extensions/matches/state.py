"""state: the state of the packet's connection.

Kernel: net/netfilter/xt_conntrack.c; ``state`` is another name for ``conntrack --ctstate``, without
the bits SNAT and DNAT. Without a conntrack entry the state is INVALID, or UNTRACKED.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.values import Negatable
from ...iptables.ast import Match
from ...model.effects import Test
from .. import kinds as k
from ..extension import Extension
from ..placement import ANYWHERE
from ..shared.states import STATES, aim_states, has_state, lower_states, parse_list
from ..shared.words import negation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import View
    from ..context import Context
    from ..extension import Piece
    from ..options import Options


@attrs.frozen
class State(Match):
    """``-m state [!] --state LIST``."""

    states: Negatable[tuple[str, ...]]


def build(options: Options) -> State:
    """Read the options."""
    return State(options.required_negatable("--state", _parse_states))


def _parse_states(text: str) -> tuple[str, ...]:
    return parse_list(text, STATES)


def save(node: State) -> Iterator[str]:
    """Write the options."""
    yield from negation(node.states)
    yield from ("--state", ",".join(node.states.value))


def meaning(node: State, view: View) -> Test:
    """The packet's state is in the list."""
    return Test(has_state(view, node.states))


def lower(node: State, context: Context) -> tuple[Piece, ...]:
    """The same list."""
    return lower_states(node.states, leaves_chain=context.leaves_chain)


EXTENSION = Extension(
    name="state",
    node=State,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(State, k.negatable(k.Some(STATES))),
    aim=lambda node, draft: aim_states(node.states, draft),
    nft="ct state LIST",
    uses_conntrack=True,
)
