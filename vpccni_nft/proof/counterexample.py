"""A packet that two sides treat differently: from a model of the solver to what a reader is shown.

What is shown has gone through both interpreters: a proof's mistake cannot show a difference that
is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from ..equivalence.packet_text import default_world
from ..equivalence.sample import Packet, run
from ..equivalence.simplify import Plain, simplify
from ..equivalence.trace import parts, trace
from ..semantics.terms import postorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..core.values import Family
    from ..equivalence.trace import Trace
    from ..semantics.concrete import Question
    from ..semantics.symbolic import Model
    from ..semantics.terms import Term
    from .hooks import Comparison
    from .side import Side


@attrs.frozen
class Counterexample:
    """A packet to which something else happens on either side."""

    plain: Plain  #: the packet, every field that does not matter at its default
    before: Trace
    after: Trace
    #: What differs: both values, by what they are of.
    differences: Mapping[str, tuple[object, object]]
    #: What the world must answer for it, besides what is usual.
    answers: Mapping[Question, int]

    @property
    def culprits(self) -> Iterator[object]:
        """The rules that do something to it, on either side."""
        for step in (*self.before.steps, *self.after.steps):
            if step.rule is not None and step.does_something:
                yield step.rule

    @property
    def hook(self) -> str:
        """Where it happens."""
        return self.plain.packet.hook

    @property
    def family(self) -> Family:
        """What it is a packet of."""
        return self.plain.packet.family


@attrs.frozen(eq=False)
class Answers(Mapping["Question", int]):
    """Some answers that are given, and the usual ones to all other questions."""

    given: Mapping[Question, int]
    usual: Mapping[Question, int]

    def __getitem__(self, question: Question) -> int:
        return self.given[question] if question in self.given else self.usual[question]

    def __iter__(self) -> Iterator[Question]:
        return iter(self.given)

    def __len__(self) -> int:
        return len(self.given)


def counterexample(
    model: Model, comparison: Comparison, before: Side, after: Side
) -> Counterexample | None:
    """What a model says, as a packet; None where the interpreters see no difference."""
    setting = comparison.hook.setting
    family, hook = setting.family, setting.hook
    fields = {field: model.value(term) for field, term in setting.fields.items()}
    answers = dict(_answers(model, comparison.differing))
    chains = [tuple(side.chains(family)) for side in (before, after)]

    def differ(packet: Packet) -> bool:
        fits: set[int] = set()

        def watch(rule: object, _live: bool, here: bool) -> None:
            if here:
                fits.add(id(rule))

        outcomes = [run(one, packet, watch) for one in chains]
        known = any(rules <= fits for rules in comparison.left_out)
        return not known and bool(parts(*outcomes, counts=setting.counters))

    usual = default_world(family, hook, fields)
    packet = Packet(family, hook, fields, Answers(answers, usual))
    if not differ(packet):
        return None
    packet = _with_fewer_answers(packet, differ)
    plain = simplify(packet, differ)
    plain = attrs.evolve(plain, packet=_with_fewer_answers(plain.packet, differ))
    one, other = (trace(side.rulesets, plain.packet) for side in (before, after))
    found = parts(one.outcome, other.outcome, counts=setting.counters)
    given = plain.packet.answers
    answers = dict(given.given) if isinstance(given, Answers) else {}
    return Counterexample(plain, one, other, found, answers)


def _answers(model: Model, condition: Term) -> Iterator[tuple[Question, int]]:
    """What the world answers in a model."""
    done: dict[Term, None] = {}
    for term in postorder(condition, done):
        done[term] = None
        if term.kind == "ask":
            arguments = tuple(model.value(part) for part in term.terms)
            yield (term.parts[0], arguments), model.value(term)


def _with_fewer_answers(packet: Packet, differ: Callable[[Packet], bool]) -> Packet:
    """Without the answers that do not matter."""
    if not isinstance(packet.answers, Answers):
        return packet
    for question in packet.answers.given:
        answers = packet.answers
        assert isinstance(answers, Answers)
        fewer = {key: value for key, value in answers.given.items() if key != question}
        trial = attrs.evolve(packet, answers=attrs.evolve(answers, given=fewer))
        if differ(trial):
            packet = trial
    return packet
