"""icmp6: the type of an ICMPv6 message, and its code.

Kernel: net/netfilter/xt_tcpudp.c, icmp6_match. A fragment without a header does not match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...core.values import Negatable
from ...iptables.ast import Match
from ...iptables.protocols import ICMPV6
from ...model.effects import Test
from ..extension import Extension
from ..shared.fragments import with_transport_header
from ..shared.message_types import MessageType, is_message, lower_message_type
from ..shared.words import negatable_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import View
    from ..context import Context
    from ..extension import Piece
    from ..options import Options


@attrs.frozen
class Icmp6(Match):
    """``-m icmp6 [!] --icmpv6-type TYPE[/CODE]``."""

    message: Negatable[MessageType]


def build(options: Options) -> Icmp6:
    """Read the options."""
    return Icmp6(options.required_negatable("--icmpv6-type", MessageType.parse))


def save(node: Icmp6) -> Iterator[str]:
    """Write the options."""
    yield from negatable_option("--icmpv6-type", node.message)


def meaning(node: Icmp6, view: View) -> Test:
    """There is a header, and its message is the one, or is not after a ``!``."""
    state = view.state
    same = is_message(state, node.message.value)
    has_header = state.is_("fragment", 0)
    return Test(state.algebra.all(has_header, view.negate(same, negated=node.message.negated)))


def lower(node: Icmp6, context: Context) -> tuple[Piece, ...]:
    """The same comparison, where there is a header."""
    context.need_protocol("icmp6", ICMPV6)
    return (*with_transport_header(context), *lower_message_type("icmpv6", node.message))


EXTENSION = Extension(
    name="icmp6",
    node=Icmp6,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="icmpv6 type, icmpv6 code",
    codes=(BAD_PLACE,),
)
