"""frag: the fragment header of IPv6.

Kernel: net/ipv6/netfilter/ip6t_frag.c. It does not look at ``--fraglen``: the header always has
eight bytes. nft's exthdr finds the header in the same way (ipv6_find_hdr).
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
from ..option_table import Option, OptionTable, at_most_one, unless
from ..placement import Placement
from ..shared.number_ranges import NumberRange, compare_range, in_range, range_option, refuse_bare

if TYPE_CHECKING:
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context


@attrs.frozen(kw_only=True)
class Frag(Match):
    """``-m frag`` with any of its options, or with none."""

    id: Negatable[NumberRange] | None = None
    length: Negatable[int] | None = None  #: ``--fraglen``, which changes nothing
    reserved: bool = False  #: whether the reserved bits must be zero
    first: bool = False
    more: bool = False
    last: bool = False


def meaning(node: Frag, view: View) -> Test:
    """There is a fragment header, and its fields are as asked."""
    state, algebra = view.state, view.state.algebra

    def bits(field: str, value: int, width: int) -> object:
        return algebra.equal(
            view.ask(header_field("frag", field), width=width), algebra.const(value, width)
        )

    fits = [
        state.is_("fragmented", 1),
        in_range(view, view.ask(header_field("frag", "id"), width=32), node.id, 32),
    ]
    if node.reserved:
        fits += [bits("reserved", 0, 8), bits("reserved2", 0, 2)]
    if node.first:
        fits.append(state.is_("fragment", 0))
    if node.more or node.last:
        fits.append(bits("more-fragments", int(node.more), 1))
    return Test(algebra.all(*fits))


def lower(node: Frag, context: Context) -> tuple[s.Match, ...]:
    """The same comparisons, or else whether the header is there."""
    if node == Frag():
        raise refuse_bare(context, "frag", "--fragid")
    fields = [*compare_range(x.ExtensionHeader("frag", "id"), node.id, 32)]
    if node.reserved:
        fields += [_is("reserved", 0), _is("reserved2", 0)]
    if node.first:
        fields.append(_is("frag-off", 0))
    if node.more or node.last:
        fields.append(_is("more-fragments", int(node.more)))
    exists = s.Match(x.ExtensionHeader("frag"), "==", x.Symbol("exists"))
    return tuple(fields) or (exists,)


def _is(field: str, number: int) -> s.Match:
    return s.Match(x.ExtensionHeader("frag", field), "==", x.Number(number))


def aim(node: Frag, draft: Draft) -> None:
    """A fragment that fits."""
    draft.fields["fragmented"] = 1
    if node.first:
        draft.fields["fragment"] = 0
    draft.answer_fit(header_field("frag", "id"), node.id, 32)
    draft.answer(header_field("frag", "reserved"), 0)
    draft.answer(header_field("frag", "reserved2"), 0)
    draft.answer(header_field("frag", "more-fragments"), node.more)


EXTENSION = Extension(
    name="frag",
    node=Frag,
    options=OptionTable.of(
        range_option("--fragid", "id"),
        Option("--fraglen", NUMBER, "length", negatable=True, keep=unless(Negatable(0))),
        Option("--fragres", field="reserved"),
        Option("--fragfirst", field="first"),
        Option("--fragmore", field="more"),
        Option("--fraglast", field="last"),
        at_most_one("--fragmore", "--fraglast"),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(family=Family.IP6),
    draw=k.Among(((False, False), (True, False), (False, True))).then(
        lambda ends: k.Build(
            Frag,
            id=k.number_tests(),
            length=k.maybe_negated(k.Integers(1, k.FULL)),
            reserved=k.FLAG,
            first=k.FLAG,
            more=ends[0],
            last=ends[1],
        )
    ),
    aim=aim,
    nft="exthdr frag exists, frag id, frag more-fragments",
    codes=(BAD_PLACE, NO_NFT_FORM),
)
