"""A part of a ruleset, gone through by any packet in any state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ..semantics.hook import run_rules
from ..semantics.packet import (
    FIELDS,
    NAME_BYTES,
    STATE_BITS,
    Event,
    State,
    width,
)
from ..semantics.terms import CONDITION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..core.values import Family
    from ..semantics.hook import Program
    from ..semantics.terms import Term, Terms

#: What the rest of a hook depends on besides the packet's fields.
FLOW = ("next", "back", "undecided", "verdicts", "bindings", "events")


@attrs.frozen
class Setting:
    """Where and for which packets something is compared."""

    terms: Terms
    family: Family
    hook: str
    fragments: bool  #: whether fragments come: not where conntrack puts them together
    counters: bool  #: whether it counts which rules counted a packet

    @property
    def fields(self) -> dict[str, Term]:
        """Any packet."""
        found = {field: self.terms.variable(field, width(field, self.family)) for field in FIELDS}
        if not self.fragments:
            found |= {
                field: self.terms.word(0, width(field, self.family))
                for field in ("fragment", "fragmented")
            }
        return found

    @property
    def invariants(self) -> Iterator[Term]:
        """What holds of every packet, at any place."""
        terms = self.terms
        state = terms.variable("ct_state", width("ct_state", self.family))
        yield terms.any(*(terms.equal(state, terms.word(bit, 8)) for bit in STATE_BITS.values()))

    def log(self, happened: Iterable[tuple[Term, Any]]) -> Term:
        """What has happened, as a term."""
        return self.terms.log(
            (when, *_named(one)) for when, one in happened if self.counters or not is_count(one)
        )

    def compare(self, one: Mapping[str, Term], other: Mapping[str, Term]) -> Term:
        """Where two outcomes differ."""
        terms = self.terms
        parts = (
            terms.no(terms.alike(value, other[name]))
            for name, value in one.items()
            if value is not other[name]
        )
        return terms.any(*parts)

    def run(
        self, program: Program, chain: str, numbers: range, calls: Any
    ) -> tuple[dict[str, Term], State]:
        """Go through some rules of a chain; what comes of it, by name."""
        terms = self.terms
        state = State.start(terms, self.family, self.hook, self.fields)
        state.live = terms.variable("undecided", CONDITION)
        state.calls = calls
        where = terms.all(state.live, terms.variable("reached", CONDITION))
        live, back = run_rules(program, chain, numbers, state, where)
        return {"next": live, "back": back, **self.outcome(state)}, state

    def outcome(self, state: State) -> dict[str, Term]:
        """What has come of a packet so far, by name."""
        return {
            "undecided": state.live,
            "verdicts": self.log(state.verdicts),
            "bindings": self.log(state.bindings),
            "events": self.log(state.events),
            **state.fields,
        }


def is_count(happened: object) -> bool:
    """Whether it is only that a rule has counted the packet."""
    return isinstance(happened, Event) and happened.kind == "count" and not happened.details


def _named(happened: object) -> tuple[object, tuple[Term, ...]]:
    """What happened, and the words that went into it."""
    if isinstance(happened, Event):
        return (happened.kind, happened.details), happened.arguments
    return happened, ()


def packets_at(setting: Setting) -> Iterator[Term]:
    """What holds of a packet when it comes to a hook.

    Interfaces have names that end with zeros, and are there where the hook's packets have them.
    Nothing has said yet how conntrack is to see the packet.
    """
    terms, fields = setting.terms, setting.fields
    yield from setting.invariants
    for field, hooks in _INTERFACES.items():
        none = terms.equal(fields[field], terms.word(0, 8 * NAME_BYTES))
        if field == "oif" or setting.hook != "postrouting":
            yield terms.no(none) if setting.hook in hooks else none
        for byte in range(NAME_BYTES - 1):
            here = terms.part(fields[field], 8 * byte, 8)
            before = terms.part(fields[field], 8 * byte + 8, 8)
            zero = terms.word(0, 8)
            yield terms.any(terms.no(terms.equal(before, zero)), terms.equal(here, zero))
        yield terms.equal(terms.part(fields[field], 0, 8), terms.word(0, 8))
    for field in ("ct_template", "ct_zone", "ct_zone_direction"):
        yield terms.equal(fields[field], terms.word(0, width(field, setting.family)))


#: The hooks whose packets came by an interface, and those whose packets leave by one. In
#: postrouting there are both packets that came by one and packets that did not.
_INTERFACES = {
    "iif": {"prerouting", "input", "forward"},
    "oif": {"forward", "output", "postrouting"},
}
