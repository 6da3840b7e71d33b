"""TTL: the time to live of an IPv4 packet.

Kernel: net/netfilter/xt_HL.c, ttl_tg, in the mangle table only. ``--ttl-inc`` ends at 255 and
``--ttl-dec`` at 0. nft has no addition: it writes constants only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...core.values import Family
from ...iptables.ast import Target
from ..extension import Extension
from ..shared.hop_limit_target import Change

if TYPE_CHECKING:
    from ...model.effects import Effect, View
    from ...nft import statements as s
    from ..context import Context
    from ..options import Options


@attrs.frozen
class SetTtl(Target):
    """``-j TTL`` with one of its options."""

    change: Change


def build(options: Options) -> SetTtl:
    """Read the option."""
    return SetTtl(Change.build("ttl", options))


def save(node: SetTtl) -> tuple[str, ...]:
    """Write the option."""
    return node.change.save("ttl")


def meaning(node: SetTtl, view: View) -> Effect:
    """Set, or add or take away within eight bits."""
    return node.change.meaning(view)


def lower(node: SetTtl, context: Context) -> tuple[s.Statement, ...]:
    """Set the field; there is no form for the other two."""
    context.need_table("TTL", "mangle")
    return node.change.lower(Family.IP, "TTL", context)


EXTENSION = Extension(
    name="TTL",
    node=SetTtl,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="ip ttl set VALUE",
    codes=(
        BAD_PLACE,
        NO_NFT_FORM,
    ),
)
