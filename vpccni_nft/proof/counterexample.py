"""A packet that two sides treat differently: from a model of the solver to what a reader is shown.

What is shown has gone through both interpreters: a proof's mistake cannot show a difference that
is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .. import iptables, nft
from ..extensions.targets.verdicts import Accept
from ..model.concrete import Concrete
from ..model.hook import BY_DEVICE, TO_THE_NODE
from ..model.oracle import CHOICES, OracleKind
from ..model.packet import interface_word
from ..model.path import RECEIVED
from ..nft import statements as s
from ..simulate.likely import Likely
from ..simulate.packet_text import default_world, parse_packet
from ..simulate.plain_text import plain_text
from ..simulate.sample import Packet, run
from ..simulate.simplify import Plain, simplify
from ..simulate.trace import parts, trace
from ..simulate.world import Answers, NotedAnswers
from .axioms import axioms, axioms_of_paths
from .hooks import ShownPacket
from .term import LOG, postorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..core.values import Family
    from ..model.concrete import Question
    from ..model.hook import Outcome
    from ..model.known_node import KnownNode
    from ..model.path import Path
    from ..simulate.trace import Step, Trace
    from .acceptance import Acceptance
    from .hooks import Comparison
    from .side import Side
    from .symbolic import Model
    from .term import Term


#: What is on either side.
Both = tuple[object, object]


@attrs.frozen
class Counterexample:
    """A packet to which something else happens on either side."""

    plain: Plain  #: the packet, every field that does not matter at its default
    before: Trace
    after: Trace
    #: Whether the packet's text shows all of it, so that ``explain`` and ``replay`` show it, too.
    in_text: bool
    #: What differs: both values, by what they are of.
    differences: Mapping[str, tuple[object, object]]
    #: The rules that it fits on either side, by their identities.
    fits: frozenset[int] = attrs.field(eq=False, repr=False)
    #: The packet of the solver, of which it was made.
    origin: Packet | None = attrs.field(default=None, eq=False, repr=False)

    @property
    def shown(self) -> ShownPacket:
        """What it is about, for the search."""
        rules = frozenset(id(step.rule) for side in self.deciding for step in side)
        return ShownPacket(rules, self.fits, in_proof(self.differences))

    @property
    def culprits(self) -> Iterator[object]:
        """The rules that do something to it, on either side."""
        for step in (*self.before.steps, *self.after.steps):
            if step.rule is not None and step.does_something:
                yield step.rule

    @property
    def deciding(self) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        """The rules that do something to it or end a base chain, of either side."""
        before, after = (tuple(filter(_decides, one.steps)) for one in (self.before, self.after))
        return before, after

    @property
    def answers(self) -> Mapping[Question, int]:
        """What the world must answer that the text does not show."""
        return self.plain.hidden_answers if self.in_text else self.plain.answers

    @property
    def hangs_on_chance(self) -> bool:
        """Whether certain numbers must be drawn or counted for it."""
        drawn = any(word.startswith("random=") for word in self.plain.said)
        return drawn or any(oracle.kind in CHOICES for oracle, _ in self.plain.answers)

    @property
    def hook(self) -> str:
        """Where it happens."""
        return self.plain.packet.hook

    @property
    def family(self) -> Family:
        """What it is a packet of."""
        return self.plain.packet.family


#: What the words of a packet's path say.
_OF_PATHS = {OracleKind.ROUTE, OracleKind.ROUTE_DEVICE}


def counterexample(
    model: Model,
    comparison: Comparison,
    before: Side,
    after: Side,
    accepted: Acceptance | None = None,
) -> Counterexample | None:
    """What a model says, as a packet; None where the interpreters see no difference.

    It is one of what is not accepted, or of what ``accepted`` accepts. Raises GaveUp where the time
    of the whole proof is over.
    """
    look = _Look(comparison, before, after, accepted)
    packet = look.packet_of(model)
    fits, differences = look.examine(packet)
    if not differences:
        return None
    at_first = ShownPacket(frozenset(), frozenset(fits), in_proof(differences))
    looks_known = accepted is None and comparison.is_found(at_first)

    def differ(packet: Packet) -> bool:
        if not look.is_possible(packet):
            return False
        here, found = look.examine(packet)
        if looks_known:
            # Only the proof knows that it is another one: it stays with its rules.
            return here == fits and found.keys() == differences.keys()
        one = ShownPacket(frozenset(), frozenset(here), in_proof(found))
        return bool(found) and (accepted is not None or not comparison.is_found(one))

    found = look.shown(simplify(packet, differ), packet, differ)
    if found and accepted:
        return plainer(found, comparison, before, after, lambda _: True, accepted)
    return found


def plainer(
    one: Counterexample,
    comparison: Comparison,
    before: Side,
    after: Side,
    is_like: Callable[[Packet], bool],
    accepted: Acceptance | None = None,
) -> Counterexample:
    """A packet that differs in the same way, as a plain text; the same one where there is none.

    The same differs of it, by the same rules, and it is none of those that were found before.
    """
    look = _Look(comparison, before, after, accepted)
    names, rules = one.differences.keys(), one.shown.rules
    values = in_proof(one.differences)
    is_class = accepted is None and comparison.found
    fixed = comparison.found[-1][0].fixed if is_class else {}
    others = attrs.evolve(comparison, found=comparison.found[:-1])
    looks_known = accepted is not None or others.is_found(one.shown)

    def differ(packet: Packet) -> bool:
        if not look.is_possible(packet) or not is_like(packet):
            return False
        fits, found = look.examine(packet)
        here = ShownPacket(frozenset(), frozenset(fits), in_proof(found))
        if not looks_known and others.is_found(here):
            return False
        return (
            found.keys() == names
            and rules <= fits
            and all(
                not fixed.get(name) or value == values[name] for name, value in here.differs.items()
            )
        )

    likely = before.likely(one.family) | after.likely(one.family)
    if node := comparison.hook.node:
        likely = Likely.of_node(node, one.family) | likely
    starts = (one.origin, one.plain.packet) if one.origin else (one.plain.packet,)
    texts = (plain_text(packet, differ, likely) for packet in starts)
    plain = next(filter(None, texts), None)
    return (plain and look.shown(plain, one.origin, differ)) or one


@attrs.frozen
class _Look:
    """What happens to packets on both sides, as far as that is looked for."""

    comparison: Comparison
    before: Side
    after: Side
    accepted: Acceptance | None

    def packet_of(self, model: Model) -> Packet:
        """The packet of a model, and what the world answers about it there."""
        comparison = self.comparison
        setting, path = comparison.hook.setting, comparison.hook.path
        fields = {field: model.value(term) for field, term in setting.fields.items()}
        answers = dict(_answers(model, comparison.differing))
        for draw, word in comparison.numbers.items():
            arguments = tuple(model.value(one) for one in draw.terms if one.width != LOG)
            answers[draw.parts[0], arguments] = model.value(word)
        hook = _way(path, answers, fields)
        usual = default_world(setting.family, hook, fields)
        # What the packet's path and device say already is no answer of its own.
        answers = {
            question: value
            for question, value in answers.items()
            if question[0].kind not in _OF_PATHS or usual[question] != value
        }
        return Packet(
            setting.family,
            hook,
            fields,
            Answers(answers, usual),
            on_path=path.is_whole,
            internal=comparison.hook.internal,
            unrouted=comparison.hook.unrouted,
        )

    def is_possible(self, packet: Packet) -> bool:
        """Whether there can be such a packet, and it is one of those that are looked at."""
        setting = self.comparison.hook.setting
        if setting.as_tracked and not all(_hold(packet)):
            return False
        return self.comparison.has(packet.fields)

    def examine(self, packet: Packet) -> tuple[set[int], dict[str, Both]]:
        """The rules that a packet fits, by identity, and what differs."""
        hook, fits = self.comparison.hook, set[int]()
        noted = NotedAnswers(packet.answers)
        sent = attrs.evolve(packet, answers=noted)

        def watch(rule: object, _live: bool, here: bool) -> None:
            hook.solver.budget.check()
            if here:
                fits.add(id(rule))

        one, other = (run(tuple(side), sent, watch) for side in (hook.before, hook.after))
        if hook.node and not _are_of(hook.node, packet.family, noted.asked):
            return fits, {}
        return fits, self.of_interest(packet, one, other)

    def of_interest(self, packet: Packet, one: Outcome, other: Outcome) -> dict[str, Both]:
        """What differs, as far as it is looked for."""
        accepting, outcomes = self.comparison.accepting, (one, other)
        differing = parts(one, other, counts=self.comparison.hook.setting.counters)
        if self.accepted is None:
            return accepting.left(packet, outcomes, differing)
        names = accepting.accepts(packet, outcomes, differing).get(self.accepted, ())
        return {name: differing[name] for name in differing if name in names}

    def shown(
        self, plain: Plain, origin: Packet | None, differ: Callable[[Packet], bool]
    ) -> Counterexample | None:
        """A packet with its way through both sides; None where nothing differs on it."""
        hook, family = self.comparison.hook, plain.packet.family
        one, other = (
            trace(
                side.rulesets,
                plain.packet,
                turns,
                by_table=side.by_table,
                other_names=side.names_in(family),
            )
            for side, turns in zip((self.before, self.after), hook.turns, strict=True)
        )
        found = self.of_interest(plain.packet, one.outcome, other.outcome)
        if not found:
            return None
        again = parse_packet(plain.text, family).packet
        told = again.seen_as(plain.packet)
        in_text = differ(told) and self.examine(told)[1] == found
        fits, _ = self.examine(plain.packet)
        return Counterexample(plain, one, other, in_text, found, frozenset(fits), origin)


def _are_of(node: KnownNode, family: Family, asked: Mapping[Question, int]) -> bool:
    """Whether a node may answer so."""
    world = Concrete()
    return all(
        node.allows(world, family, oracle, arguments, answer)
        for (oracle, arguments), answer in asked.items()
    )


def _hold(packet: Packet) -> Iterator[bool]:
    """What holds of every packet that a kernel has tracked."""
    world, fields = Concrete(), packet.at_entry
    yield from axioms(world, packet.family, fields)
    if packet.on_path:
        yield from axioms_of_paths(world, packet.family, packet.path, fields)


def _way(path: Path, answers: Mapping[Question, int], fields: dict[str, int]) -> str:
    """The hook that tells where the packet of a model goes; of one that is forwarded, the device.

    It is where the first side sends it: what routing answers the other one can be something else.
    """
    if path is not RECEIVED:
        return path.entry
    ways = [value for (oracle, _), value in answers.items() if oracle.kind is OracleKind.ROUTE]
    if TO_THE_NODE in ways and (ways[0] == TO_THE_NODE or BY_DEVICE not in ways):
        return "input"
    fields["oif"] = next(
        (value for (oracle, _), value in answers.items() if oracle.kind is OracleKind.ROUTE_DEVICE),
        interface_word("eth0"),
    )
    return "forward"


def in_proof(
    differences: Mapping[str, tuple[object, object]],
) -> dict[str, tuple[object, object]]:
    """What differs between outcomes, by the names that it has in a proof."""
    found = dict(differences)
    if "verdict" in found:
        found["undecided"] = found["verdicts"] = found.pop("verdict")
    return found


def _decides(step: Step) -> bool:
    """Whether a step is a rule that does something, or ends a base chain by accepting."""
    match step.rule:
        case None:
            return False
        case iptables.Rule(target=target):
            accepts = step.fits and isinstance(target, Accept)
        case nft.Rule(statements=statements):
            accepts = step.fits and any(isinstance(one, s.Accept) for one in statements)
        case _:
            accepts = False
    return step.does_something or accepts


def _answers(model: Model, condition: Term) -> Iterator[tuple[Question, int]]:
    """What the world answers in a model."""
    done: dict[Term, None] = {}
    unused: list[tuple[Question, int]] = []
    for term in postorder(condition, done):
        done[term] = None
        if term.kind == "ask":
            counts = [_happened(model, part) for part in term.terms if part.width == LOG]
            words = (model.value(part) for part in term.terms if part.width != LOG)
            arguments = (*(count for count in counts if count), *words)
            answer = (term.parts[0], arguments), model.value(term)
            # An object that was used before is asked with its history: where nothing had happened
            # for this packet, that is the question that was not put before.
            if counts and not all(counts):
                unused.append(answer)
            else:
                yield answer
    yield from unused


def _happened(model: Model, log: Term) -> int:
    """How much of a log has happened in a model."""
    count = 0
    while log.kind != "variable":
        if log.kind == "then":
            count, log = count + 1, log.terms[0]
        else:
            condition, then, otherwise = log.terms
            log = then if model.holds(condition) else otherwise
    return count
