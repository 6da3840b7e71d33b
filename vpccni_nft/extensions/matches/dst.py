"""dst: the destination options of IPv6.

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
class Dst(Match):
    """``-m dst`` with a length, with options, or with neither."""

    length: Negatable[int] | None = None  #: of the header, in bytes
    options: tuple[HeaderOption, ...] = ()


def build(options: Options) -> Dst:
    """Read the options."""
    return Dst(
        length=build_length(options, "--dst-len"), options=build_options(options, "--dst-opts")
    )


def save(node: Dst) -> Iterable[str]:
    """Write the options."""
    return save_header("dst", node.length, node.options)


def meaning(node: Dst, view: View) -> Test:
    """There is such a header, of that length, with those options."""
    return Test(header_fits(view, "dst", node.length, node.options))


def lower(node: Dst, context: Context) -> tuple[s.Match, ...]:
    """The header's length, or else whether it is there."""
    return lower_header(context, "dst", node.length, node.options)


EXTENSION = Extension(
    name="dst",
    node=Dst,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="exthdr dst exists, dst hdrlength",
    codes=(BAD_PLACE, NO_NFT_FORM),
)
