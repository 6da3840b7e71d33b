"""ULOG: give a copy of the packet to a program that listens, and on with the next rule.

Kernel: net/ipv4/netfilter/ipt_ULOG.c until Linux 3.16; NFLOG replaced it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...core.values import Family
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.packet import Event
from .. import kinds as k
from ..extension import Extension
from ..forms import number, text_of
from ..option_table import Option, OptionTable
from ..placement import Placement

if TYPE_CHECKING:
    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context

#: Bytes of a prefix (struct ipt_ulog_info), without the zero at its end.
PREFIX_LENGTH = 31
FULL = 0xFFFFFFFFFFFFFFFF


@attrs.frozen(kw_only=True)
class Ulog(Target):
    """``-j ULOG`` with its options."""

    prefix: str = ""
    group: int = 1
    copy_range: int = 0
    threshold: int = 1


def meaning(node: Ulog, _view: View) -> Effect:
    """The group is notified of the packet."""
    details = (node.group, node.prefix, node.copy_range, node.threshold)
    return Effect(events=(Event("ulog", details),))


def lower(_node: Ulog, context: Context) -> tuple[s.Statement, ...]:
    """There is no form, and no kernel that has nft's of today has this target."""
    raise context.refuse("Linux dropped ULOG in 3.17", "NFLOG replaced it")


EXTENSION = Extension(
    name="ULOG",
    node=Ulog,
    options=OptionTable.of(
        Option("--ulog-prefix", text_of("a log prefix", PREFIX_LENGTH), "prefix"),
        Option("--ulog-nlgroup", number(32), "group"),
        Option("--ulog-cprange", number(FULL), "copy_range"),
        Option("--ulog-qthreshold", number(50), "threshold"),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(family=Family.IP),
    draw=k.Build(
        Ulog,
        prefix=k.OneOf("", k.Quoted(PREFIX_LENGTH)),
        group=k.Integers(1, 32),
        copy_range=k.SHORT,
        threshold=k.Integers(1, 50),
    ),
    nft="none: gone since Linux 3.17",
    codes=(NO_NFT_FORM,),
)
