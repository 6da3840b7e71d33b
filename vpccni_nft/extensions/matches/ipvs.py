"""ipvs: the packet's connection of the kernel's load balancer.

Kernel: net/netfilter/xt_ipvs.c, ipvs_mt. nft knows nothing of IPVS. (iptables-save writes
``--proto`` for what iptables reads as ``--vproto``.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_OPTION, NO_NFT_FORM, Problem
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind
from .. import kinds as k
from ..extension import Extension
from ..placement import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import View
    from ..context import Context
    from ..options import Options


@attrs.frozen
class Ipvs(Match):
    """``-m ipvs``; its options are kept as they are written, for nothing is made of them."""

    words: tuple[str, ...]


def build(options: Options) -> Ipvs:
    """Keep the options."""
    if not options.given:
        raise Problem(BAD_OPTION, "ipvs needs an option", span=options.span)
    return Ipvs(options.words())


def save(node: Ipvs) -> Iterator[str]:
    """Write the options."""
    yield from node.words


def meaning(node: Ipvs, view: View) -> Test:
    """Whatever the world answers."""
    return Test(view.says(Oracle(OracleKind.VIRTUAL_SERVICE, parameters=(" ".join(node.words),))))


def lower(_node: Ipvs, context: Context) -> tuple[()]:
    """Refuse."""
    raise context.refuse("nft knows nothing of the load balancer IPVS")


EXTENSION = Extension(
    name="ipvs",
    node=Ipvs,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(
        Ipvs,
        k.Among(
            (
                ("--ipvs",),
                ("!", "--ipvs"),
                ("--proto", "6", "--vaddr", "10.0.0.1", "--vport", "80", "--vdir", "REPLY"),
                ("--vproto", "6", "!", "--vmethod", "MASQ", "--vportctl", "21"),
            )
        ),
    ),
    aim=lambda node, draft: draft.answer_all(lambda view: meaning(node, view), 1),
    nft="none: nft knows nothing of IPVS",
    codes=(NO_NFT_FORM,),
)
