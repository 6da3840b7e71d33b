"""CT, NOTRACK: how a packet is going to be tracked, decided before conntrack sees it.

Kernel: net/netfilter/xt_CT.c, xt_ct_target and notrack_tg; for iptables 1.8 NOTRACK is another name
of ``CT --notrack``. With ``--notrack`` nothing else counts (xt_ct_tg_check). All else
hangs a template on the packet, in zone 0 where no zone is named. Only the first of several such
targets works: a packet that has a connection or a template or is notracked is left alone, by nft's
notrack, too (nft_ct.c, nft_notrack_eval).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, ERRORS_OF_UNTRACKED, NO_NFT_FORM
from ...core.values import parse_integer
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.oracle import Oracle, OracleKind
from ...model.packet import OF_CONNECTION, STATE_BITS, Event, width
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import WORD
from ..option_table import Form, Option, OptionTable, at_most_one
from ..placement import Placement

if TYPE_CHECKING:
    from ...model.algebra import Bool, Word
    from ...model.effects import View
    from ...model.packet import State
    from ..context import Context

#: The protocols of ICMP errors.
ICMP = (1, 58)

#: The option for a zone, and the direction of the packets that it is for: nft's word.
ZONE_OPTIONS = {"--zone": "", "--zone-orig": "original", "--zone-reply": "reply"}

#: In place of a zone's number: the packet's mark when conntrack sees the packet.
MARK = "mark"

#: nft's ``ct zone set`` passes over packets with a connection or a template, as xt_ct_target does,
#: but would track a packet that was notracked (measured on Linux 6.18).
NOT_UNTRACKED = s.Match(x.Ct("state"), "!", x.Flags(("untracked",)))

#: The numbers of ``ct_zone_direction``.
_DIRECTIONS = {"": 0, "original": 1, "reply": 2}


@attrs.frozen(kw_only=True)
class Ct(Target):
    """``-j CT`` with its options."""

    notrack: bool = False
    helper: str = ""
    timeout: str = ""  #: the name of a policy
    events: str = ""  #: a list with commas
    expectation_events: str = ""  #: a list with commas
    zone: int | None = 0  #: None: the packet's mark
    direction: str = ""  #: ``original`` or ``reply``; always empty for zone 0


@attrs.frozen
class Notrack(Target):
    """``-j NOTRACK``."""


def meaning(node: Ct, view: View) -> Effect:
    """Where conntrack has not seen the packet: IP_CT_UNTRACKED, or a template in state new."""
    state = view.state
    if node.notrack:
        return _untrack(state)
    algebra, unseen = state.algebra, _is_unseen(view.state)
    values = {
        "ct_template": state.word("ct_template", 1),
        "ct_zone": _zone(node, state),
        "ct_zone_direction": state.word("ct_zone_direction", _DIRECTIONS[node.direction]),
        "ct_state": state.word("ct_state", STATE_BITS["new"]),
        # Other matches take the template for a connection (xt_connmark.c, xt_conntrack.c).
        **{
            field: view.ask(Oracle(OracleKind.TEMPLATE, field), width=width(field, state.family))
            for field in OF_CONNECTION
        },
    }
    rest = (node.helper, node.timeout, node.events, node.expectation_events)
    # An effect's events have no condition of their own, so it goes in with them.
    works = algebra.ite(unseen, algebra.const(1, 1), algebra.const(0, 1))
    return Effect(
        events=(Event("ct", rest, (works,)),) if any(rest) else (),
        assignments=tuple((unseen, field, value) for field, value in values.items()),
    )


def _is_unseen(state: State) -> Bool:
    """``skb->_nfct == 0``: there is no connection, no template, and it is not notracked."""
    algebra = state.algebra
    return algebra.all(
        algebra.not_(state.has_entry),
        algebra.not_(state.is_("ct_state", STATE_BITS["untracked"])),
        state.is_("ct_template", 0),
    )


def _untrack(state: State) -> Effect:
    """Keep a packet that was not seen yet out of conntrack; leave any other alone."""
    untracked = state.word("ct_state", STATE_BITS["untracked"])
    return Effect(assignments=((_is_unseen(state), "ct_state", untracked),))


def _zone(node: Ct, state: State) -> Word:
    """A number, or the low half of the mark: bit by bit, since a zone is not as wide as a mark."""
    if node.zone is not None:
        return state.word("ct_zone", node.zone)
    algebra, none = state.algebra, state.word("ct_zone", 0)
    zone = none
    for place in range(16):
        bit = state.word("ct_zone", 1 << place)
        is_set = state.has_bits("mark", 1 << place)
        zone = algebra.bvor(zone, algebra.ite(is_set, bit, none))
    return zone


def lower(node: Ct, context: Context) -> tuple[s.Statement, ...]:
    """Notrack, or a zone for packets that still are to be tracked."""
    if node.notrack:
        return (s.Notrack(),)
    if node.helper:
        raise context.refuse("nft cannot choose a helper before a connection is tracked")
    if node.timeout:
        raise context.refuse("a dump does not hold the timeouts of a policy, and nft needs them")
    if node.events or node.expectation_events:
        raise context.refuse("nft cannot choose events before a connection is tracked")
    if node.zone is None:
        raise context.refuse("nft cannot take a zone from the mark")
    _approximate_errors(context)
    return (NOT_UNTRACKED, s.Assign(x.Ct("zone", node.direction), x.Number(node.zone)))


def _zone_option(name: str, direction: str) -> Option:
    """iptables-save does not print zone 0, and it is everyone's zone in both directions."""

    def show(node: Ct) -> int | str | None:
        if node.zone == 0 or node.direction != direction:
            return None
        return MARK if node.zone is None else node.zone

    return Option(
        name,
        Form("NUMBER|mark", lambda text: text if text == MARK else parse_integer(text, 0xFFFF)),
        ("zone", "direction"),
        keep=lambda zone: (None if zone == MARK else zone, direction if zone else ""),
        show=show,
    )


