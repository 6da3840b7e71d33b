"""ACCEPT, DROP, RETURN: the verdicts of iptables itself.

Kernel: net/ipv4/netfilter/ip_tables.c, ipt_do_table, the standard target and XT_RETURN. In the nat
table ACCEPT means that this table binds nothing; iptables refuses DROP there, since that table sees
only the first packet of a connection.
"""

from __future__ import annotations

import attrs

from ...core.diagnostics import BAD_PLACE
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.packet import ACCEPT as ACCEPTED
from ...model.packet import DROP as DROPPED
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..placement import ANYWHERE, Placement


@attrs.frozen
class Accept(Target):
    """``-j ACCEPT``."""


@attrs.frozen
class Drop(Target):
    """``-j DROP``."""


@attrs.frozen
class Return(Target):
    """``-j RETURN``."""


ACCEPT = Extension(
    name="ACCEPT",
    what="done with the packet here; base chains of later priority still see it.",
    node=Accept,
    meaning=lambda _node, _view: Effect(verdict=ACCEPTED),
    lower=lambda _node, _context: (s.Accept(),),
    placement=ANYWHERE,
    draw=k.Build(Accept),
    nft="accept",
)

DROP = Extension(
    name="DROP",
    what="the end of the packet.",
    node=Drop,
    meaning=lambda _node, _view: Effect(verdict=DROPPED),
    lower=lambda _node, _context: (s.Drop(),),
    placement=Placement(tables=("filter", "mangle", "raw", "security")),
    draw=k.Build(Drop),
    nft="drop",
    codes=(BAD_PLACE,),
)

#: nft, too, gives a base chain's policy to a packet that returns from it.
RETURN = Extension(
    name="RETURN",
    what="back to the chain that called this one; in a built-in chain, to its policy.",
    node=Return,
    meaning=lambda _node, _view: Effect(returns=True),
    lower=lambda _node, _context: (s.Return(),),
    placement=ANYWHERE,
    draw=k.Build(Return),
    nft="return",
)
