"""hbh: the hop-by-hop options of IPv6.

Kernel: net/ipv6/netfilter/ip6t_hbh.c, hbh_mt6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...iptables.ast import Match
from ...model.effects import Test
from ..extension import Extension
from ..shared.option_headers import (
    HeaderOption,
    build_length,
    build_options,
    header_fits,
    lower_header,
    save_header,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...core.values import Negatable
    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context
    from ..options import Options


@attrs.frozen(kw_only=True)
class Hbh(Match):
    """``-m hbh`` with a length, with options, or with neither."""

    length: Negatable[int] | None = None  #: of the header, in bytes
    options: tuple[HeaderOption, ...] = ()


def build(options: Options) -> Hbh:
    """Read the options."""
    return Hbh(
        length=build_length(options, "--hbh-len"), options=build_options(options, "--hbh-opts")
    )


def save(node: Hbh) -> Iterable[str]:
    """Write the options."""
    return save_header("hbh", node.length, node.options)


def meaning(node: Hbh, view: View) -> Test:
    """There is such a header, of that length, with those options."""
    return Test(header_fits(view, "hbh", node.length, node.options))


def lower(node: Hbh, context: Context) -> tuple[s.Match, ...]:
    """The header's length, or else whether it is there."""
    return lower_header(context, "hbh", node.length, node.options)


EXTENSION = Extension(
    name="hbh",
    node=Hbh,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="exthdr hbh exists, hbh hdrlength",
    codes=(BAD_PLACE, NO_NFT_FORM),
)
