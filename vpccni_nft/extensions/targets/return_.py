"""RETURN: back to the chain that called this one; in a built-in chain, to its policy.

Kernel: net/ipv4/netfilter/ip_tables.c, ipt_do_table, XT_RETURN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...iptables.ast import Target
from ...model.effects import Effect
from ...nft import statements as s
from ..extension import Extension

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context
    from ..options import Options


@attrs.frozen
class Return(Target):
    """``-j RETURN``."""


def build(_options: Options) -> Return:
    """There are no options."""
    return Return()


def save(_node: Return) -> tuple[str, ...]:
    """There are no options."""
    return ()


def meaning(_node: Return, _view: View) -> Effect:
    """XT_RETURN: back to the caller, or to the policy where there is none."""
    return Effect(returns=True)


def lower(_node: Return, _context: Context) -> tuple[s.Statement, ...]:
    """The same verdict: nft, too, gives a base chain's policy to a packet that returns from it."""
    return (s.Return(),)


EXTENSION = Extension(
    name="RETURN",
    node=Return,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="return",
)
