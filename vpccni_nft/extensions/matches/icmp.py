"""icmp, icmp6: the type of an ICMP or ICMPv6 message, and its code.

Kernel: net/netfilter/xt_tcpudp.c, icmp_match and icmp6_match. Type 255 of ICMP means any message,
whatever its code. A fragment without a header does not match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...core.values import Family, Negatable, parse_integer
from ...iptables.ast import Match
from ...iptables.protocols import ICMP, ICMPV6
from ...model.effects import Test
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import AnyOf, Extension
from ..option_table import Form, Option, OptionTable
from ..placement import Placement
from ..shared.compare import always_or_never, equality
from ..shared.fragments import with_transport_header
from ..shared.value_names import ICMP_TYPES, ICMPV6_TYPES, by_beginning

if TYPE_CHECKING:
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece

#: The type that means all of them.
ANY = 255


@attrs.frozen
class MessageType:
    """A type, and a code where only that one is meant."""

    type: int
    code: int | None = None

    @classmethod
    def parse(cls, text: str) -> MessageType:
        """Read TYPE or TYPE/CODE in numbers.

        >>> MessageType.parse("3/4")
        MessageType(type=3, code=4)
        """
        type_text, slash, code_text = text.partition("/")
        code = parse_integer(code_text, 255) if slash else None
        return cls(parse_integer(type_text, 255), code)

    def __str__(self) -> str:
        return str(self.type) if self.code is None else f"{self.type}/{self.code}"


@attrs.frozen
class Icmp(Match):
    """``-m icmp [!] --icmp-type TYPE[/CODE]``; None is any message."""

    message: Negatable[MessageType | None]


@attrs.frozen
class Icmp6(Match):
    """``-m icmp6 [!] --icmpv6-type TYPE[/CODE]``."""

    message: Negatable[MessageType]


def _parse_message(text: str) -> MessageType | None:
    text = by_beginning(text, ICMP_TYPES)
    if text == "any":
        return None
    message = MessageType.parse(text)
    return None if message.type == ANY else message


def _parse_message6(text: str) -> MessageType:
    return MessageType.parse(by_beginning(text, ICMPV6_TYPES))


def meaning(node: Icmp | Icmp6, view: View) -> Test:
    """There is a header, and its message is the one, or is not after a ``!``."""
    state, wanted = view.state, node.message.value
    same = state.algebra.true
    if wanted is not None:
        same = state.is_("icmp_type", wanted.type)
        if wanted.code is not None:
            same = state.algebra.all(same, state.is_("icmp_code", wanted.code))
    has_header = state.is_("fragment", 0)
    return Test(state.algebra.all(has_header, view.negate(same, negated=node.message.negated)))


def _lower_icmp(node: Icmp, context: Context) -> tuple[Piece, ...]:
    wanted, negated = node.message.value, node.message.negated
    if wanted is None:
        return (*with_transport_header(context), *always_or_never(holds=not negated))
    test = Negatable(wanted, negated)
    return (*with_transport_header(context), *_compare_message("icmp", test))


def _lower_icmp6(node: Icmp6, context: Context) -> tuple[Piece, ...]:
    return (*with_transport_header(context), *_compare_message("icmpv6", node.message))


def _compare_message(header: str, test: Negatable[MessageType]) -> tuple[Piece, ...]:
    """Compare the type, and the code where there is one."""
    wanted = test.value
    sign = equality(negated=test.negated)
    by_type = _compare_field(header, "type", sign, wanted.type)
    if wanted.code is None:
        return (by_type,)
    type_fits = _compare_field(header, "type", "==", wanted.type)
    code = _compare_field(header, "code", sign, wanted.code)
    if not test.negated:
        return (type_fits, code)
    return (AnyOf(((by_type,), (type_fits, code))),)


def _compare_field(header: str, field: str, sign: str, number: int) -> s.Match:
    return s.Match(x.Payload(header, field), sign, x.Number(number))


def _message_types(largest: int) -> k.ValueKind:
    return k.Build(MessageType, k.Integers(0, largest), k.maybe(k.BYTE))


def aim(node: Icmp | Icmp6, draft: Draft) -> None:
    """Such a message; after a ``!`` one of another type."""
    if wanted := node.message.value:
        draft.fit("icmp_type", Negatable(wanted.type, node.message.negated))
        if wanted.code is not None:
            draft.fields["icmp_code"] = wanted.code


def _edges(node: Icmp | Icmp6) -> dict[str, object]:
    return {"icmp_type": node.message, "icmp_code": node.message}


ICMP4 = Extension(
    name="icmp",
    what="the type of an ICMP message, and its code.",
    node=Icmp,
    options=OptionTable.of(
        Option(
            "--icmp-type",
            Form("TYPE[/CODE]", _parse_message, lambda message: str(message or "any")),
            "message",
            negatable=True,
            required=True,
        )
    ),
    meaning=meaning,
    lower=_lower_icmp,
    placement=Placement(family=Family.IP, protocols=(ICMP,)),
    draw=k.Build(Icmp, k.negatable(k.OneOf(_message_types(254), _message_types(254), None))),
    aim=aim,
    edges=_edges,
    nft="icmp type, icmp code",
    codes=(BAD_PLACE,),
)

ICMP6 = Extension(
    name="icmp6",
    what="the type of an ICMPv6 message, and its code.",
    node=Icmp6,
    options=OptionTable.of(
        Option(
            "--icmpv6-type",
            Form("TYPE[/CODE]", _parse_message6),
            "message",
            negatable=True,
            required=True,
        )
    ),
    meaning=meaning,
    lower=_lower_icmp6,
    placement=Placement(family=Family.IP6, protocols=(ICMPV6,)),
    draw=k.Build(Icmp6, k.negatable(_message_types(255))),
    aim=aim,
    edges=_edges,
    nft="icmpv6 type, icmpv6 code",
    codes=(BAD_PLACE,),
)
