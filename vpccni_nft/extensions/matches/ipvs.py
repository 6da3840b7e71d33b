"""ipvs: the packet's connection of the kernel's load balancer.

Kernel: net/netfilter/xt_ipvs.c, ipvs_mt. nft knows nothing of IPVS. (iptables-save writes
``--proto`` for what iptables reads as ``--vproto``.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind
from .. import kinds as k
from ..extension import Extension
from ..forms import WORD
from ..option_table import Option, OptionTable, at_least_one
from ..placement import ANYWHERE

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context
    from ..options import GivenOptions


@attrs.frozen
class Ipvs(Match):
    """``-m ipvs``; its options are kept as they are written, for nothing is made of them."""

    words: tuple[str, ...]


_OPTIONS = OptionTable.of(
    Option("--ipvs", negatable=True),
    Option("--proto", WORD, "words", negatable=True),
    Option("--vproto", WORD, "words", negatable=True),
    Option("--vaddr", WORD, "words", negatable=True),
    Option("--vport", WORD, "words", negatable=True),
    Option("--vdir", WORD, "words"),
    Option("--vmethod", WORD, "words", negatable=True),
    Option("--vportctl", WORD, "words", negatable=True),
    at_least_one(
        "--ipvs", "--proto", "--vproto", "--vaddr", "--vport", "--vdir", "--vmethod", "--vportctl"
    ),
)


def build(options: GivenOptions) -> Ipvs:
    """Keep the options."""
    _OPTIONS.read(options)
    return Ipvs(options.words())


def meaning(node: Ipvs, view: View) -> Test:
    """Whatever the world answers."""
    return Test(view.says(Oracle(OracleKind.VIRTUAL_SERVICE, parameters=(" ".join(node.words),))))


def lower(_node: Ipvs, context: Context) -> tuple[()]:
    """Refuse."""
    raise context.refuse("nft does not know the load balancer IPVS")


EXTENSION = Extension(
    name="ipvs",
    node=Ipvs,
    options=_OPTIONS,
    build=build,
    save=lambda node: node.words,
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
