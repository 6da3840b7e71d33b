"""REDIRECT: DNAT to this host: the address of the interface that the packet came in by.

Kernel: net/netfilter/xt_REDIRECT.c, in chains of the nat table that only PREROUTING and OUTPUT
lead to; nf_nat_redirect.c serves nft too. What this host sends goes to its loopback address.
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
class Redirect(Target):
    """``-j REDIRECT [--to-ports PORTS]`` with its flags."""

    ports: PortRange | None = None
    flags: NatFlags = NO_FLAGS


def build(options: Options) -> Redirect:
    """Read the options."""
    return Redirect(options.value("--to-ports", parse_ports), NatFlags.build(options))


def save(node: Redirect) -> Iterator[str]:
    """Write the options."""
    yield from save_ports(node.ports)
    yield from node.flags.save()


def meaning(node: Redirect, _view: View) -> Effect:
    """nf_nat_redirect: DNAT to the incoming interface's address, or to loopback in OUTPUT."""
    return binding("redirect", NatRange(ports=node.ports), node.flags)


def lower(node: Redirect, context: Context) -> tuple[s.Statement, ...]:
    """The statement of the same name."""
    return lower_nat("redirect", NatRange(ports=node.ports), node.flags, context)


EXTENSION = Extension(
    name="REDIRECT",
    node=Redirect,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="redirect to :PORTS FLAGS",
    codes=(BAD_PLACE,),
    uses_conntrack=True,
)
