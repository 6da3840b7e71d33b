"""NFLOG: give a copy of the packet to a program that listens to a group, and on.

Kernel: net/netfilter/xt_NFLOG.c. It calls nf_log_packet with a group, as nft_log.c does.
``--nflog-range`` is without effect: the kernel cuts packets only where ``--nflog-size`` says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_OPTION, LOG_PREFIX, Problem
from ...core.values import parse_integer
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.packet import Event
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..placement import ANYWHERE
from ..shared.prefixes import lower_prefix, parse_prefix
from ..shared.words import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import View
    from ..context import Context
    from ..options import Options

#: Bytes of a prefix (struct xt_nflog_info).
PREFIX_LENGTH = 63


@attrs.frozen(kw_only=True)
class Nflog(Target):
    """``-j NFLOG`` with its options."""

    group: int = 0
    prefix: str = ""
    size: int | None = None  #: the most bytes of a packet that are given
    range: int = 0
    threshold: int = 0  #: packets that are given at once; 0: as the program says


def build(options: Options) -> Nflog:
    """Read the options."""
    size = options.value("--nflog-size", lambda text: parse_integer(text, 0xFFFFFFFF))
    length = options.value("--nflog-range", lambda text: parse_integer(text, 0xFFFFFFFF)) or 0
    if size is not None and length:
        message = "NFLOG takes --nflog-size or --nflog-range"
        raise Problem(BAD_OPTION, message, span=options.span)
    return Nflog(
        group=options.value("--nflog-group", lambda text: parse_integer(text, 0xFFFF)) or 0,
        prefix=options.value("--nflog-prefix", _parse_prefix) or "",
        size=size,
        range=length,
        threshold=options.value("--nflog-threshold", lambda text: parse_integer(text, 0xFFFF)) or 0,
    )


def _parse_prefix(text: str) -> str:
    return parse_prefix(text, PREFIX_LENGTH)


def save(node: Nflog) -> Iterator[str]:
    """Write the options in libxt_NFLOG's order."""
    if node.prefix:
        yield from ("--nflog-prefix", quote(node.prefix))
    if node.group:
        yield from ("--nflog-group", str(node.group))
    if node.size is not None:
        yield from ("--nflog-size", str(node.size))
    elif node.range:
        yield from ("--nflog-range", str(node.range))
    if node.threshold:
        yield from ("--nflog-threshold", str(node.threshold))


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
    "prefix": k.OneOf("", k.Quoted(PREFIX_LENGTH)),
    "threshold": k.SHORT,
}


EXTENSION = Extension(
    name="NFLOG",
    node=Nflog,
    build=build,
    save=save,
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
