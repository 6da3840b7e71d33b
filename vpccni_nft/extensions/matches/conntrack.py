"""conntrack: what connection tracking knows of the packet's connection.

Kernel: net/netfilter/xt_conntrack.c, conntrack_mt. The states come first. Without a conntrack
entry nothing else is looked at: the packet matches where the rule asks for a state and has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...core.values import Negatable, Network, PortRange, parse_integer
from ...iptables.ast import Match
from ...iptables.protocols import TCP
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind
from ...model.packet import STATUS_BITS
from ...nft import expressions as x
from ...nft import statements as s
from ...nft.expressions import NETWORK_HEADER
from .. import kinds as k
from ..extension import AnyOf, Extension, Piece
from ..forms import NETWORK, PORTS, choice, list_of, number
from ..option_table import Form, Option, OptionTable
from ..placement import ANYWHERE
from ..shared.compare import always_or_never, compare_network, compare_ports, equality
from ..shared.marks import HAS_ENTRY
from ..shared.number_ranges import NumberRange
from ..shared.ports import port_fits
from ..shared.states import (
    NAT_BITS,
    STATES,
    WITHOUT_ENTRY,
    aim_states,
    alternatives_of_states,
    has_state,
    lower_states,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.algebra import Bool
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context

STATUSES = ("NONE", "EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED")
DIRECTIONS = ("ORIGINAL", "REPLY")

#: Protocols whose headers nft knows: after ``ct protocol`` it takes ports of no others (measured).
_WITH_HEADERS = frozenset({1, 2, 6, 17, 33, 50, 51, 58, 108, 132, 136})

#: The seconds that nft can count: milliseconds of 32 bits.
LONGEST = 0xFFFFFFFF // 1000
#: What iptables takes for an open end.
FOREVER = 0xFFFFFFFF

Names = tuple[str, ...]


@attrs.frozen(kw_only=True)
class Conntrack(Match):
    """``-m conntrack`` with any of its options, each of which may be negated."""

    states: Negatable[Names] | None = None
    protocol: Negatable[int] | None = None
    original_source: Negatable[Network] | None = None
    original_destination: Negatable[Network] | None = None
    reply_source: Negatable[Network] | None = None
    reply_destination: Negatable[Network] | None = None
    original_source_port: Negatable[PortRange] | None = None
    original_destination_port: Negatable[PortRange] | None = None
    reply_source_port: Negatable[PortRange] | None = None
    reply_destination_port: Negatable[PortRange] | None = None
    status: Negatable[Names] | None = None
    expire: Negatable[tuple[int, int]] | None = None  #: seconds, first and last
    direction: str = ""  #: ``ORIGINAL``, ``REPLY``, or empty: both


def _parse_seconds(text: str) -> tuple[int, int]:
    first, colon, last = text.partition(":")
    low = parse_integer(first) if first else 0
    return (low, parse_integer(last) if last else 0xFFFFFFFF) if colon else (low, low)


def meaning(node: Conntrack, view: View) -> Test:
    """The states; then, without an entry, whether any were asked for, and with one all the rest."""
    state, algebra = view.state, view.state.algebra
    rest = algebra.all(state.has_entry, *_tests_of_the_entry(node, view))
    if not node.states:
        return Test(rest)
    return Test(
        algebra.all(has_state(view, node.states), algebra.any(algebra.not_(state.has_entry), rest))
    )


def _tests_of_the_entry(node: Conntrack, view: View) -> Iterator[Bool]:
    state, algebra = view.state, view.state.algebra
    if node.protocol:
        same = state.is_("ct_protocol", node.protocol.value)
        yield view.negate(same, negated=node.protocol.negated)
    for field, network in (
        ("ct_original_saddr", node.original_source),
        ("ct_original_daddr", node.original_destination),
        ("ct_reply_saddr", node.reply_source),
        ("ct_reply_daddr", node.reply_destination),
    ):
        if network:
            inside = state.is_(field, network.value.address, network.value.mask)
            yield view.negate(inside, negated=network.negated)
    yield port_fits(view, "ct_original_sport", node.original_source_port)
    yield port_fits(view, "ct_original_dport", node.original_destination_port)
    yield port_fits(view, "ct_reply_sport", node.reply_source_port)
    yield port_fits(view, "ct_reply_dport", node.reply_destination_port)
    if node.status:
        found = state.has_bits("ct_status", sum(map(_status_bit, node.status.value)))
        yield view.negate(found, negated=node.status.negated)
    if node.expire:
        first, last = (algebra.const(seconds, 32) for seconds in node.expire.value)
        left = view.ask(Oracle(OracleKind.SECONDS_LEFT), width=32)
        inside = algebra.all(algebra.ule(first, left), algebra.ule(left, last))
        yield view.negate(inside, negated=node.expire.negated)
    if node.direction:
        yield state.is_("ct_reply", DIRECTIONS.index(node.direction))


def _status_bit(name: str) -> int:
    """The bit of a status; NONE is none."""
    return 0 if name == "NONE" else STATUS_BITS[name.lower().replace("_", "-")]


def lower(node: Conntrack, context: Context) -> tuple[Piece, ...]:
    """The states, then the rest, which has no value without an entry and so never matches."""
    rest = tuple(_of_the_entry(node, context))
    if not node.states:
        return rest
    if rest and _may_lack_entry(node.states):
        if any(isinstance(piece, AnyOf) for piece in rest):
            raise context.refuse(
                "a state of packets without a connection is combined with other options",
                "split the rule in two: one for INVALID and UNTRACKED, one for the rest",
            )
        tests = tuple(piece for piece in rest if isinstance(piece, s.Match))
        alternatives = alternatives_of_states(node.states, tests)
        return alternatives[0] if len(alternatives) == 1 else (AnyOf(alternatives),)
    return (*lower_states(node.states, leaves_chain=context.leaves_chain), *rest)


def _may_lack_entry(states: Negatable[Names]) -> bool:
    """Whether a packet without a conntrack entry passes the test of the states."""
    return any((name in states.value) is not states.negated for name in WITHOUT_ENTRY)


def _of_the_entry(node: Conntrack, context: Context) -> Iterator[s.Match | AnyOf]:
    header = NETWORK_HEADER[context.family]
    wanted = node.protocol.value if node.protocol and not node.protocol.negated else None
    if node.protocol:
        protocol = x.Protocol(node.protocol.value)
        same = _compare(x.Ct("protocol", "original"), protocol, negated=node.protocol.negated)
        # nft takes one protocol in a rule, for packet and connection: another needs its own rule.
        differ = None not in (wanted, context.protocol) and wanted != context.protocol
        yield AnyOf(((same,),)) if differ else same
    for direction, end, network in (
        ("original", "saddr", node.original_source),
        ("original", "daddr", node.original_destination),
        ("reply", "saddr", node.reply_source),
        ("reply", "daddr", node.reply_destination),
    ):
        if network:
            # Every address is in 0.0.0.0/0, but only an entry has an address.
            yield from compare_network(x.Ct(f"{header} {end}", direction), network) or (HAS_ENTRY,)
    for direction, end, ports in (
        ("original", "src", node.original_source_port),
        ("original", "dst", node.original_destination_port),
        ("reply", "src", node.reply_source_port),
        ("reply", "dst", node.reply_destination_port),
    ):
        if ports:
            if context.protocol is None and wanted not in _WITH_HEADERS:
                raise context.refuse(
                    "nft compares a connection's ports only where the protocol is known"
                )
            left = x.Ct(f"proto-{end}", direction)
            yield from compare_ports(left, (ports.value,), negated=ports.negated)
    if node.status:
        yield from _lower_status(node.status)
    if node.expire:
        yield from _lower_expire(node.expire, context)
    if node.direction:
        yield _compare(x.Ct("direction"), x.Symbol(node.direction.lower()), negated=False)


def _lower_status(test: Negatable[Names]) -> tuple[s.Match, ...]:
    """NONE is no bit: alone it matches nothing."""
    names = tuple(name.lower().replace("_", "-") for name in test.value if name != "NONE")
    if not names:
        return (HAS_ENTRY, *always_or_never(holds=test.negated))
    return (s.Match(x.Ct("status"), "!" if test.negated else "in", x.Flags(names)),)


def _lower_expire(
    test: Negatable[tuple[int, int]], context: Context
) -> tuple[s.Match | AnyOf, ...]:
    """Whole seconds that are left; nft counts milliseconds, so that the end is one second later."""
    (first, last), left = test.value, x.Ct("expiration")
    if first > LONGEST or LONGEST <= last < FOREVER:
        raise context.refuse("nft counts a connection's time up to 49 days only")
    if first > last:
        return (HAS_ENTRY, *always_or_never(holds=test.negated))
    below, above = s.Match(left, "<", x.Number(first)), s.Match(left, ">=", x.Number(last + 1))
    if test.negated:
        alternatives = ((below,),) * bool(first) + ((above,),) * (last < FOREVER)
        if not alternatives:
            return (HAS_ENTRY, *always_or_never(holds=False))
        return alternatives[0] if len(alternatives) == 1 else (AnyOf(alternatives),)
    not_below = attrs.evolve(below, operator=">=") if first else HAS_ENTRY
    return (not_below, attrs.evolve(above, operator="<")) if last < FOREVER else (not_below,)


def _compare(left: x.Expression, right: x.Expression, *, negated: bool) -> s.Match:
    return s.Match(left, equality(negated=negated), right)


# --- which packets ------------------------------------------------------------------------------

_ENDS = k.maybe_negated(k.OneOf(k.NETWORK, k.NETWORK, k.EVERYWHERE))
_LISTS = k.maybe_negated(k.Some((*STATES, *NAT_BITS)))
_STATUS = k.maybe_negated(k.Some(STATUSES))
_DIRECTION = k.Among(("", *DIRECTIONS))
_DRAW = k.OneOf(
    # All options at once, of which nft seldom can say every one.
    k.Build(
        Conntrack,
        states=_LISTS,
        protocol=k.maybe_negated(k.BYTE),
        original_source=_ENDS,
        original_destination=_ENDS,
        reply_source=_ENDS,
        reply_destination=_ENDS,
        original_source_port=k.PORT_TEST,
        original_destination_port=k.PORT_TEST,
        reply_source_port=k.PORT_TEST,
        reply_destination_port=k.PORT_TEST,
        status=_STATUS,
        expire=k.maybe_negated(k.pair(k.Integers(0, k.FULL) | k.Integers(0, 100))),
        direction=_DIRECTION,
    ),
    k.Build(Conntrack, states=_LISTS),
    k.Build(Conntrack, status=_STATUS, direction=_DIRECTION, original_source=_ENDS),
    k.Build(
        Conntrack,
        protocol=k.negatable(TCP),
        original_destination_port=k.PORT_TEST,
        reply_source_port=k.PORT_TEST,
        reply_destination=_ENDS,
    ),
).filter(lambda node: node != Conntrack())


def _networks(node: Conntrack) -> dict[str, Negatable[Network] | None]:
    return {
        "ct_original_saddr": node.original_source,
        "ct_original_daddr": node.original_destination,
        "ct_reply_saddr": node.reply_source,
        "ct_reply_daddr": node.reply_destination,
    }


def _ports(node: Conntrack) -> dict[str, Negatable[PortRange] | None]:
    return {
        "ct_original_sport": node.original_source_port,
        "ct_original_dport": node.original_destination_port,
        "ct_reply_sport": node.reply_source_port,
        "ct_reply_dport": node.reply_destination_port,
    }


def _reads_entry(node: Conntrack) -> bool:
    """A packet that is NEW needs no NAT to be in a list of states with NEW."""
    if not node.states or node != Conntrack(states=node.states):
        return True
    return "NEW" not in node.states.value and not set(NAT_BITS).isdisjoint(node.states.value)


def aim(node: Conntrack, draft: Draft) -> None:
    """A connection that fits, in one of the states."""
    if node.states:
        aim_states(node.states, draft)
    else:
        draft.fit_entry()
    for field, network in _networks(node).items():
        draft.fit_network(field, network)
    for field, ports in _ports(node).items():
        draft.fit(field, ports)
    draft.fit("ct_protocol", node.protocol)
    if node.status:
        bits = [_status_bit(name) for name in node.status.value]
        draft.fields["ct_status"] &= ~sum(bits)
        if not node.status.negated:
            draft.fields["ct_status"] |= draft.random.choice([bit for bit in bits if bit] or [0])
    if node.expire:
        first, last = node.expire.value
        draft.answer_fit(
            OracleKind.SECONDS_LEFT, Negatable(NumberRange(first, last), node.expire.negated), 32
        )
    if node.direction:
        draft.fields["ct_reply"] = DIRECTIONS.index(node.direction)


def _seconds_text(seconds: tuple[int, int]) -> str:
    first, last = seconds
    return str(first) if first == last else f"{first}:{last}"


def _direction(test: Negatable[str]) -> str:
    """iptables keeps "not this one" as "the other one"."""
    return DIRECTIONS[DIRECTIONS.index(test.value) ^ test.negated]


EXTENSION = Extension(
    name="conntrack",
    node=Conntrack,
    options=OptionTable.of(
        Option("--ctstate", list_of((*STATES, *NAT_BITS)), "states", negatable=True),
        Option("--ctproto", number(255), "protocol", negatable=True),
        Option("--ctorigsrc", NETWORK, "original_source", negatable=True),
        Option("--ctorigdst", NETWORK, "original_destination", negatable=True),
        Option("--ctreplsrc", NETWORK, "reply_source", negatable=True),
        Option("--ctrepldst", NETWORK, "reply_destination", negatable=True),
        Option("--ctorigsrcport", PORTS, "original_source_port", negatable=True),
        Option("--ctorigdstport", PORTS, "original_destination_port", negatable=True),
        Option("--ctreplsrcport", PORTS, "reply_source_port", negatable=True),
        Option("--ctrepldstport", PORTS, "reply_destination_port", negatable=True),
        Option("--ctstatus", list_of(STATUSES), "status", negatable=True),
        Option(
            "--ctexpire",
            Form("SECONDS[:SECONDS]", _parse_seconds, _seconds_text),
            "expire",
            negatable=True,
        ),
        Option(
            "--ctdir",
            choice(*DIRECTIONS, fold=str.upper),
            "direction",
            negatable=True,
            keep=_direction,
        ),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=_DRAW,
    aim=aim,
    edges=lambda node: {**_networks(node), **_ports(node)},
    nft="ct state LIST; ct status; ct original|reply ADDRESS, PORT; ct direction",
    codes=(NO_NFT_FORM,),
    uses_conntrack=True,
    reads_entry=_reads_entry,
)
