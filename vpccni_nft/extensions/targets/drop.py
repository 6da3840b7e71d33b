"""DROP: the end of the packet.

Kernel: net/ipv4/netfilter/ip_tables.c, ipt_do_table, the standard target. iptables refuses it in
the nat table, which sees only the first packet of a connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.packet import DROP
from ...nft import statements as s
from ..extension import Extension

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context
    from ..options import Options


@attrs.frozen
class Drop(Target):
    """``-j DROP``."""


def build(_options: Options) -> Drop:
    """There are no options."""
    return Drop()


def save(_node: Drop) -> tuple[str, ...]:
    """There are no options."""
    return ()


def meaning(_node: Drop, _view: View) -> Effect:
    """NF_DROP: the end of the hook."""
    return Effect(verdict=DROP)


def lower(_node: Drop, context: Context) -> tuple[s.Statement, ...]:
    """The same verdict."""
    context.need_table("DROP", "filter", "mangle", "raw", "security")
    return (s.Drop(),)


EXTENSION = Extension(
    name="DROP",
    node=Drop,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="drop",
    codes=(BAD_PLACE,),
)
