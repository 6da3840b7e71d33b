"""ttl: the time to live of IPv4.

Kernel: net/netfilter/xt_hl.c, ttl_mt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...core.values import Family
from ...iptables.ast import Match
from ...model.effects import Test
from ...nft import expressions as x
from ..extension import Extension
from ..shared.hop_limit_match import HopTest, build_hops, hops_fit, lower_hops, save_hops

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context
    from ..options import Options


@attrs.frozen
class Ttl(Match):
    """``-m ttl [!] --ttl-eq NUMBER``, ``--ttl-lt NUMBER`` or ``--ttl-gt NUMBER``."""

    test: HopTest


def build(options: Options) -> Ttl:
    """Read the options."""
    return Ttl(build_hops(options, "ttl"))


def save(node: Ttl) -> Iterable[str]:
    """Write the options."""
    return save_hops("ttl", node.test)


def meaning(node: Ttl, view: View) -> Test:
    """As many hops are left."""
    return Test(hops_fit(view, node.test))


def lower(node: Ttl, context: Context) -> tuple[s.Match, ...]:
    """The same comparison."""
    context.need_family("ttl", Family.IP)
    return lower_hops(x.Payload("ip", "ttl"), node.test)


EXTENSION = Extension(
    name="ttl",
    node=Ttl,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="ip ttl",
    codes=(BAD_PLACE,),
)
