"""A part of a ruleset, gone through by any packet in any state."""

from __future__ import annotations

from functools import cached_property
from itertools import chain, combinations, pairwise, product
from typing import TYPE_CHECKING, Any

import attrs

from ..core.values import Family
from ..model.hook import run_rules
from ..model.packet import FIELDS, NAME_BYTES, STATE_BITS, STATUS_BITS, Event, State, Verdict, width
from .axioms import axioms
from .term import CONDITION, LOG, postorder
from .terms import named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..model.hook import Program
    from .term import Term
    from .terms import Terms


@attrs.define
class WasRead:
    """Whether a meaning has read something that it then hangs on."""

    seen: bool = False

    def note(self) -> None:
        """It was read."""
        self.seen = True


@attrs.frozen(eq=False, slots=False)
class ProofContext:
    """Where and for which packets something is compared."""

    terms: Terms
    family: Family
    hook: str
    fragments: bool  #: whether fragments come: not where conntrack puts them together
    counters: bool  #: whether it counts which rules counted a packet
    #: Fields that have a value, of all packets that are looked at.
    known: Mapping[str, int] = attrs.Factory(dict)
    #: Whether packets are as conntrack has seen them: no rule rewrites their headers.
    as_tracked: bool = False
    #: What else holds of all packets that are looked at.
    facts: tuple[Term, ...] = ()
    hook_reads: WasRead = attrs.Factory(WasRead)  #: its hook: so what is proved holds there
    place_reads: WasRead = attrs.Factory(WasRead)  #: a place of its side

    @cached_property
    def fields(self) -> dict[str, Term]:
        """Any packet."""
        found = {field: self.terms.variable(field, width(field, self.family)) for field in FIELDS}
        known = dict(self.known)
        if not self.fragments:
            known |= {"fragment": 0, "fragmented": 0}
        return found | {
            field: self.terms.const(value, width(field, self.family))
            for field, value in known.items()
        }

    def where(self, field: str, value: int) -> ProofContext:
        """The same for packets of which a field has a value."""
        return attrs.evolve(self, known={**self.known, field: value})

    @cached_property
    def undecided(self) -> Term:
        """Whether no verdict has been given yet."""
        return self.terms.variable("undecided", CONDITION)

    @cached_property
    def reachable(self) -> Term:
        """Whether the packet comes to what is gone through."""
        return self.terms.all(self.undecided, self.terms.variable("reached", CONDITION))

    @cached_property
    def invariants(self) -> tuple[Term, ...]:
        """What holds of every packet, at any place.

        It has one state and a network header. The offset of a fragment has 13 bits, and what has
        one is a fragment.
        """
        terms, fields = self.terms, self.fields
        states = (
            terms.equal(fields["ct_state"], terms.const(bit, 8)) for bit in STATE_BITS.values()
        )
        offset = fields["fragment"]
        return (
            terms.any(*states),
            terms.ule(terms.const(_SMALLEST[self.family], 16), fields["length"]),
            terms.ule(offset, terms.const(0x1FFF, offset.width)),
            terms.any(
                terms.equal(offset, terms.const(0, offset.width)),
                terms.equal(fields["fragmented"], terms.const(1, 1)),
            ),
        )

    def log(self, happened: Iterable[tuple[Term, Any]]) -> Term:
        """What has happened, as a term."""
        return self.terms.log(
            (when, *named(one)) for when, one in happened if self.counters or not is_count(one)
        )

    def differences(self, one: Mapping[str, Term], other: Mapping[str, Term]) -> dict[str, Term]:
        """Where two outcomes differ, by what differs."""
        found = {}
        for name in sorted(one.keys() | other.keys()):
            mine, theirs = (outcome.get(name) or self.fields[name] for outcome in (one, other))
            if mine is not theirs:
                found[name] = self.terms.not_(self.terms.same(mine, theirs))
        return found

    def compare(self, one: Mapping[str, Term], other: Mapping[str, Term]) -> Term:
        """Where two outcomes differ."""
        return self.terms.any(*self.differences(one, other).values())

    def run(
        self, program: Program, chain: str, numbers: Iterable[int], calls: Any
    ) -> tuple[dict[str, Term], State]:
        """Go through some rules of a chain; what comes of it, by name."""
        state = self.start(calls)
        live, back = run_rules(program, chain, numbers, state, self.reachable)
        return {"next": live, "back": back, **self.outcome(state)}, state

    def start(self, calls: Any) -> State:
        """A packet that comes to a rule of some chain."""
        state = State(self.terms, self.family, self.hook, dict(self.fields), self.undecided)
        state.calls, state.on_hook_read = calls, self.hook_reads.note
        state.on_place_read = self.place_reads.note
        return state

    def outcome(self, state: State) -> dict[str, Term]:
        """What has come of a packet so far, by name; of its fields those that may have changed."""
        return {
            "undecided": state.live,
            "verdicts": self.log(state.verdicts),
            "bindings": self.log(state.bindings),
            "events": self.log(state.events),
            **{
                field: value
                for field, value in state.fields.items()
                if value is not self.fields[field]
            },
        }


