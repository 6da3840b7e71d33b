"""SECMARK: the security mark of the packet.

Kernel: net/netfilter/xt_SECMARK.c, in the tables mangle and security. The name of a security
context is looked up when the rule is loaded, and a kernel whose policy does not have it refuses the
rule. nft does so for an object of the table, and then refuses the table as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.packet import Event
from .. import kinds as k
from ..extension import Extension
from ..forms import text_of
from ..option_table import Option, OptionTable
from ..placement import Placement

if TYPE_CHECKING:
    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context

#: Bytes of a context (SECMARK_SECCTX_MAX).
CONTEXT_LENGTH = 255


@attrs.frozen
class SecMark(Target):
    """``-j SECMARK --selctx CONTEXT``."""

    context: str


def meaning(node: SecMark, _view: View) -> Effect:
    """Security marks are no fields of packets here."""
    return Effect(events=(Event("security mark", ("set", node.context)),))


def lower(_node: SecMark, context: Context) -> tuple[s.Statement, ...]:
    """There is no form that loads wherever the rest of the table does."""
    raise context.refuse(
        "a security mark of nft is an object that only a kernel with the same SELinux policy loads"
    )


EXTENSION = Extension(
    name="SECMARK",
    node=SecMark,
    options=OptionTable.of(
        Option(
            "--selctx",
            text_of("a security context", CONTEXT_LENGTH, text=str),
            "context",
            required=True,
        )
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(tables=("mangle", "security")),
    draw=k.Build(SecMark, k.Unquoted(CONTEXT_LENGTH)),
    nft="none: depends on the SELinux policy",
    codes=(
        BAD_PLACE,
        NO_NFT_FORM,
    ),
)