def _lower_notrack(_node: Ct | Notrack, context: Context) -> tuple[s.Statement, ...]:
    _approximate_errors(context)
    return (s.Notrack(),)


def _approximate_errors(context: Context) -> None:
    """Of the packets that the node sends, ICMP errors may come with a state but no connection.

    nf_conntrack_attach gives an error the state of the packet that it is about. Where that packet
    is untracked, xt_ct_target leaves the error alone and it counts as invalid; nft_ct.c goes by the
    connection, finds none, and tracks or untracks the error.
    """
    if "OUTPUT" in context.hooks and context.protocol in (None, *ICMP):
        context.approximate(
            ERRORS_OF_UNTRACKED,
            "iptables leaves an ICMP error about an untracked packet alone; nft does not",
        )


def _draw(notrack: object, names: object, events: object) -> k.ValueKind:
    options = {
        "notrack": notrack,
        "helper": names,
        "timeout": names,
        "events": events,
        "expectation_events": events,
    }
    zone = k.OneOf(k.Integers(1, 0xFFFF), None)
    direction = k.Among(("", "original", "reply"))
    return k.Build(Ct, **options) | k.Build(Ct, zone=zone, direction=direction, **options)


CT = Extension(
    name="CT",
    what="how a packet is going to be tracked, decided before conntrack sees it.",
    node=Ct,
    options=OptionTable.of(
        Option("--notrack", field="notrack"),
        Option("--helper", WORD, "helper"),
        Option("--timeout", WORD, "timeout"),
        Option("--ctevents", WORD, "events"),
        Option("--expevents", WORD, "expectation_events"),
        *(_zone_option(name, direction) for name, direction in ZONE_OPTIONS.items()),
        at_most_one(*ZONE_OPTIONS),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(tables=("raw",)),
    draw=k.OneOf(
        _draw(k.FLAG, k.OneOf("", k.Unquoted(15)), k.Among(("", "", "new,destroy", "reply"))),
        _draw(k.FLAG, "", ""),
    ),
    nft="notrack; ct zone set N; ct original|reply zone set N",
    codes=(BAD_PLACE, NO_NFT_FORM, ERRORS_OF_UNTRACKED),
)

NOTRACK = Extension(
    name="NOTRACK",
    what="keep the packet out of connection tracking.",
    node=Notrack,
    meaning=lambda _node, view: _untrack(view.state),
    lower=_lower_notrack,
    placement=Placement(tables=("raw",)),
    draw=k.Build(Notrack),
    nft="notrack",
    codes=(BAD_PLACE, ERRORS_OF_UNTRACKED),
)
