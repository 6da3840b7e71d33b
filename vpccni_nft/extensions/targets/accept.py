"""ACCEPT: done with the packet here; base chains of later priority still see it.

Kernel: net/ipv4/netfilter/ip_tables.c, ipt_do_table, the standard target. In the nat table it
means that this table binds nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.packet import ACCEPT
from ...nft import statements as s
from ..extension import Extension

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context
    from ..options import Options


@attrs.frozen
class Accept(Target):
    """``-j ACCEPT``."""


def build(_options: Options) -> Accept:
    """There are no options."""
    return Accept()


def save(_node: Accept) -> tuple[str, ...]:
    """There are no options."""
    return ()


def meaning(_node: Accept, _view: View) -> Effect:
    """NF_ACCEPT: the end of this table."""
    return Effect(verdict=ACCEPT)


def lower(_node: Accept, _context: Context) -> tuple[s.Statement, ...]:
    """The same verdict."""
    return (s.Accept(),)


EXTENSION = Extension(
    name="ACCEPT",
    node=Accept,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="accept",
)
