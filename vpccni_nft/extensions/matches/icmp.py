"""icmp: the type of an ICMP message, and its code.

Kernel: net/netfilter/xt_tcpudp.c, icmp_match. Type 255 stands for any message, whatever code stands
beside it. A fragment without a header does not match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...core.values import Negatable
from ...iptables.ast import Match
from ...iptables.protocols import ICMP
from ...model.effects import Test
from ..extension import Extension
from ..shared.compare import always_or_never
from ..shared.fragments import with_transport_header
from ..shared.message_types import MessageType, is_message, lower_message_type
from ..shared.words import negation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import View
    from ..context import Context
    from ..extension import Piece
    from ..options import Options

#: The type that means all of them.
ANY = 255


@attrs.frozen
class Icmp(Match):
    """``-m icmp [!] --icmp-type TYPE[/CODE]``; None is any message."""

    message: Negatable[MessageType | None]


def build(options: Options) -> Icmp:
    """Read the options."""
    return Icmp(options.required_negatable("--icmp-type", _parse_message))


def _parse_message(text: str) -> MessageType | None:
    if text == "any":
        return None
    message = MessageType.parse(text)
    return None if message.type == ANY else message


def save(node: Icmp) -> Iterator[str]:
    """Write the options."""
    yield from negation(node.message)
    yield from ("--icmp-type", str(node.message.value or "any"))


def meaning(node: Icmp, view: View) -> Test:
    """There is a header, and its message is the one, or is not after a ``!``."""
    state, wanted = view.state, node.message.value
    same = state.algebra.true if wanted is None else is_message(state, wanted)
    has_header = state.is_("fragment", 0)
    return Test(state.algebra.all(has_header, view.negate(same, negated=node.message.negated)))


def lower(node: Icmp, context: Context) -> tuple[Piece, ...]:
    """The same comparison, where there is a header."""
    context.need_protocol("icmp", ICMP)
    wanted, negated = node.message.value, node.message.negated
    if wanted is None:
        return (*with_transport_header(context), *always_or_never(holds=not negated))
    test = Negatable(wanted, negated)
    return (*with_transport_header(context), *lower_message_type("icmp", test))


EXTENSION = Extension(
    name="icmp",
    node=Icmp,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="icmp type, icmp code",
    codes=(BAD_PLACE,),
)
