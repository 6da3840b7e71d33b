"""Connection states, which the matches ``conntrack`` and ``state`` share.

Kernel: net/netfilter/xt_conntrack.c, conntrack_mt. The packet's state is one bit; where the
connection is NATed, the bits SNAT and DNAT are added to it; the sum is compared with the list, and
only then inverted. A packet without a conntrack entry is INVALID, or UNTRACKED where it was
notracked, and has no NAT bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.packet import STATE_BITS, STATUS_BITS
from ...nft import expressions as x
from ...nft import statements as s
from ..extension import AnyOf, NoneOf, Piece

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...core.values import Negatable
    from ...model.algebra import Bool
    from ...model.effects import View
    from ..aiming import Draft

#: The states of a packet, as iptables-save orders them. nft has the same words in small letters.
STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED")
#: The states of a packet that has no conntrack entry.
WITHOUT_ENTRY = ("INVALID", "UNTRACKED")
#: What a connection can be besides.
NAT_BITS = ("SNAT", "DNAT")


def has_state(view: View, test: Negatable[tuple[str, ...]]) -> Bool:
    """Whether the packet's state, or the NAT of its entry, is in the list; only then the ``!``."""
    state = view.state
    state_mask = sum(STATE_BITS[name.lower()] for name in test.value if name in STATES)
    status_mask = sum(STATUS_BITS[name.lower()] for name in test.value if name in NAT_BITS)
    with_nat = state.algebra.all(state.has_entry, state.has_bits("ct_status", status_mask))
    in_list = state.algebra.any(state.has_bits("ct_state", state_mask), with_nat)
    return view.negate(in_list, negated=test.negated)


def lower_states(test: Negatable[tuple[str, ...]], *, leaves_chain: bool) -> tuple[Piece, ...]:
    """The condition in nft, exact with and without a conntrack entry.

    ``ct status`` has no value without an entry, so a negated list with NAT bits cannot be one
    comparison: a helper chain returns on each part of the list.
    """
    states = tuple(name for name in test.value if name in STATES)
    nat = tuple(name for name in test.value if name in NAT_BITS)
    if not nat:
        return (_state("!" if test.negated else "in", states),)
    has_nat = s.Match(x.Ct("status"), "in", _flags(nat))
    if not test.negated:
        if not states:
            return (has_nat,)
        return (AnyOf(((_state("in", states),), (_state("!", states), has_nat))),)
    if not leaves_chain:
        by_state = ((_state("in", states),),) if states else ()
        return (NoneOf((*by_state, (has_nat,))),)
    return _negated_in_place(states, nat)


def _negated_in_place(states: tuple[str, ...], nat: tuple[str, ...]) -> tuple[Piece, ...]:
    """Recognise packets without an entry by their state, and ask only the others for NAT."""
    no_nat = s.Match(x.Ct("status"), "!", _flags(nat))
    with_entry = (_state("!", dict.fromkeys((*states, *WITHOUT_ENTRY))), no_nat)
    without = tuple(name for name in WITHOUT_ENTRY if name not in states)
    return (AnyOf(((_state("in", without),), with_entry)),) if without else with_entry


def alternatives_of_states(
    test: Negatable[tuple[str, ...]], rest: tuple[s.Match, ...]
) -> tuple[tuple[s.Match, ...], ...]:
    """The state fits, and so does the rest of the entry where there is one."""
    states = tuple(name for name in test.value if name in STATES)
    nat = tuple(name for name in test.value if name in NAT_BITS)
    without = tuple(name for name in WITHOUT_ENTRY if (name in states) is not test.negated)
    found: list[tuple[s.Match, ...]] = [(_state("in", without),)] if without else []
    named = tuple(dict.fromkeys((*states, *WITHOUT_ENTRY)))
    if test.negated:
        no_nat = (s.Match(x.Ct("status"), "!", _flags(nat)),) if nat else ()
        return (*found, (_state("!", named), *no_nat, *rest))
    with_entry = tuple(name for name in states if name not in WITHOUT_ENTRY)
    if with_entry:
        found.append((_state("in", with_entry), *rest))
    if nat:
        has_nat = s.Match(x.Ct("status"), "in", _flags(nat))
        found.append((_state("!", named), has_nat, *rest))
    return tuple(found)


def _state(operator: str, names: Iterable[str]) -> s.Match:
    return s.Match(x.Ct("state"), operator, _flags(names))


def _flags(names: Iterable[str]) -> x.Flags:
    return x.Flags(tuple(name.lower() for name in names))


def aim_states(test: Negatable[tuple[str, ...]], draft: Draft) -> None:
    """One of the states, or NAT of the connection; after a ``!`` a state without either."""
    states = {name: STATE_BITS[name.lower()] for name in STATES}
    nat = {name: STATUS_BITS[name.lower()] for name in NAT_BITS}
    fitting = [bit for name, bit in states.items() if (name in test.value) is not test.negated]
    if test.negated:
        draft.fields["ct_status"] &= ~sum(bit for name, bit in nat.items() if name in test.value)
    chosen = [bit for name, bit in nat.items() if name in test.value and not test.negated]
    if chosen and (not fitting or draft.random.random() < 1 / 2):
        draft.fit_entry()
        draft.fields["ct_status"] |= draft.random.choice(chosen)
        return
    if fitting and draft.fields["ct_state"] not in fitting:
        draft.fields["ct_state"] = draft.random.choice(fitting)
