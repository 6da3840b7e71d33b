"""ah: the security parameters index of an authentication header, and in IPv6 its length.

Kernel: net/ipv4/netfilter/ipt_ah.c and net/ipv6/netfilter/ip6t_ah.c. IPv4's is for packets of the
protocol; IPv6's looks for the header among the extension headers, whatever the protocol behind it.
nft takes the header for the transport header in both families. A fragment without the header does
not match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...core.values import Family, Negatable
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import header_field
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import NUMBER
from ..option_table import Option, OptionTable, unless
from ..placement import ANYWHERE, Placement
from ..shared.compare import always_or_never, equality
from ..shared.fragments import with_transport_header
from ..shared.number_ranges import NumberRange, compare_range, in_range, range_option, refuse_bare

if TYPE_CHECKING:
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece

PROTOCOL = 51


@attrs.frozen(kw_only=True)
class Ah(Match):
    """``-m ah`` with any of its options, or with none."""

    spi: Negatable[NumberRange] | None = None
    length: Negatable[int] | None = None  #: of the header in bytes; IPv6 only
    reserved: bool = False  #: whether the reserved field must be zero; IPv6 only


def meaning(node: Ah, view: View) -> Test:
    """There is such a header, with an index, a length and a reserved field as asked."""
    state, algebra = view.state, view.state.algebra
    fits = [
        state.is_("protocol", PROTOCOL),
        state.is_("fragment", 0),
        in_range(view, view.ask(header_field("ah", "spi"), width=32), node.spi, 32),
    ]
    if node.length and node.length.value:
        # ipv6_authlen: the field counts words of four bytes, without the first two.
        words, odd = divmod(node.length.value, 4)
        same = algebra.false
        if not odd and 2 <= words < 258:
            same = algebra.equal(
                view.ask(header_field("ah", "hdrlength"), width=8), algebra.const(words - 2, 8)
            )
        fits.append(view.negate(same, negated=node.length.negated))
    if node.reserved:
        fits.append(
            algebra.equal(view.ask(header_field("ah", "reserved"), width=16), algebra.const(0, 16))
        )
    return Test(algebra.all(*fits))


def lower(node: Ah, context: Context) -> tuple[Piece, ...]:
    """The same comparisons, where there is a header."""
    if node == Ah():
        raise refuse_bare(context, "ah", "--ahspi")
    if context.family is Family.IP:
        is_ah: tuple[s.Match, ...] = ()
    elif context.protocol not in (None, PROTOCOL):
        raise context.refuse(
            "ip6tables takes the protocol from behind the authentication header; to nft the"
            " protocol is the header itself",
            "without -p the rule can be translated",
        )
    else:
        is_ah = (s.Match(x.Meta("l4proto"), "==", x.Protocol(PROTOCOL)),)
    fits = (
        *compare_range(x.Payload("ah", "spi"), node.spi, 32),
        *_lower_length(node.length),
        *_lower_reserved(node),
    )
    return (*is_ah, *with_transport_header(context), *fits)


def _lower_length(test: Negatable[int] | None) -> tuple[s.Match, ...]:
    if not test or not test.value:
        return ()
    field, rest = test.value // 4 - 2, test.value % 4
    if rest or not 0 <= field <= 255:
        return always_or_never(holds=test.negated)
    length = x.Payload("ah", "hdrlength")
    return (s.Match(length, equality(negated=test.negated), x.Number(field)),)


def _lower_reserved(node: Ah) -> tuple[s.Match, ...]:
    if not node.reserved:
        return ()
    return (s.Match(x.Payload("ah", "reserved"), "==", x.Number(0)),)


def _needs(node: Ah, family: Family) -> Placement:
    """The match of IPv4 is for protocol 51 and compares the index only (ipt_ah.c)."""
    if family is Family.IP6:
        return ANYWHERE
    if node.length or node.reserved:
        return Placement(family=Family.IP6, subject="ah with --ahlen or --ahres")
    return Placement(protocols=(PROTOCOL,))


def aim(node: Ah, draft: Draft) -> None:
    """A header that fits."""
    draft.fields["protocol"] = PROTOCOL
    draft.answer_fit(header_field("ah", "spi"), node.spi, 32)
    draft.answer(header_field("ah", "reserved"), 0)
    if node.length:
        words = node.length.value // 4 - 2 + node.length.negated
        draft.answer(header_field("ah", "hdrlength"), words & 0xFF)


EXTENSION = Extension(
    name="ah",
    node=Ah,
    options=OptionTable.of(
        range_option(
            "--ahspi", "spi"
        ),  # The kernel takes zero for "any length", and iptables-save leaves it out.
        Option("--ahlen", NUMBER, "length", negatable=True, keep=unless(Negatable(0))),
        Option("--ahres", field="reserved"),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    needs=_needs,
    draw=k.OneOf(
        k.Build(Ah, spi=k.number_tests()),
        k.Build(Ah, spi=k.number_tests(), length=k.header_lengths(4), reserved=k.FLAG),
    ),
    aim=aim,
    nft="ah spi, ah hdrlength, ah reserved",
    codes=(BAD_PLACE, NO_NFT_FORM),
)
