"""DNPT: another prefix for the destination of an IPv6 packet, without state (RFC 6296).

Kernel: net/ipv6/netfilter/ip6t_NPT.c, in the mangle table, in chains that only
PREROUTING and OUTPUT lead to. One 16-bit word of the address is changed besides, by what keeps
the checksum as it was. That is a sum, and nft has no addition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...iptables.ast import Target
from ..extension import Extension
from ..shared.npt import NO_SUM, Prefixes

if TYPE_CHECKING:
    from ...model.effects import Effect, View
    from ...nft import statements as s
    from ..context import Context
    from ..options import Options


@attrs.frozen
class Dnpt(Target):
    """``-j DNPT --src-pfx OLD --dst-pfx NEW``."""

    prefixes: Prefixes


def build(options: Options) -> Dnpt:
    """Read the options."""
    return Dnpt(Prefixes.build(options))


def save(node: Dnpt) -> tuple[str, ...]:
    """Write the options."""
    return node.prefixes.save()


def meaning(node: Dnpt, view: View) -> Effect:
    """The prefix is another one, and a word of the address as well."""
    return node.prefixes.meaning("daddr", view)


def lower(_node: Dnpt, context: Context) -> tuple[s.Statement, ...]:
    """There is no form."""
    context.need_table("DNPT", "mangle")
    raise context.refuse(NO_SUM)


EXTENSION = Extension(
    name="DNPT",
    node=Dnpt,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="none: nft cannot keep a checksum as it was",
    codes=(
        BAD_PLACE,
        NO_NFT_FORM,
    ),
)
