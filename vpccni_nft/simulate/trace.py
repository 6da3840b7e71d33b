"""One packet through a hook, rule by rule: what was reached, what fitted, and what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ..iptables import ast as iptables
from ..model.hook import BaseChain
from ..model.packet import ACCEPT, NoMeaning
from ..nft import ast as nft
from ..text.iptables_save import rule_line
from ..text.nft_script import rule_text
from .other_names import OWN_NAMES
from .packet_text import KEY_OF
from .sample import OWN_FIELDS, differences, run
from .side import chains_of_side

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..core.values import Family
    from ..model.algebra import Bool
    from ..model.hook import Outcome
    from ..model.packet import Binding, Event, State, Verdict
    from .other_names import OtherNames
    from .sample import Packet

#: The most that is written down of a way. Chains that call each other several times make one
#: without end of a few lines.
LONGEST = 100_000

#: Events of matches; the other ones are of targets.
_MATCH_EVENTS = {"update", "delete", "spend"}


@attrs.frozen
class FieldChange:
    """A field that has another value now."""

    field: str
    before: int
    after: int


@attrs.frozen(kw_only=True)
class Step:
    """Something that a packet comes to.

    ``kind`` is ``hook`` (a hook of a path begins), ``chain`` (a base chain begins), ``skip`` (a nat
    chain that is not asked), ``rule``, ``policy`` (of a base chain whose rules did not decide) or
    ``between`` (what happens after one base chain and before the next one: conntrack).
    """

    kind: str
    table: str = ""
    chain: str = ""
    number: int = 0  #: of the rule in its chain, from 1
    line: int | None = None  #: where it was read
    depth: int = 0  #: how many jumps lead to it
    text: str = ""
    fits: bool = True
    changes: tuple[FieldChange, ...] = ()
    events: tuple[Event, ...] = ()  #: other than that the rule counts
    binding: Binding | None = None
    verdict: Verdict | None = None
    rule: object = attrs.field(default=None, eq=False, repr=False)  #: the rule itself

    @property
    def does_something(self) -> bool:
        """Whether it is more than passed by, or counted."""
        return bool(self.changes or self.events or self.binding or self.verdict)


@attrs.frozen
class Trace:
    """A packet's way, and what came of it."""

    packet: Packet
    steps: tuple[Step, ...]
    outcome: Outcome

    @property
    def changes(self) -> tuple[FieldChange, ...]:
        """What of the packet and its connection differs at the end."""
        after = self.outcome.fields
        if self.packet.on_path and self.outcome.verdict != ACCEPT:
            after = {**after, "oif": self.packet.fields["oif"]}  # it leaves by no device
        return tuple(_changes(self.packet.fields, after))


def trace(
    rulesets: Sequence[iptables.Ruleset | nft.Ruleset],
    packet: Packet,
    turns: Sequence[int] = (),
    *,
    by_table: bool = False,
    other_names: OtherNames = OWN_NAMES,
) -> Trace:
    """Send a packet through a hook of a node, and write down everything. Raises NoMeaning.

    All rulesets are on the node. ``turns`` has those of all base chains, in the order of the
    rulesets.
    """
    places = (place for one in rulesets for place in _places(one, packet.family))
    tracer = _Tracer(dict(places))
    chains = chains_of_side(rulesets, packet.family, by_table=by_table, other_names=other_names)
    bases = [_watched(base, tracer) for base in chains]
    if turns:
        pairs = zip(bases, turns, strict=True)
        bases = [attrs.evolve(base, turn=turn) for base, turn in pairs]
    try:
        outcome = run(tuple(bases), packet, tracer.watch, tracer.come_to)
    except NoMeaning as error:
        raise NoMeaning(f"{tracer.last_place()}: {error}") from error
    tracer.between()
    return Trace(packet, tuple(tracer.steps), outcome)


def parts(before: Outcome, after: Outcome, *, counts: bool) -> dict[str, tuple[object, object]]:
    """What two outcomes differ in; without ``counts`` however many rules counted the packet."""
    if not counts:
        before, after = _without_counts(before), _without_counts(after)
    found = differences(before, after)
    return {name: both for name, both in found.items() if name not in OWN_FIELDS}


def _without_counts(outcome: Outcome) -> Outcome:
    return attrs.evolve(
        outcome, events=tuple(event for event in outcome.events if not _is_count(event))
    )


def _is_count(event: Event) -> bool:
    return event.kind == "count" and not event.details


@attrs.frozen
class _Watched(BaseChain):
    """A base chain whose way is written down."""

    table: str
    tracer: _Tracer

    def run(self, state: State, where: Bool) -> Bool:
        """Go through it, and report when it begins and ends."""
        return self.tracer.run(self, state, where)


def _watched(base: BaseChain, tracer: _Tracer) -> _Watched:
    return _Watched(
        hook=base.hook,
        priority=base.priority,
        type=base.type,
        policy_drops=base.policy_drops,
        program=base.program,
        name=base.name,
        table=base.program.table,
        tracer=tracer,
    )


def _places(
    ruleset: iptables.Ruleset | nft.Ruleset, family: Family
) -> Iterator[tuple[int, tuple[str, str, int]]]:
    """Table, chain and number of each rule, by its identity."""
    for table in ruleset.tables:
        if family in table.families:
            name = table.label if isinstance(table, nft.Table) else table.name
            for chain in table.chains:
                for number, rule in enumerate(chain.rules, 1):
                    yield id(rule), (name, chain.name, number)