def distinct_verdicts(terms: Terms, logs: Iterable[Term]) -> Iterator[Term]:
    """That no two verdicts are the same, nor one and none: the solver does not know it.

    Of logs that end with the same verdict nothing is said: they may be the same.
    """
    none = terms.variable("log", LOG)
    ends: dict[Verdict, list[Term]] = {}
    done: dict[Term, None] = {}
    for log in logs:
        for one in postorder(log, done):
            done[one] = None
            if one.kind == "then" and isinstance(one.parts[0], Verdict):
                ends.setdefault(one.parts[0], []).append(one)
    for one in chain.from_iterable(ends.values()):
        yield terms.not_(terms.same(one, none))
    for some, others in combinations(ends.values(), 2):
        yield from (terms.not_(terms.same(*two)) for two in product(some, others))


def is_count(happened: object) -> bool:
    """Whether it is only that a rule has counted the packet."""
    return isinstance(happened, Event) and happened.kind == "count" and not happened.details


def packets_at(setting: ProofContext) -> Iterator[Term]:
    """What holds of a packet when it comes to a hook.

    Interfaces have names without white space (dev_valid_name) that end with zeros, and are there
    where the hook's packets have them. Nothing has said yet how conntrack is to see the packet.
    """
    terms, fields = setting.terms, setting.fields
    yield from setting.facts
    yield from setting.invariants
    for field, hooks in _INTERFACES.items():
        none = terms.equal(fields[field], terms.const(0, 8 * NAME_BYTES))
        if field == "oif" or setting.hook != "postrouting":
            yield terms.not_(none) if setting.hook in hooks else none
        yield from _is_name(terms, fields[field])
    for end in ("snat", "dnat"):
        # What is translated is bound: nf_nat_setup_info sets both bits.
        translated = terms.equal(
            terms.bvand(fields["ct_status"], terms.const(STATUS_BITS[end], 16)),
            terms.const(STATUS_BITS[end], 16),
        )
        bound = terms.equal(fields[f"{end}_done"], terms.const(1, 1))
        yield terms.any(terms.not_(translated), bound)
    if setting.as_tracked:
        yield from axioms(terms, setting.family, fields)
    for field in ("ct_template", "ct_zone", "ct_zone_direction"):
        yield terms.equal(fields[field], terms.const(0, width(field, setting.family)))


def is_device(terms: Terms, word: Term) -> Iterator[Term]:
    """What holds of the name of a device."""
    yield terms.not_(terms.equal(word, terms.const(0, word.width)))
    yield from _is_name(terms, word)


def _is_name(terms: Terms, word: Term) -> Iterator[Term]:
    """What holds of a name, or of none: no white space (dev_valid_name), and zeros at the end."""
    zero = terms.const(0, 8)
    names = [terms.extract(word, 8 * byte, 8) for byte in range(NAME_BYTES)]
    for here, before in pairwise(names):
        yield terms.any(terms.not_(terms.equal(before, zero)), terms.equal(here, zero))
    for byte in names:
        is_space = terms.ule(byte, terms.const(ord(" "), 8))
        yield terms.any(terms.equal(byte, zero), terms.not_(is_space))
    yield terms.equal(terms.extract(word, 0, 8), zero)


#: The bytes of a network header.
_SMALLEST = {Family.IP: 20, Family.IP6: 40}

#: The hooks whose packets came by an interface, and those whose packets leave by one. In
#: postrouting there are both packets that came by one and packets that did not.
_INTERFACES = {
    "iif": {"prerouting", "input", "forward"},
    "oif": {"forward", "output", "postrouting"},
}
