"""sctp: ports and chunk types.

Kernel: net/netfilter/xt_sctp.c, sctp_mt. A fragment without a header does not match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...iptables.ast import Match
from ...iptables.protocols import SCTP
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind
from .. import kinds as k
from ..extension import Extension
from ..option_table import Form, Option, OptionTable
from ..placement import Placement
from ..shared.fragments import with_transport_header
from ..shared.ports import PORT_OPTIONS, lower_ports, ports_fit

if TYPE_CHECKING:
    from ...core.values import Negatable, PortRange
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece

SCOPES = ("any", "all", "only")


@attrs.frozen
class ChunkTypes:
    """Which chunks a packet must have; kept as it is written, for nothing is made of it."""

    scope: str  #: ``any``, ``all`` or ``only``
    types: str


@attrs.frozen(kw_only=True)
class Sctp(Match):
    """``-m sctp``, with ports and chunk types or without."""

    source_port: Negatable[PortRange] | None = None
    destination_port: Negatable[PortRange] | None = None
    chunk_types: Negatable[ChunkTypes] | None = None


def _parse_chunk_types(scope: str, types: str) -> ChunkTypes:
    if scope.lower() not in SCOPES:
        raise ValueError(f"“{scope}” is not one of {', '.join(SCOPES)}")
    return ChunkTypes(scope.lower(), types)


def meaning(node: Sctp, view: View) -> Test:
    """There is a header, and ports and chunks are as asked."""
    fits = ports_fit(view, node.source_port, node.destination_port)
    if test := node.chunk_types:
        found = view.says(
            Oracle(OracleKind.SCTP_CHUNKS, parameters=(test.value.scope, test.value.types))
        )
        fits = view.state.algebra.all(fits, view.negate(found, negated=test.negated))
    return Test(fits)


def lower(node: Sctp, context: Context) -> tuple[Piece, ...]:
    """The same comparisons of ports, where there is a header."""
    if node.chunk_types:
        raise context.refuse("nft reads chunks from Linux 5.14 on, and cannot ask for all of them")
    ports = lower_ports("sctp", node.source_port, node.destination_port)
    return (*with_transport_header(context), *ports)


def aim(node: Sctp, draft: Draft) -> None:
    """Ports and chunks that fit."""
    draft.fit("sport", node.source_port)
    draft.fit("dport", node.destination_port)
    if test := node.chunk_types:
        chunks = (test.value.scope, test.value.types)
        draft.answer(Oracle(OracleKind.SCTP_CHUNKS, parameters=chunks), not test.negated)


_CHUNKS = k.Build(
    ChunkTypes,
    k.Among(SCOPES),
    k.Among(("INIT", "DATA:BE,SACK", "ALL", "NONE")) | k.Unquoted(30),
)


def _chunks_text(chunks: ChunkTypes) -> tuple[str, str]:
    return chunks.scope, chunks.types


EXTENSION = Extension(
    name="sctp",
    node=Sctp,
    options=OptionTable.of(
        *PORT_OPTIONS,
        Option(
            "--chunk-types",
            Form("any|all|only TYPES", _parse_chunk_types, _chunks_text, words=2),
            "chunk_types",
            negatable=True,
        ),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(protocols=(SCTP,)),
    draw=k.Build(
        Sctp,
        source_port=k.PORT_TEST,
        destination_port=k.PORT_TEST,
        chunk_types=k.OneOf(None, None, k.negatable(_CHUNKS)),
    ),
    aim=aim,
    edges=lambda node: {"sport": node.source_port, "dport": node.destination_port},
    nft="sctp sport, sctp dport",
    codes=(BAD_PLACE, NO_NFT_FORM),
)
