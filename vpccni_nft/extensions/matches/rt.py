"""rt: the routing header of IPv6, and the addresses in one of type 0.

Kernel: net/ipv6/netfilter/ip6t_rt.c. nft's exthdr finds the header in the same way
(ipv6_find_hdr). nft has words for the first two addresses only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...core.values import Address, Family, Negatable
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind, extension_header, header_field
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import NUMBER
from ..option_table import Form, Option, OptionTable, needs
from ..placement import Placement
from ..shared.compare import equality
from ..shared.header_lengths import compare_length
from ..shared.number_ranges import NumberRange, compare_range, in_range, range_option, refuse_bare

if TYPE_CHECKING:
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context

#: Most addresses that a rule can name (IP6T_RT_HOPS), and most that nft can read.
MOST_ADDRESSES, MOST_READ = 16, 2

#: What follows the type and the segments left: in a header of type 0, the reserved 32 bits. The
#: kernel reads a routing header of any type for nft, which has words for these bytes in those of
#: type 4, and for the addresses behind them. (Its JSON cannot say ``rt0 addr[1]``.)
RESERVED = (("last-entry", 8), ("flags", 8), ("tag", 16))


@attrs.frozen(kw_only=True)
class Rt(Match):
    """``-m rt`` with any of its options, or with none."""

    type: Negatable[int] | None = None
    segments_left: Negatable[NumberRange] | None = None
    length: Negatable[int] | None = None  #: of the header, in bytes
    reserved: bool = False  #: whether the reserved field must be zero
    addresses: tuple[Address, ...] = ()
    anywhere: bool = False  #: whether other addresses may stand between them and behind

    def __attrs_post_init__(self) -> None:
        if (self.reserved or self.addresses) and self.type != Negatable(0):
            raise ValueError("--rt-0-... needs --rt-type 0")


def _parse_addresses(text: str) -> tuple[Address, ...]:
    found = tuple(map(Address.parse, text.split(",")))
    if len(found) > MOST_ADDRESSES:
        raise ValueError(f"these are more than {MOST_ADDRESSES} addresses")
    if any(address.family is not Family.IP6 for address in found):
        raise ValueError("a routing header of type 0 has IPv6 addresses")
    return found


def meaning(node: Rt, view: View) -> Test:
    """There is a routing header, and its fields are as asked."""
    algebra = view.state.algebra

    def is_(field: Oracle, value: int, width: int) -> object:
        return algebra.equal(view.ask(field, width=width), algebra.const(value, width))

    left = view.ask(header_field("rt", "seg-left"), width=8)
    fits = [view.says(extension_header("rt")), in_range(view, left, node.segments_left, 8)]
    if node.type:
        same = (
            is_(header_field("rt", "type"), node.type.value, 8)
            if node.type.value < 256
            else algebra.false
        )
        fits.append(view.negate(same, negated=node.type.negated))
    if node.length:
        # ipv6_optlen: the field counts units of eight bytes, without the first.
        units, odd = divmod(node.length.value, 8)
        same = algebra.false
        if not odd and 1 <= units <= 256:
            same = is_(header_field("rt", "hdrlength"), units - 1, 8)
        fits.append(view.negate(same, negated=node.length.negated))
    if node.reserved:
        fits += [is_(header_field("srh", field), 0, width) for field, width in RESERVED]
    if node.anywhere:
        fits.append(
            view.says(
                Oracle(
                    OracleKind.ROUTING_ADDRESSES, parameters=(",".join(map(str, node.addresses)),)
                )
            )
        )
    elif node.addresses:
        # An address has two units.
        units = 2 * len(node.addresses)
        fits.append(
            algebra.any(*(is_(header_field("rt", "hdrlength"), units + odd, 8) for odd in (0, 1)))
        )
        fits += [
            is_(header_field("srh", f"sid[{place}]"), address.value, 128)
            for place, address in enumerate(node.addresses, 1)
        ]
    return Test(algebra.all(*fits))


def lower(node: Rt, context: Context) -> tuple[s.Match, ...]:
    """The same comparisons, or else whether the header is there."""
    if node == Rt():
        raise refuse_bare(context, "rt", "--rt-segsleft")
    if node.anywhere:
        raise context.refuse("nft reads an address of a routing header at a fixed position only")
    if len(node.addresses) > MOST_READ:
        raise context.refuse(f"nft reads the first {MOST_READ} addresses of a routing header only")
    there = s.Match(x.ExtensionHeader("rt"), "==", x.Symbol("exists"))
    is_type = None
    if node.type:
        is_type = Negatable(NumberRange(node.type.value, node.type.value), node.type.negated)
    fields = [
        *compare_range(x.ExtensionHeader("rt", "type"), is_type, 8),
        *compare_range(x.ExtensionHeader("rt", "seg-left"), node.segments_left, 8),
    ]
    if node.length or not fields:
        fields += compare_length("rt", node.length, there=there)
    if node.reserved:
        fields += [_is("srh", field, x.Number(0)) for field, _ in RESERVED]
    if node.addresses:
        units = 2 * len(node.addresses)
        fields.append(_is("rt", "hdrlength", x.Range(x.Number(units), x.Number(units + 1))))
    for place, address in enumerate(node.addresses, 1):
        fields.append(_is("srh", f"sid[{place}]", x.Host(address)))
    return tuple(fields)


def _is(header: str, field: str, value: x.Expression) -> s.Match:
    return s.Match(x.ExtensionHeader(header, field), equality(negated=False), value)


# --- which packets ------------------------------------------------------------------------------

_DRAW = k.OneOf(
    k.Build(
        Rt,
        type=k.maybe_negated(k.Integers(0, 4) | k.Integers(0, k.FULL)),
        segments_left=k.maybe_negated(k.number_ranges(0xFF) | k.number_ranges()),
        length=k.header_lengths(8),
    ),
    k.Build(
        Rt,
        type=Negatable(0),
        segments_left=k.number_tests(0xFF),
        reserved=k.FLAG,
        addresses=k.Several(k.ADDRESS.of(Family.IP6), 1, 3),
        anywhere=k.Among((False, False, True)),
    ),
)


def aim(node: Rt, draft: Draft) -> None:
    """A header that fits."""
    draft.answer(extension_header("rt"), 1)
    draft.answer_fit(header_field("rt", "type"), node.type, 8)
    draft.answer_fit(header_field("rt", "seg-left"), node.segments_left, 8)
    if node.length:
        units = node.length.value // 8 - 1 + node.length.negated
        draft.answer(header_field("rt", "hdrlength"), units & 0xFF)
    for field, _ in RESERVED:
        draft.answer(header_field("srh", field), 0)
    if node.addresses:
        listed = ",".join(map(str, node.addresses))
        draft.answer(Oracle(OracleKind.ROUTING_ADDRESSES, parameters=(listed,)), 1)
        draft.answer(header_field("rt", "hdrlength"), 2 * len(node.addresses))
    for place, address in enumerate(node.addresses, 1):
        draft.answer(header_field("srh", f"sid[{place}]"), address.value)


EXTENSION = Extension(
    name="rt",
    node=Rt,
    options=OptionTable.of(
        Option("--rt-type", NUMBER, "type", negatable=True),
        range_option("--rt-segsleft", "segments_left"),
        Option("--rt-len", NUMBER, "length", negatable=True),
        Option("--rt-0-res", field="reserved"),
        Option(
            "--rt-0-addrs",
            Form(
                "ADDRESS[,ADDRESS...]",
                _parse_addresses,
                lambda addresses: ",".join(map(str, addresses)),
            ),
            "addresses",
        ),
        Option("--rt-0-not-strict", field="anywhere"),
        needs("--rt-0-not-strict", "--rt-0-addrs"),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(family=Family.IP6),
    draw=_DRAW,
    aim=aim,
    nft="exthdr rt exists, rt type, rt seg-left, rt hdrlength, srh sid[1]",
    codes=(BAD_PLACE, NO_NFT_FORM),
)
