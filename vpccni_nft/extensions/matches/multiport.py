"""multiport: a list of ports and port ranges.

Kernel: net/netfilter/xt_multiport.c, multiport_mt. ``--ports`` asks whether the source or the
destination is in the list. A fragment without a header does not match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...iptables.ast import Match
from ...iptables.protocols import WITH_PORTS
from ...model.effects import Test
from ...nft import expressions as x
from .. import kinds as k
from ..extension import AnyOf, Extension
from ..forms import PORTS
from ..option_table import Form, Option, OptionTable, exactly_one
from ..placement import Placement
from ..shared.compare import compare_ports
from ..shared.fragments import with_transport_header
from ..shared.ports import HEADERS, disjoint

if TYPE_CHECKING:
    from ...core.values import Negatable, PortRange
    from ...model.effects import View
    from ...nft import statements as s
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece

SOURCE, DESTINATION, EITHER = "--sports", "--dports", "--ports"

_FIELDS = {SOURCE: ("sport",), DESTINATION: ("dport",), EITHER: ("sport", "dport")}

#: XT_MULTI_PORTS. A range takes two places.
MOST_PORTS = 15


@attrs.frozen
class Multiport(Match):
    """``-m multiport`` with one of its lists."""

    option: str  #: ``--sports``, ``--dports`` or ``--ports``
    ports: Negatable[tuple[PortRange, ...]]


def _parse_ports(text: str) -> tuple[PortRange, ...]:
    ports = tuple(map(PORTS.parse, text.split(",")))
    if len(ports) + text.count(":") > MOST_PORTS:
        raise ValueError(f"the list has at most {MOST_PORTS} ports, a range counts as two")
    return ports


def meaning(node: Multiport, view: View) -> Test:
    """There are ports, and one of those asked for is in the list, or none after a ``!``."""
    state, algebra = view.state, view.state.algebra
    found = algebra.any(
        *(
            state.between(field, ports.first, ports.last)
            for field in _FIELDS[node.option]
            for ports in node.ports.value
        )
    )
    has_header = state.is_("fragment", 0)
    return Test(algebra.all(has_header, view.negate(found, negated=node.ports.negated)))


def lower(node: Multiport, context: Context) -> tuple[Piece, ...]:
    """Compare one port, or both: none of them is in the list, or either is."""
    assert context.protocol is not None
    header = HEADERS[context.protocol]
    negated = node.ports.negated
    ports = disjoint(node.ports.value)
    source, other_source = _compare(header, "sport", ports)
    destination, other_destination = _compare(header, "dport", ports)
    pieces: tuple[Piece, ...]
    match node.option, negated:
        case "--sports", _:
            pieces = (other_source if negated else source,)
        case "--dports", _:
            pieces = (other_destination if negated else destination,)
        case _, True:
            pieces = (other_source, other_destination)
        case _:
            pieces = (AnyOf(((source,), (other_source, destination))),)
    return (*with_transport_header(context), *pieces)


def _compare(header: str, field: str, ports: tuple[PortRange, ...]) -> tuple[s.Match, s.Match]:
    """Whether the port is in the list, and whether it is not."""
    (inside,) = compare_ports(x.Payload(header, field), ports, negated=False)
    return inside, attrs.evolve(inside, operator="!=")


def _no_more(ports: tuple[PortRange, ...]) -> tuple[PortRange, ...]:
    """As many as fit; a range takes two places."""
    places = [1 + (range_.first != range_.last) for range_ in ports]
    fitting = (end for end in range(len(ports), 0, -1) if sum(places[:end]) <= MOST_PORTS)
    return ports[: next(fitting)]


def aim(node: Multiport, draft: Draft) -> None:
    """A port that is in the list; both outside it where either may be tested."""
    fields = _FIELDS[node.option]
    if not node.ports.negated:
        fields = (draft.random.choice(fields),)
    for field in fields:
        draft.fit(field, node.ports)


#: The other names of the lists.
_SPELLINGS = {SOURCE: ("--source-ports",), DESTINATION: ("--destination-ports",)}


def _list(name: str) -> Option:
    return Option(
        name,
        Form(
            "PORT[:PORT],...",
            _parse_ports,
            lambda ports: ",".join(one.format(":") for one in ports),
        ),
        ("option", "ports"),
        negatable=True,
        spellings=_SPELLINGS.get(name, ()),
        keep=lambda ports: (name, ports),
        show=lambda node: node.ports if node.option == name else None,
    )


EXTENSION = Extension(
    name="multiport",
    node=Multiport,
    options=OptionTable.of(
        _list(SOURCE), _list(DESTINATION), _list(EITHER), exactly_one(SOURCE, DESTINATION, EITHER)
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(protocols=WITH_PORTS),
    draw=k.Build(
        Multiport,
        k.Among(_FIELDS),
        k.negatable(k.Several(k.PORT_RANGE, 1, MOST_PORTS).map(_no_more)),
    ),
    aim=aim,
    edges=lambda node: {"sport": node.ports, "dport": node.ports},
    nft="tcp dport { LIST }; --ports: two rules in a helper chain",
    codes=(BAD_PLACE,),
)
