"""connlabel: a bit of the connection's labels, which the match can set.

Kernel: net/netfilter/xt_connlabel.c, connlabel_mt. A connection that has no room for labels has
none of them, and no packet without a connection has. With ``--set`` the bit is set first. nft's
``ct label set`` sets one bit and leaves the others (nf_connlabels_replace).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...core.values import Negatable, parse_integer
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import LABELS, Oracle, OracleKind, member
from ...model.packet import Event
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension, NoneOf
from ..option_table import Form, Option, OptionTable
from ..placement import ANYWHERE

if TYPE_CHECKING:
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece

#: XT_CONNLABEL_MAXBIT.
LARGEST = 127


@attrs.frozen(kw_only=True)
class ConnLabel(Match):
    """``-m connlabel [!] --label NUMBER [--set]``."""

    label: Negatable[int]
    set: bool = False


def _parse_label(text: str) -> int:
    if not text[:1].isdigit():
        raise ValueError(f"“{text}” is a name that only the node knows: write the label's number")
    return parse_integer(text, LARGEST)


def meaning(node: ConnLabel, view: View) -> Test:
    """The connection keeps labels, and this one is set, or becomes so."""
    state, algebra = view.state, view.state.algebra
    number = algebra.const(node.label.value, 7)
    keeps = algebra.all(state.has_entry, view.says(Oracle(OracleKind.LABELS_ARE_KEPT)))
    is_set = algebra.all(keeps, state.member(LABELS, number))
    if not node.set:
        return Test(view.negate(is_set, negated=node.label.negated))
    becomes = algebra.all(keeps, algebra.not_(is_set))
    event = Event("update", (LABELS,), (number,))
    return Test(view.negate(keeps, negated=node.label.negated), ((becomes, event),))


def lower(node: ConnLabel, _context: Context) -> tuple[Piece, ...]:
    """Set the label, and ask for it."""
    label = x.Number(node.label.value)
    is_set = s.Match(x.Ct("label"), "in", label)
    change = (s.Assign(x.Ct("label"), label),) if node.set else ()
    return (*change, NoneOf(((is_set,),)) if node.label.negated else is_set)


def aim(node: ConnLabel, draft: Draft) -> None:
    """A connection with the label, or without it; where the rule would set it, one without any."""
    draft.fit_entry()
    draft.answer(OracleKind.LABELS_ARE_KEPT, not (node.set and node.label.negated))
    draft.answer(member(LABELS), not node.label.negated, node.label.value)


EXTENSION = Extension(
    name="connlabel",
    node=ConnLabel,
    options=OptionTable.of(
        # A number stands in quotes as a name does.
        Option(
            "--label",
            Form("NUMBER", _parse_label, lambda label: f'"{label}"'),
            "label",
            negatable=True,
            required=True,
        ),
        Option("--set", field="set"),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(
        ConnLabel, label=k.negatable(k.Integers(0, 2) | k.Integers(0, LARGEST)), set=k.FLAG
    ),
    aim=aim,
    nft="ct label N; --set: ct label set N before",
    codes=(NO_NFT_FORM,),
    uses_conntrack=True,
    reads_entry=lambda _node: True,
)
