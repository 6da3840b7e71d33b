"""HL: the hop limit of an IPv6 packet.

Kernel: net/netfilter/xt_HL.c, hl_tg6, in the mangle table only. ``--hl-inc`` ends at 255 and
``--hl-dec`` at 0. nft has no addition: it writes constants only.
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
class SetHl(Target):
    """``-j HL`` with one of its options."""

    change: Change


def build(options: Options) -> SetHl:
    """Read the option."""
    return SetHl(Change.build("hl", options))


def save(node: SetHl) -> tuple[str, ...]:
    """Write the option."""
    return node.change.save("hl")


def meaning(node: SetHl, view: View) -> Effect:
    """Set, or add or take away within eight bits."""
    return node.change.meaning(view)


def lower(node: SetHl, context: Context) -> tuple[s.Statement, ...]:
    """Set the field; there is no form for the other two."""
    context.need_table("HL", "mangle")
    return node.change.lower(Family.IP6, "HL", context)


EXTENSION = Extension(
    name="HL",
    node=SetHl,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="ip6 hoplimit set VALUE",
    codes=(
        BAD_PLACE,
        NO_NFT_FORM,
    ),
)
