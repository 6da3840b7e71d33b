"""SNPT, DNPT: another prefix for the source or the destination, without state (RFC 6296).

Kernel: net/ipv6/netfilter/ip6t_NPT.c, in the mangle table: SNPT in chains that only INPUT and
POSTROUTING lead to, DNPT in those of PREROUTING and OUTPUT. One 16-bit word of the address is
changed besides, by what keeps the checksum as it was. That is a sum, and nft has no addition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...core.values import Family, Network
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.oracle import Oracle, OracleKind
from .. import kinds as k
from ..extension import Extension
from ..forms import PREFIX
from ..option_table import Option, OptionTable
from ..placement import Placement

if TYPE_CHECKING:
    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context


@attrs.frozen
class NptPrefixes:
    """``--src-pfx OLD --dst-pfx NEW``."""

    old: Network
    new: Network


@attrs.frozen
class Snpt(Target):
    """``-j SNPT --src-pfx OLD --dst-pfx NEW``."""

    prefixes: NptPrefixes


@attrs.frozen
class Dnpt(Target):
    """``-j DNPT --src-pfx OLD --dst-pfx NEW``."""

    prefixes: NptPrefixes


def _map(field: str, prefixes: NptPrefixes, view: View) -> Effect:
    """ip6t_npt_map_pfx: the world knows which address comes out of it."""
    address = view.state.fields[field]
    written = tuple(PREFIX.text(one) for one in (prefixes.old, prefixes.new))
    mapped = view.ask(
        Oracle(OracleKind.MAPPED_PREFIX, parameters=written),
        address,
        width=prefixes.new.family.bits,
    )
    return Effect(assignments=((view.state.algebra.true, field, mapped),))


def _lower(_node: Snpt | Dnpt, context: Context) -> tuple[s.Statement, ...]:
    raise context.refuse("nft has no addition, by which NPT keeps the checksum as it was")


_PREFIX = k.PREFIX.of(Family.IP6)
_PREFIXES = k.Build(NptPrefixes, _PREFIX, _PREFIX)


_OPTIONS = OptionTable.of(
    Option("--src-pfx", PREFIX, "prefixes.old", required=True),
    Option("--dst-pfx", PREFIX, "prefixes.new", required=True),
)

SNPT = Extension(
    name="SNPT",
    what="another prefix for the source of an IPv6 packet, without state (RFC 6296).",
    node=Snpt,
    options=_OPTIONS,
    meaning=lambda node, view: _map("saddr", node.prefixes, view),
    lower=_lower,
    placement=Placement(family=Family.IP6, tables=("mangle",), hooks=("INPUT", "POSTROUTING")),
    draw=k.Build(Snpt, _PREFIXES),
    nft="none: nft cannot keep a checksum as it was",
    codes=(BAD_PLACE, NO_NFT_FORM),
)

DNPT = Extension(
    name="DNPT",
    what="another prefix for the destination of an IPv6 packet, without state (RFC 6296).",
    node=Dnpt,
    options=_OPTIONS,
    meaning=lambda node, view: _map("daddr", node.prefixes, view),
    lower=_lower,
    placement=Placement(family=Family.IP6, tables=("mangle",), hooks=("PREROUTING", "OUTPUT")),
    draw=k.Build(Dnpt, _PREFIXES),
    nft="none: nft cannot keep a checksum as it was",
    codes=(BAD_PLACE, NO_NFT_FORM),
)
