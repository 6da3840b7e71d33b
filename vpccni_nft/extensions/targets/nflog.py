"""NFLOG: give a copy of the packet to a program that listens to a group, and on.

Kernel: net/netfilter/xt_NFLOG.c. It calls nf_log_packet with a group, as nft_log.c does.
``--nflog-range`` is without effect: the kernel cuts packets only where ``--nflog-size`` says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import LOG_PREFIX
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.packet import Event
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import NUMBER, number, text_of
from ..option_table import Option, OptionTable, at_most_one
from ..placement import ANYWHERE
from ..shared.prefixes import lower_prefix

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context

#: Bytes of a prefix: in iptables-nft, which writes nft's statement, and in struct xt_nflog_info.
PREFIX_LENGTH, LEGACY_PREFIX_LENGTH = 127, 63


@attrs.frozen(kw_only=True)
class Nflog(Target):
    """``-j NFLOG`` with its options."""

    group: int = 0
    prefix: str = ""
    size: int | None = None  #: the most bytes of a packet that are given
    range: int = 0
    threshold: int = 0  #: packets that are given at once; 0: as the program says


def meaning(node: Nflog, _view: View) -> Effect:
    """nf_log_packet with NF_LOG_TYPE_ULOG."""
    return Effect(events=(Event("nflog", (node.group, node.prefix, node.size, node.threshold)),))


def lower(node: Nflog, context: Context) -> tuple[s.Statement, ...]:
    """The statement with a group."""
    prefix = lower_prefix(node.prefix, context)
    log = s.Log(prefix, group=node.group, snaplen=node.size, threshold=node.threshold or None)
    return (log,)


_FIELDS = {
    "group": k.SHORT,
    "prefix": k.OneOf("", k.Quoted(LEGACY_PREFIX_LENGTH)),
    "threshold": k.SHORT,
}


EXTENSION = Extension(
    name="NFLOG",
    node=Nflog,
    options=OptionTable.of(
        Option("--nflog-prefix", text_of("a log prefix", PREFIX_LENGTH), "prefix"),
        Option("--nflog-group", number(0xFFFF), "group"),
        Option("--nflog-size", NUMBER, "size"),
        Option("--nflog-range", NUMBER, "range"),
        Option("--nflog-threshold", number(0xFFFF), "threshold"),
        at_most_one("--nflog-size", "--nflog-range"),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.OneOf(
        k.Build(Nflog, size=k.maybe(k.Integers(0, k.FULL)), **_FIELDS),
        k.Build(Nflog, range=k.Integers(0, k.FULL), **_FIELDS),
    ),
    nft='log prefix "..." group N snaplen N queue-threshold N',
    codes=(LOG_PREFIX,),
)
