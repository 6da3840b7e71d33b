"""tos: the type of service of IPv4 and the traffic class of IPv6, masked.

Kernel: net/netfilter/xt_dscp.c, tos_mt. Matches where ``(tos & mask) == value``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.values import Family, Negatable, parse_integer
from ...iptables.ast import Match
from ...model.effects import Test
from ...nft import expressions as x
from ...nft import statements as s
from ...nft.expressions import NETWORK_HEADER
from .. import kinds as k
from ..edges import around
from ..extension import Extension
from ..option_table import Form, Option, OptionTable
from ..placement import ANYWHERE
from ..shared.compare import always_or_never, equality
from ..shared.value_names import tos_text

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context

FULL, DSCP, ECN = 0xFF, 0xFC, 0x03


@attrs.frozen
class MaskedTos:
    """A value, and the bits that count."""

    value: int
    mask: int = FULL

    @classmethod
    def parse(cls, text: str) -> MaskedTos:
        """Read VALUE/MASK, or VALUE as kernels without masks print it.

        >>> MaskedTos.parse("0x10/0x3f")
        MaskedTos(value=16, mask=63)
        """
        value, slash, mask = tos_text(text).partition("/")
        return cls(parse_integer(value, FULL), parse_integer(mask, FULL) if slash else FULL)

    def __str__(self) -> str:
        return f"0x{self.value:02x}/0x{self.mask:02x}"


@attrs.frozen
class Tos(Match):
    """``-m tos [!] --tos VALUE[/MASK]``."""

    tos: Negatable[MaskedTos]


def meaning(node: Tos, view: View) -> Test:
    """``(tos & mask) == value``."""
    tos = node.tos.value
    same = view.state.is_("tos", tos.value, tos.mask)
    return Test(view.negate(same, negated=node.tos.negated))


def lower(node: Tos, context: Context) -> tuple[s.Match, ...]:
    """The same comparison, by nft's own fields where the mask is one of them."""
    value, mask, negated = node.tos.value.value, node.tos.value.mask, node.tos.negated
    if value & ~mask:
        return always_or_never(holds=negated)
    if not mask:
        return always_or_never(holds=not negated)
    header, sign = NETWORK_HEADER[context.family], equality(negated=negated)
    dscp = s.Match(x.Payload(header, "dscp"), sign, x.Number(value >> 2))
    ecn = s.Match(x.Payload(header, "ecn"), sign, x.Number(value & ECN))
    if mask == DSCP:
        return (dscp,)
    if mask == ECN:
        return (ecn,)
    if mask == FULL and not negated:
        return (dscp, ecn)
    return (_compare_bits(context.family, value, mask, sign),)


def _compare_bits(family: Family, value: int, mask: int, sign: str) -> s.Match:
    """Compare the bits at their place: the second byte, or in IPv6 the second four bits and on."""
    if family is Family.IP:
        field: x.Expression = x.RawPayload("nh", 8, 8)
        masked = field if mask == FULL else x.Binary("&", field, x.Hex(mask))
        wanted = x.Hex(value)
    else:
        masked = x.Binary("&", x.RawPayload("nh", 0, 16), x.Hex(mask << 4))
        wanted = x.Hex(value << 4)
    if mask == FULL:
        # nft lists two fields that differ from one value as if both had to differ. It lists a
        # lookup among all other values as it is.
        others = x.all_but(wanted, 8) if family is Family.IP else x.all_but(wanted, 12, 1 << 4)
        return s.Match(masked, "==", others)
    return s.Match(masked, sign, wanted)


def _draw(mask: int) -> k.ValueKind:
    inside = k.BYTE.map(lambda value: MaskedTos(value & mask, mask))
    return k.Build(Tos, k.negatable(inside | k.Build(MaskedTos, k.BYTE, mask)))


EXTENSION = Extension(
    name="tos",
    node=Tos,
    options=OptionTable.of(
        Option("--tos", Form("VALUE[/MASK]", MaskedTos.parse), "tos", negatable=True, required=True)
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=(k.Among((0xFF, 0xFC, 0x3F, 0x03, 0x1E, 0)) | k.BYTE).then(_draw),
    aim=lambda node, draft: draft.fit_bits(
        "tos", node.tos.value.value, node.tos.value.mask, negated=node.tos.negated
    ),
    edges=lambda node: {"tos": around(node.tos.value.value)},
    nft="ip dscp, ip ecn, @nh,8,8 & MASK == VALUE",
)
