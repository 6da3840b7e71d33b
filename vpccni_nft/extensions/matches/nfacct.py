"""nfacct: every packet fits, and is counted by a named object.

Kernel: net/netfilter/xt_nfacct.c, nfacct_mt. An object with a quota matches only beyond it; the
objects are not in the dump, and those of kube-proxy have none. One object counts for all tables and
both families, a counter of nft for one table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import ACCOUNTING_MOVED, NAME_CHANGED, NO_QUOTA
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.packet import Event
from ...nft import statements as s
from .. import kinds as k
from ..edges import any_packet
from ..extension import Extension
from ..forms import text_of
from ..option_table import Option, OptionTable
from ..placement import ANYWHERE
from ..shared.words import quote

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context

#: The objects that kube-proxy makes; none has a quota (pkg/proxy/metrics of Kubernetes).
WITHOUT_QUOTA = frozenset({"ct_state_invalid_dropped_pkts", "localhost_nps_accepted_pkts"})

#: NFACCT_NAME_MAX, without the zero at the end.
NAME_LENGTH = 31


@attrs.frozen
class Nfacct(Match):
    """``-m nfacct --nfacct-name NAME``."""

    object: str


def meaning(node: Nfacct, view: View) -> Test:
    """Always, for an object without a quota; it counts."""
    true = view.state.algebra.true
    return Test(true, ((true, Event("count", (node.object,))),))


def lower(node: Nfacct, context: Context) -> tuple[s.Statement, ...]:
    """Count, in this place among the conditions."""
    counter = context.counter(node.object)
    if node.object not in WITHOUT_QUOTA:
        context.approximate(
            NO_QUOTA, f"the dump does not show whether the nfacct object {node.object} has a quota"
        )
    context.note(
        ACCOUNTING_MOVED,
        f"nft's counter {counter} of this table counts instead of the nfacct object {node.object}",
    )
    return (s.NamedCounter(counter),)


EXTENSION = Extension(
    name="nfacct",
    node=Nfacct,
    options=OptionTable.of(
        # libxt_nfacct prints two blanks before the name.
        Option(
            "--nfacct-name",
            text_of("an object's name", NAME_LENGTH, least=1, text=lambda name: ("", quote(name))),
            "object",
            required=True,
        ),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(
        Nfacct, k.OneOf(k.Among(sorted(WITHOUT_QUOTA)), k.Unquoted(31), k.Quoted(31, smallest=1))
    ),
    aim=any_packet,
    nft='counter name "NAME", and counter NAME { } in the table',
    codes=(NO_QUOTA, ACCOUNTING_MOVED, NAME_CHANGED),
)
