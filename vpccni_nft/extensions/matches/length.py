"""length: how many bytes the packet has, headers included.

Kernel: net/netfilter/xt_length.c. Before Linux 6.3 it reads the length from the header, which for
packets of up to 65535 bytes is the same: the IP layer cuts off what comes after. Larger ones, which
the kernel makes on devices that are configured so (BIG TCP), have no length there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.values import Family, Negatable
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import OPTIONS_OF_TCP
from ...nft import expressions as x
from .. import kinds as k
from ..edges import SHORTEST, around
from ..extension import Extension
from ..option_table import Option, OptionTable
from ..placement import ANYWHERE
from ..shared.number_ranges import NumberRange, compare_range, in_range, number_range

if TYPE_CHECKING:
    from ...model.effects import View
    from ...nft import statements as s
    from ..aiming import Draft
    from ..context import Context

LARGEST = 0xFFFF


@attrs.frozen
class Length(Match):
    """``-m length [!] --length FIRST[:LAST]``."""

    length: Negatable[NumberRange]


def meaning(node: Length, view: View) -> Test:
    """The length is in the range."""
    return Test(in_range(view, view.field_since(OPTIONS_OF_TCP, "length"), node.length, 16))


def lower(node: Length, _context: Context) -> tuple[s.Match, ...]:
    """The same comparison."""
    return compare_range(x.Meta("length"), node.length, 32)


def aim(node: Length, draft: Draft) -> None:
    """Such a length, of a packet that has a header."""
    draft.fit("length", node.length)
    draft.fields["length"] = max(draft.fields["length"], SHORTEST[draft.family])


EXTENSION = Extension(
    name="length",
    node=Length,
    options=OptionTable.of(
        Option("--length", number_range(LARGEST), "length", negatable=True, required=True)
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(
        Length,
        k.negatable(
            k.OneOf(
                k.number_ranges(0xFFFF),
                k.pair(k.Integers(0, 1500)).map(lambda two: NumberRange(*two)),
                NumberRange(0, 0xFFFF),
            )
        ),
    ),
    aim=aim,
    edges=lambda node: {
        "length": tuple(
            max(SHORTEST[Family.IP], number)
            for number in around(node.length.value.first, node.length.value.last)
        )
    },
    nft="meta length",
)
