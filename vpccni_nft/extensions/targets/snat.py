"""SNAT: the source of a connection becomes another address or port.

Kernel: net/netfilter/xt_nat.c, xt_snat_target_v2, in chains of the nat table that only
POSTROUTING and INPUT lead to. It ends the table for the packet, as accept does.
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
class Snat(Target):
    """``-j SNAT --to-source RANGE`` with its flags."""

    to: NatRange
    flags: NatFlags = NO_FLAGS


def build(options: Options) -> Snat:
    """Read the options."""
    return Snat(options.required("--to-source", NatRange.parse), NatFlags.build(options))


def save(node: Snat) -> Iterator[str]:
    """Write the options."""
    yield from ("--to-source", str(node.to))
    yield from node.flags.save()


def meaning(node: Snat, _view: View) -> Effect:
    """nf_nat_setup_info for the source, with the range as it stands."""
    return binding("snat", node.to, node.flags)


def lower(node: Snat, context: Context) -> tuple[s.Statement, ...]:
    """The statement of the same name."""
    return lower_nat("snat", node.to, node.flags, context)


EXTENSION = Extension(
    name="SNAT",
    node=Snat,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="snat to ADDRESSES:PORTS FLAGS",
    codes=(BAD_PLACE, NO_NFT_FORM),
    uses_conntrack=True,
)
