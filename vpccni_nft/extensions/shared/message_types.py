"""Types and codes of ICMP messages, which ``icmp`` and ``icmp6`` test alike.

Kernel: net/netfilter/xt_tcpudp.c, icmp_match and icmp6_match. Neither matches a fragment that has
no header.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.values import parse_integer
from ...nft import expressions as x
from ...nft import statements as s
from ..extension import AnyOf
from .compare import equality

if TYPE_CHECKING:
    from ...core.values import Negatable
    from ...model.algebra import Bool
    from ...model.packet import State
    from ..extension import Piece


@attrs.frozen
class MessageType:
    """A type, and a code where only that one is meant."""

    type: int
    code: int | None = None

    @classmethod
    def parse(cls, text: str) -> MessageType:
        """Read TYPE or TYPE/CODE; iptables-save prints numbers only.

        >>> MessageType.parse("3/4")
        MessageType(type=3, code=4)
        """
        type_text, slash, code_text = text.partition("/")
        code = parse_integer(code_text, 255) if slash else None
        return cls(parse_integer(type_text, 255), code)

    def __str__(self) -> str:
        return str(self.type) if self.code is None else f"{self.type}/{self.code}"


def is_message(state: State, wanted: MessageType) -> Bool:
    """Whether the message has the type, and the code where only that one is meant."""
    has_type = state.is_("icmp_type", wanted.type)
    if wanted.code is None:
        return has_type
    return state.algebra.all(has_type, state.is_("icmp_code", wanted.code))


def lower_message_type(header: str, test: Negatable[MessageType]) -> tuple[Piece, ...]:
    """Compare the type, and the code where there is one."""
    wanted = test.value
    sign = equality(negated=test.negated)
    by_type = _compare(header, "type", sign, wanted.type)
    if wanted.code is None:
        return (by_type,)
    type_fits = _compare(header, "type", "==", wanted.type)
    code = _compare(header, "code", sign, wanted.code)
    if not test.negated:
        return (type_fits, code)
    return (AnyOf(((by_type,), (type_fits, code))),)


def _compare(header: str, field: str, sign: str, number: int) -> s.Match:
    return s.Match(x.Payload(header, field), sign, x.Number(number))
