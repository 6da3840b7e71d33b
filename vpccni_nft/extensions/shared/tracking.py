"""What the targets CT and NOTRACK share: a packet that conntrack has not seen yet.

Kernel: net/netfilter/xt_CT.c, xt_ct_target and notrack_tg.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.effects import Effect
from ...model.packet import STATE_BITS

if TYPE_CHECKING:
    from ...model.algebra import Bool
    from ...model.packet import State


def is_unseen(state: State) -> Bool:
    """``skb->_nfct == 0``: there is no connection, no template, and it is not notracked."""
    algebra = state.algebra
    return algebra.all(
        algebra.not_(state.has_entry),
        algebra.not_(state.is_("ct_state", STATE_BITS["untracked"])),
        state.is_("ct_template", 0),
    )


def untrack(state: State) -> Effect:
    """Keep a packet that was not seen yet out of conntrack; leave any other alone."""
    untracked = state.word("ct_state", STATE_BITS["untracked"])
    return Effect(assignments=((is_unseen(state), "ct_state", untracked),))
