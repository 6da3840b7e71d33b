"""NOTRACK: keep the packet out of connection tracking.

Kernel: net/netfilter/xt_CT.c, notrack_tg. A packet that has a connection already keeps it, in nft
too (nft_ct.c, nft_notrack_eval). For iptables 1.8 it is another name of ``CT --notrack``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...iptables.ast import Target
from ...nft import statements as s
from ..extension import Extension
from ..shared.tracking import untrack

if TYPE_CHECKING:
    from ...model.effects import Effect, View
    from ..context import Context
    from ..options import Options


@attrs.frozen
class Notrack(Target):
    """``-j NOTRACK``."""


def build(_options: Options) -> Notrack:
    """There are no options."""
    return Notrack()


def save(_node: Notrack) -> tuple[str, ...]:
    """There are no options."""
    return ()


def meaning(_node: Notrack, view: View) -> Effect:
    """IP_CT_UNTRACKED where conntrack has not seen the packet."""
    return untrack(view.state)


def lower(_node: Notrack, context: Context) -> tuple[s.Statement, ...]:
    """The statement of the same name."""
    context.need_table("NOTRACK", "raw")
    return (s.Notrack(),)


EXTENSION = Extension(
    name="NOTRACK",
    node=Notrack,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="notrack",
    codes=(BAD_PLACE,),
)
