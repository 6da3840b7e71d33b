"""dccp: ports, packet types and options.

Kernel: net/netfilter/xt_dccp.c. ``INVALID`` are all types from 10 on, of which libxt_dccp.c sets
the bits. A fragment without a header does not match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...iptables.ast import Match
from ...iptables.protocols import DCCP
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind, header_field
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import list_of, number
from ..option_table import Option, OptionTable
from ..placement import Placement
from ..shared.compare import equality
from ..shared.fragments import with_transport_header
from ..shared.ports import PORT_OPTIONS, lower_ports, ports_fit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...core.values import Negatable, PortRange
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece

PROTOCOL = 33

#: By their numbers, in the order in which iptables prints them.
TYPES = (
    "REQUEST", "RESPONSE", "DATA", "ACK", "DATAACK", "CLOSEREQ", "CLOSE", "RESET", "SYNC",
    "SYNCACK", "INVALID",
)  # fmt: skip

#: The first of the types that are not assigned, and the last of all.
INVALID, LARGEST = 10, 15

Names = tuple[str, ...]


@attrs.frozen(kw_only=True)
class Dccp(Match):
    """``-m dccp`` with any of its options, or with none."""

    source_port: Negatable[PortRange] | None = None
    destination_port: Negatable[PortRange] | None = None
    types: Negatable[Names] | None = None
    option: Negatable[int] | None = None  #: the number of an option that must be there


def meaning(node: Dccp, view: View) -> Test:
    """There is a header, and ports, type and options are as asked."""
    algebra = view.state.algebra
    fits = ports_fit(view, node.source_port, node.destination_port)
    if types := node.types:
        found = view.ask(header_field("dccp", "type"), width=4)
        one = algebra.any(
            *(
                algebra.ule(algebra.const(INVALID, 4), found)
                if name == "INVALID"
                else algebra.equal(found, algebra.const(TYPES.index(name), 4))
                for name in types.value
            )
        )
        fits = algebra.all(fits, view.negate(one, negated=types.negated))
    if option := node.option:
        there = view.says(Oracle(OracleKind.HAS_DCCP_OPTION, parameters=(option.value,)))
        fits = algebra.all(fits, view.negate(there, negated=option.negated))
    return Test(fits)


def lower(node: Dccp, context: Context) -> tuple[Piece, ...]:
    """The same comparisons, where there is a header."""
    if node.option:
        raise context.refuse("nft looks for DCCP options from Linux 6.5 on only")
    ports = lower_ports("dccp", node.source_port, node.destination_port)
    return (*with_transport_header(context), *ports, *_lower_types(node.types))


def _lower_types(test: Negatable[Names] | None) -> Iterator[s.Match]:
    if test:
        numbers = tuple(map(_literal, test.value))
        right = numbers[0] if len(numbers) == 1 else x.AnonymousSet(numbers)
        yield s.Match(x.Payload("dccp", "type"), equality(negated=test.negated), right)


def _literal(name: str) -> x.Expression:
    number = x.Number(TYPES.index(name))
    return x.Range(number, x.Number(LARGEST)) if name == "INVALID" else number


def aim(node: Dccp, draft: Draft) -> None:
    """Ports, a type and options that fit."""
    draft.fit("sport", node.source_port)
    draft.fit("dport", node.destination_port)
    if types := node.types:
        fitting = [name for name in TYPES if (name in types.value) is not types.negated]
        draft.answer(
            header_field("dccp", "type"), TYPES.index(draft.random.choice(fitting or TYPES))
        )
    if node.option:
        oracle = Oracle(OracleKind.HAS_DCCP_OPTION, parameters=(node.option.value,))
        draft.answer(oracle, not node.option.negated)


EXTENSION = Extension(
    name="dccp",
    node=Dccp,
    options=OptionTable.of(
        *PORT_OPTIONS,
        Option("--dccp-types", list_of(TYPES), "types", negatable=True),
        Option("--dccp-option", number(255, smallest=1), "option", negatable=True),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(protocols=(DCCP,)),
    draw=k.Build(
        Dccp,
        source_port=k.PORT_TEST,
        destination_port=k.PORT_TEST,
        types=k.maybe_negated(k.Some(TYPES)),
        option=k.OneOf(None, None, k.maybe_negated(k.Integers(1, 255))),
    ),
    aim=aim,
    edges=lambda node: {"sport": node.source_port, "dport": node.destination_port},
    nft="dccp sport, dccp dport, dccp type",
    codes=(BAD_PLACE, NO_NFT_FORM),
)
