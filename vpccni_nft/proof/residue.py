"""What is left of a hook for some packets, and what holds of all that is left in the same shape.

Each key of a dispatch leaves a few rules, and those of one key differ from those of another one in
addresses, ports and names. What is proved of one with its literals as variables holds of all:
that both sides do the same, or which packets differ, and that no others do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ..model.oracle import CHOICES, Oracle, OracleKind
from ..model.packet import Binding, width
from ..simulate.sample import AT_ROUTING
from .context import packets_at
from .shapes import ConditionShape
from .split import ONLY_KEYS
from .symbolic import Undecided
from .term import postorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from .context import ProofContext
    from .split import PacketCase
    from .symbolic import Solver
    from .term import Term
    from .terms import Terms

#: Of more constants nothing is proved in general.
_MOST = 64

#: A literal: its width and its value.
Literal = tuple[int, int]


class _Shape(ConditionShape):
    """A shape that keeps what is drawn by chance: how likely an outcome is hangs on the numbers."""

    #: Whether something is done with a draw beside comparing it.
    hides_a_draw = False

    def _again(self, term: Term, parts: list[Term]) -> Term:
        drawn = [_is_choice(part) for part in term.terms]
        if any(drawn):
            if term.kind in {"bits", "up to"}:
                return self._terms.raw(term.kind, (*parts, *term.parts[1:]), term.width)
            self.hides_a_draw = True
        found = super()._again(term, parts)
        if _is_choice(term):
            oracle = term.parts[0]
            said = (oracle.kind, oracle.parameters, found.parts[0])
            return self._terms.raw("result", (repr(said), *found.parts[1:]), term.width)
        return found

    @property
    def constants(self) -> tuple[Literal, ...]:
        """The literals, in the order in which they were found."""
        return tuple(self._constants)


def _is_choice(term: Term) -> bool:
    return term.kind == "ask" and term.parts[0].kind in CHOICES


@attrs.frozen
class Residue:
    """What is left of both sides: its shape, and the literals of it."""

    #: What of two residues is the same where they differ in literals alone; None: nothing is.
    shape: tuple[object, ...] | None
    constants: tuple[Literal, ...]

    @classmethod
    def of(
        cls, setting: ProofContext, outcomes: Iterable[Mapping[Any, Term]], places: object
    ) -> Residue:
        """``places`` is what beside the outcomes must be the same."""
        shape = _Shape(setting.terms)
        found: list[object] = [places, *_plain_known(setting)]
        for outcome in outcomes:
            found += ((name, shape.of(outcome[name])) for name in sorted(outcome))
        found += map(shape.of, setting.facts)
        if shape.hides_a_draw or len(shape.constants) > _MOST:
            return cls(None, shape.constants)
        return cls(tuple(found), shape.constants)

    def renaming(self, other: Residue) -> dict[Literal, Literal]:
        """The literals of another residue of the same shape, by those of this one."""
        return dict(zip(self.constants, other.constants, strict=True))


#: Terms whose names say more than which function they are of.
_NAMED = {"then", "ask", "result"}


@attrs.define
class _KeyShape(_Shape):
    """A shape of which only the addresses and ports of a key are variables."""

    keys: frozenset[Literal] = frozenset()

    def _again(self, term: Term, parts: list[Term]) -> Term:
        if (literal := _literal_of(term)) and literal not in self.keys:
            if term.kind == "const":
                return term
            return self._terms.raw("bits", (parts[0], *term.parts[1:]), term.width)
        return super()._again(term, parts)

    @property
    def named(self) -> Iterator[tuple[str, Any]]:
        """What happened and is asked, in the order in which it was found."""
        return (name for name in self._names if isinstance(name, tuple) and name[0] in _NAMED)


def outcome_shape(
    case: PacketCase,
    outcomes: Sequence[Mapping[str, Term]],
    others: Iterable[Term],
    about: Callable[[Binding], object],
) -> object | None:
    """What is the same of two cases where they differ in the addresses and ports of keys alone.

    What is proved of one holds of the other: whatever is done with outcomes compares their words
    with each other, or is among ``others``; ``about`` says what matters of a binding. None
    where an address of the case is also the value of something else, whose bits may matter.
    """
    setting = case.setting
    words = [
        (name.removesuffix(AT_ROUTING), word) for one in outcomes for name, word in one.items()
    ]
    keys = {literal for name, word in words if name in ONLY_KEYS for literal in _leaves(word)}
    keys |= {
        (width(name, setting.family), value)
        for name, value in case.keys.items()
        if name in ONLY_KEYS
    }
    keys = {(bits, value) for bits, value in keys if value}  # nothing is a value of much else
    if any(not keys.isdisjoint(_leaves(word)) for name, word in words if name not in ONLY_KEYS):
        return None
    shape = _KeyShape(setting.terms, keys=frozenset(keys))
    found: list[object] = [(*case.keys,), *_plain_known(setting)]
    for outcome in outcomes:
        found += ((name, shape.of(outcome[name])) for name in sorted(outcome))
    found += map(shape.of, (*setting.facts, *others))
    found += (_said_of(kind, name, about) for kind, name in shape.named)
    # Which literal a field of the case has.
    found += (shape.of(setting.fields[name]) for name in sorted(case.keys) if name in ONLY_KEYS)
    return None if shape.hides_a_draw else tuple(found)


def _said_of(kind: str, name: object, about: Callable[[Binding], object]) -> object:
    """What must be the same of what happened or is asked, beside its words."""
    match name:
        case Oracle(OracleKind.MEMBER):  # sets are accepted by their names
            return kind, name
        case Oracle():
            return kind, name.kind, repr(name.parameters)
        case Binding():
            ends = name.addresses, name.ports
            return (
                kind,
                name.kind,
                name.flags,
                tuple(end and len({*end}) for end in ends),
                about(name),
            )
    return kind, name


def _leaves(word: Term) -> Iterator[Literal]:
    """The literals that a word can be."""
    done: set[Term] = set()
    waiting = [word]
    while waiting:
        one = waiting.pop()
        if one in done:
            continue
        done.add(one)
        if one.kind == "const":
            yield one.width, one.parts[0]
        elif one.kind == "ite":
            waiting.extend(one.terms[1:])


def _plain_known(setting: ProofContext) -> Iterable[tuple[str, int]]:
    """The fields with a value that says more of a packet than which one it is."""
    return sorted(item for item in setting.known.items() if item[0] not in ONLY_KEYS)


@attrs.define
class CaseProver:
    """What holds of no packet of a case: whatever the literals are, or as they are."""

    setting: ProofContext
    solver: Solver
    #: Whether everything that was shown holds whatever the literals are.
    is_general: bool = True

    def is_unsat(self, condition: Term) -> bool:
        """Whether no packet makes a condition true."""
        if condition is self.setting.terms.false or self.is_never(condition):
            return True
        self.is_general = False
        return self._has_none(condition, packets_at(self.setting))

    def require(self, condition: Term) -> None:
        """Note whether no packet makes a condition true whatever the literals are."""
        self.is_general = self.is_general and self.is_never(condition)

    def is_never(self, condition: Term) -> bool:
        """Whether none does whatever the literals are, as long as those that differ do so."""
        terms = self.setting.terms
        if condition is terms.false:
            return True
        shape = ConditionShape(terms)
        general = shape.of(terms.all(condition, *self.setting.facts))
        others = packets_at(attrs.evolve(self.setting, facts=()))
        return self._has_none(general, (*others, *shape.distinct()))

    def _has_none(self, condition: Term, given: Iterable[Term]) -> bool:
        try:
            return self.solver.find(condition, given) is None
        except Undecided:
            return False


def renamed(
    terms: Terms, conditions: Iterable[Term], names: Mapping[Literal, Literal]
) -> tuple[Term, ...] | None:
    """Conditions with other literals; None where one of theirs would be taken for another one.

    A literal that is in the conditions alone stays: it must be none of the new ones.
    """
    done: dict[Term, Term] = {}
    new = set(names.values())
    found = []
    for condition in conditions:
        for one in postorder(condition, done):
            parts = [done[part] for part in one.terms]
            literal = _literal_of(one)
            if literal is None:
                done[one] = terms.rebuilt(one, parts)
                continue
            if literal not in names and literal in new:
                return None
            width, value = names.get(literal, literal)
            if one.kind == "const":
                done[one] = terms.const(value, width)
            else:
                done[one] = terms.equal(parts[0], terms.const(value, width))
        found.append(done[condition])
    return tuple(found)


def _literal_of(term: Term) -> Literal | None:
    """The literal that a shape has a variable for."""
    match term.kind, term.parts:
        case "const", (int(value),):
            return term.width, value
        case "bits", (word, int(mask), int(value)) if mask == (1 << word.width) - 1:
            return word.width, value
    return None