@attrs.define
class _Tracer:
    """Called for all rules; keeps what has happened so far, so that it sees what happens next."""

    places: dict[int, tuple[str, str, int]]
    steps: list[Step] = attrs.Factory(list)
    state: State | None = None
    fields: dict[str, int] = attrs.Factory(dict)
    events: int = 0
    bindings: int = 0
    verdicts: int = 0
    #: The chains that lead to the rule, the base chain first.
    stack: list[str] = attrs.Factory(list)

    def run(self, base: _Watched, state: State, where: Bool) -> Bool:
        """Go through a base chain."""
        if self.state is None:
            self.state, self.fields = state, dict(state.fields)
        self.between()
        here = Step(
            kind="chain" if where else "skip",
            table=base.table,
            chain=base.name,
            text=f"{base.type} {base.hook} {base.priority}",
        )
        if not where:
            if state.live:
                self.steps.append(here)
            return BaseChain.run(base, state, where)
        self.steps.append(here)
        self.stack = [base.name]
        undecided = BaseChain.run(base, state, where)
        self._flush_to_last()
        if undecided and state.live:
            policy = "drop" if base.policy_drops else "accept"
            self.steps.append(attrs.evolve(here, kind="policy", text=policy))
        return undecided

    def come_to(self, state: State, hook: str) -> None:
        """A hook of a path begins, with what the kernel has done on the way to it; or none does."""
        if self.state is None:
            self.state, self.fields = state, dict(state.fields)
        happened = self._flush()
        if hook:
            self.steps.append(attrs.evolve(happened, kind="hook", text=hook, verdict=None))
        else:
            if happened.verdict and self.steps[-1].kind != "policy":
                self.steps.append(happened)
            self.state = None  # what is left has nothing to do with the way

    def watch(self, rule: object, _live: Bool, fits: Bool) -> None:
        """Write a rule down.

        iptables reports a rule after its matches and before its target, nft after its statements
        and before its verdict.
        """
        if len(self.steps) >= LONGEST:
            raise NoMeaning(f"the packet goes through more than {LONGEST:,} rules")
        table, chain, number = self.places[id(rule)]
        happened = self._flush()
        if chain in self.stack:
            del self.stack[self.stack.index(chain) + 1 :]
        else:
            self.stack.append(chain)
        place: dict[str, Any] = {
            "table": table,
            "chain": chain,
            "number": number,
            "depth": len(self.stack) - 1,
            "fits": bool(fits),
            "rule": rule,
        }
        if isinstance(rule, iptables.Rule):
            self._add_to_last(attrs.evolve(happened, events=_events(happened, of_matches=False)))
            text = rule_line(chain, attrs.evolve(rule, counters=None))
            line = rule.span.line if rule.span else None
            events = _events(happened, of_matches=True)
            step = Step(kind="rule", text=text, line=line, events=events, **place)
        else:
            assert isinstance(rule, nft.Rule)
            line = rule.origin.line if rule.origin else None
            step = _joined(Step(kind="rule", text=rule_text(rule), line=line, **place), happened)
        self.steps.append(step)

    def between(self) -> None:
        """What has happened since the last rule was through is conntrack's or the kernel's."""
        happened = self._flush()
        if happened.changes or happened.events:
            self.steps.append(happened)

    def last_place(self) -> str:
        for step in reversed(self.steps):
            line = f" (line {step.line})" if step.line else ""
            if step.kind == "rule":
                return f"after rule {step.number} of {step.table} {step.chain}{line}"
            return f"in {step.table} {step.chain}"
        return "at the beginning"

    def _flush_to_last(self) -> None:
        self._add_to_last(self._flush())

    def _add_to_last(self, happened: Step) -> None:
        for index in range(len(self.steps) - 1, -1, -1):
            if self.steps[index].kind == "rule":
                self.steps[index] = _joined(self.steps[index], happened)
                return
            if self.steps[index].kind == "chain":
                return

    def _flush(self) -> Step:
        """What has happened since the last time."""
        state = self.state
        if state is None:
            return Step(kind="between")
        changes = tuple(_changes(self.fields, state.fields))
        events = tuple(event for _, event in state.events[self.events :])
        bindings = [binding for _, binding in state.bindings[self.bindings :]]
        verdicts = [verdict for _, verdict in state.verdicts[self.verdicts :]]
        self.fields = dict(state.fields)
        self.events, self.bindings = len(state.events), len(state.bindings)
        self.verdicts = len(state.verdicts)
        return Step(
            kind="between",
            changes=changes,
            events=tuple(event for event in events if not _is_count(event)),
            binding=bindings[0] if bindings else None,
            verdict=verdicts[0] if verdicts else None,
        )


def _changes(before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[FieldChange]:
    ordered = (*KEY_OF, *sorted(before.keys() - KEY_OF.keys()))
    for field in (one for one in ordered if one not in OWN_FIELDS):
        if before[field] != after[field]:
            yield FieldChange(field, before[field], after[field])


def _events(happened: Step, *, of_matches: bool) -> tuple[Event, ...]:
    return tuple(
        event
        for event in happened.events
        if (event.kind in _MATCH_EVENTS or event.kind == "count") is of_matches
    )


def _joined(step: Step, happened: Step) -> Step:
    if not happened.does_something:
        return step
    return attrs.evolve(
        step,
        changes=(*step.changes, *happened.changes),
        events=(*step.events, *happened.events),
        binding=step.binding or happened.binding,
        verdict=step.verdict or happened.verdict,
    )
