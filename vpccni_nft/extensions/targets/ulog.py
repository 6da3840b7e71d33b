"""ULOG: give a copy of the packet to a program that listens, and on with the next rule.

Kernel: net/ipv4/netfilter/ipt_ULOG.c until Linux 3.16; NFLOG took its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...core.values import Family, parse_integer
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.packet import Event
from .. import kinds as k
from ..extension import Extension
from ..placement import Placement
from ..shared.prefixes import parse_prefix
from ..shared.words import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context
    from ..options import Options

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


def build(options: Options) -> Ulog:
    """Read the options."""
    group = options.value("--ulog-nlgroup", lambda text: parse_integer(text, 32))
    threshold = options.value("--ulog-qthreshold", lambda text: parse_integer(text, 50))
    return Ulog(
        prefix=options.value("--ulog-prefix", _parse_prefix) or "",
        group=1 if group is None else group,
        copy_range=options.value("--ulog-cprange", lambda text: parse_integer(text, FULL)) or 0,
        threshold=1 if threshold is None else threshold,
    )


def _parse_prefix(text: str) -> str:
    return parse_prefix(text, PREFIX_LENGTH)


def save(node: Ulog) -> Iterator[str]:
    """Write the options in libipt_ULOG's order; the usual values are not printed."""
    if node.prefix:
        yield from ("--ulog-prefix", quote(node.prefix))
    if node.group != 1:
        yield from ("--ulog-nlgroup", str(node.group))
    if node.copy_range:
        yield from ("--ulog-cprange", str(node.copy_range))
    if node.threshold != 1:
        yield from ("--ulog-qthreshold", str(node.threshold))


def meaning(node: Ulog, _view: View) -> Effect:
    """The group is told of the packet."""
    told = (node.group, node.prefix, node.copy_range, node.threshold)
    return Effect(events=(Event("ulog", told),))


def lower(_node: Ulog, context: Context) -> tuple[s.Statement, ...]:
    """There is no form, and no kernel that has nft's of today has this target."""
    raise context.refuse("Linux has no ULOG since 3.17", "NFLOG took its place")


EXTENSION = Extension(
    name="ULOG",
    node=Ulog,
    build=build,
    save=save,
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
