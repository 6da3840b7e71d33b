"""hl: the hop limit of IPv6.

Kernel: net/netfilter/xt_hl.c, hl_mt6.
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
class Hl(Match):
    """``-m hl [!] --hl-eq NUMBER``, ``--hl-lt NUMBER`` or ``--hl-gt NUMBER``."""

    test: HopTest


def build(options: Options) -> Hl:
    """Read the options."""
    return Hl(build_hops(options, "hl"))


def save(node: Hl) -> Iterable[str]:
    """Write the options."""
    return save_hops("hl", node.test)


def meaning(node: Hl, view: View) -> Test:
    """As many hops are left."""
    return Test(hops_fit(view, node.test))


def lower(node: Hl, context: Context) -> tuple[s.Match, ...]:
    """The same comparison."""
    context.need_family("hl", Family.IP6)
    return lower_hops(x.Payload("ip6", "hoplimit"), node.test)


EXTENSION = Extension(
    name="hl",
    node=Hl,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="ip6 hoplimit",
    codes=(BAD_PLACE,),
)
