"""AUDIT: a record of the packet in the audit log, and on with the next rule.

Kernel: net/netfilter/xt_AUDIT.c. It writes the mark, the addresses and the protocol, as nft_log.c
does for the level ``audit``. What ``--type`` says is checked and not written (since Linux 4.12).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.packet import Event
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import choice
from ..option_table import Option, OptionTable
from ..placement import ANYWHERE

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context


TYPES = ("accept", "drop", "reject")


@attrs.frozen
class Audit(Target):
    """``-j AUDIT --type TYPE``."""

    type: str


def meaning(_node: Audit, _view: View) -> Effect:
    """A record of the kind NETFILTER_PKT."""
    return Effect(events=(Event("audit"),))


def lower(_node: Audit, _context: Context) -> tuple[s.Statement, ...]:
    """A record of the same kind."""
    return (s.Log(level="audit"),)


EXTENSION = Extension(
    name="AUDIT",
    node=Audit,
    options=OptionTable.of(Option("--type", choice(*TYPES), "type", required=True)),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(Audit, k.Among(TYPES)),
    nft="log level audit",
)
