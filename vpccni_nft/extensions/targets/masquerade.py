"""MASQUERADE: SNAT to an address of the interface that the packet leaves by.

Kernel: net/netfilter/xt_MASQUERADE.c, in chains of the nat table that only POSTROUTING leads to.
The connections of an interface that goes down are forgotten, by nft's masquerade too
(nf_nat_masquerade.c serves both).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...iptables.ast import Target
from ..extension import Extension
from ..shared.nat import NO_FLAGS, NatFlags, NatRange, binding, lower_nat, parse_ports, save_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...core.values import PortRange
    from ...model.effects import Effect, View
    from ...nft import statements as s
    from ..context import Context
    from ..options import Options


@attrs.frozen
class Masquerade(Target):
    """``-j MASQUERADE [--to-ports PORTS]`` with its flags."""

    ports: PortRange | None = None
    flags: NatFlags = NO_FLAGS


def build(options: Options) -> Masquerade:
    """Read the options."""
    return Masquerade(options.value("--to-ports", parse_ports), NatFlags.build(options))


def save(node: Masquerade) -> Iterator[str]:
    """Write the options."""
    yield from save_ports(node.ports)
    yield from node.flags.save()


def meaning(node: Masquerade, _view: View) -> Effect:
    """nf_nat_masquerade_ipv4: SNAT to the first address of the outgoing interface."""
    return binding("masquerade", NatRange(ports=node.ports), node.flags)


def lower(node: Masquerade, context: Context) -> tuple[s.Statement, ...]:
    """The statement of the same name."""
    return lower_nat("masquerade", NatRange(ports=node.ports), node.flags, context)


EXTENSION = Extension(
    name="MASQUERADE",
    node=Masquerade,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="masquerade to :PORTS FLAGS",
    codes=(BAD_PLACE,),
    uses_conntrack=True,
)
