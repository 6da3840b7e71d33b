"""NETMAP: the first bits of an address become others, the rest of it stays.

Kernel: net/netfilter/xt_NETMAP.c, in the nat table: DNAT where PREROUTING or OUTPUT leads here,
SNAT where INPUT or POSTROUTING does. It binds the connection to one address and leaves the ports
to nf_nat_setup_info. nft_nat.c does the same for ``prefix`` (nft_nat_setup_netmap), but for IPv4 it
marks a connection as translated whose address is in the network already (measured on Linux 6.18):
such an address is bound to itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...core.values import Address, Family, Network
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.packet import Binding
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import PREFIX
from ..option_table import Option, OptionTable
from ..placement import Placement

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context

#: What the packets of each built-in chain of the nat table are bound by.
KINDS = {"PREROUTING": "dnat", "OUTPUT": "dnat", "INPUT": "snat", "POSTROUTING": "snat"}


@attrs.frozen
class Netmap(Target):
    """``-j NETMAP --to NETWORK``."""

    to: Network


def meaning(node: Netmap, view: View) -> Effect:
    """HOOK2MANIP decides which end is bound."""
    network = node.to
    last = network.address | network.family.all_ones ^ network.mask
    kind = "dnat" if view.state.hook in {"prerouting", "output"} else "snat"
    bound = Binding(kind, (network.address, last), flags=frozenset({"netmap"}))
    return Effect(binding=bound)


def lower(node: Netmap, context: Context) -> tuple[s.Statement, ...]:
    """The statement for the one end that all hooks above the chain bind."""
    kinds = {KINDS[hook] for hook in context.hooks} or {"dnat"}
    if len(kinds) > 1:
        raise context.refuse(
            "nft rewrites either the source or the destination, and this chain sees packets of"
            " both kinds",
            "split the chain into one for PREROUTING and OUTPUT and one for the other two",
        )
    network, kind = node.to, kinds.pop()
    address = Address(network.family, network.address)
    assert network.length is not None
    if network.length == network.family.bits:
        return (s.Nat(kind, x.Host(address)),)
    own = x.Payload("ip", "daddr" if kind == "dnat" else "saddr")
    if network.family is Family.IP and not network.length:
        return (s.Nat(kind, own),)
    prefix = x.Prefix(address, network.length)
    mapped = (s.Nat(kind, prefix, prefix=True),)
    if network.family is Family.IP6:
        return mapped
    stays = (s.Match(own, "==", prefix), s.Nat(kind, own))
    name = f"netmap-{kind}-{address}-{network.length}"
    return (s.Jump(context.helper(name, stays, mapped)),)


EXTENSION = Extension(
    name="NETMAP",
    node=Netmap,
    options=OptionTable.of(Option("--to", PREFIX, "to", required=True)),
    meaning=meaning,
    lower=lower,
    placement=Placement(tables=("nat",)),
    draw=k.Build(Netmap, k.PREFIX),
    nft="dnat|snat prefix to NETWORK; dnat|snat to ADDRESS",
    codes=(
        BAD_PLACE,
        NO_NFT_FORM,
    ),
    uses_conntrack=True,
)
