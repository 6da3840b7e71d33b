"""DNAT: the destination of a connection becomes another address or port.

Kernel: net/netfilter/xt_nat.c, xt_dnat_target_v2, in chains of the nat table that only
PREROUTING and OUTPUT lead to. It ends the table for the packet, as accept does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...iptables.ast import Target
from ..extension import Extension
from ..shared.nat import NO_FLAGS, NatFlags, NatRange, binding, lower_nat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import Effect, View
    from ...nft import statements as s
    from ..context import Context
    from ..options import Options


@attrs.frozen
class Dnat(Target):
    """``-j DNAT --to-destination RANGE`` with its flags."""

    to: NatRange
    flags: NatFlags = NO_FLAGS


def build(options: Options) -> Dnat:
    """Read the options."""
    return Dnat(options.required("--to-destination", NatRange.parse), NatFlags.build(options))


def save(node: Dnat) -> Iterator[str]:
    """Write the options."""
    yield from ("--to-destination", str(node.to))
    yield from node.flags.save()


def meaning(node: Dnat, _view: View) -> Effect:
    """nf_nat_setup_info for the destination, with the range as it stands."""
    return binding("dnat", node.to, node.flags)


def lower(node: Dnat, context: Context) -> tuple[s.Statement, ...]:
    """The statement of the same name."""
    return lower_nat("dnat", node.to, node.flags, context)


EXTENSION = Extension(
    name="DNAT",
    node=Dnat,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="dnat to ADDRESSES:PORTS FLAGS",
    codes=(BAD_PLACE, NO_NFT_FORM),
    uses_conntrack=True,
)
