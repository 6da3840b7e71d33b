"""Chains that look a packet up, split by what they look up.

Thousands of rules, each for one address, and a map of these addresses are compared address by
address: for one of them only its own rules and elements matter, and those for any address. That
holds while no rule changes the address and lets the packet go on, which is proved, too.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeGuard

import attrs

from ..model.effects import View
from ..model.hook import run_rules
from ..nft import ast as nft
from ..nft import expressions as x
from ..nft import statements as s
from ..semantics.nft import NftProgram
from ..semantics.nft_comparisons import compare, is_element
from ..semantics.nft_values import evaluate_key
from .context import WasRead
from .rule_keys import rule_key
from .term import conjuncts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..model.hook import Program
    from ..model.packet import State
    from .chains import ChainComparison
    from .context import ProofContext
    from .footprint import Footprint
    from .pairs import ChainPart
    from .term import Term

#: How many values are worth the trouble.
_FEWEST = 8

#: Steps that leave the packet as it is.
_PLAIN = (s.Match, s.Counter)

#: The fields of a condition that can have one value only, and that value.
Key = dict[str, int]


def looks_up(part: ChainPart) -> bool:
    """Whether the next rule of a part looks a packet up in a set that is worth the trouble."""
    program = part.program
    if not part.numbers or not isinstance(program, NftProgram):
        return False
    found = _lookups_of(part, part.numbers[0])
    return any(len(program.sets[name].elements) >= _FEWEST for _, _, name in found)


def are_equal(
    pairs: ChainComparison, before: ChainPart, after: ChainPart, footprint: Footprint
) -> bool:
    """Whether two parts mean the same, for each value of the field that most rules ask for."""
    keys = _rule_keys(pairs, before)
    asked = defaultdict(set)
    for key in keys.values():
        for name, wanted in key.items():
            asked[name].add(wanted)
    field = max(asked, key=lambda name: len(asked[name]), default="")
    if len(asked[field]) < _FEWEST:
        return False
    one = _Index.of(before, {number: key.get(field) for number, key in keys.items()})
    other = _Index.of(
        after,
        {number: key.get(field) for number, key in _rule_keys(pairs, after).items()},
        _elements(pairs, after, field),
    )
    footprint.split(pairs.setting, field)
    values: list[int | None] = [*sorted(one.values | other.values), None]
    for value in values:
        setting = pairs.setting if value is None else pairs.setting.where(field, value)
        ours = _run(pairs, setting, one, value, field)
        theirs = _run(pairs, setting, other, value, field)
        if not ours or not theirs or not pairs.is_unsat(setting.compare(ours[0], theirs[0])):
            return False
        states = ours[1], theirs[1]
        pairs.note(setting, footprint, ours[0], states, pairs.is_unsat_by_shape)
    return True


@attrs.frozen
class _Index:
    """The rules and elements of a part by their value of a field; None is that of all the rest."""

    part: ChainPart
    rules: Mapping[int | None, list[int]]
    elements: Mapping[str, Mapping[int | None, list[x.Expression]]]

    @classmethod
    def of(
        cls,
        part: ChainPart,
        rules: Mapping[int, int | None],
        elements: Mapping[str, Mapping[int | None, list[x.Expression]]] | None = None,
    ) -> _Index:
        by_value = defaultdict(list)
        for number, value in rules.items():
            by_value[value].append(number)
        return cls(part, by_value, elements or {})

    @property
    def values(self) -> set[int]:
        """All values that something is for."""
        found = {*self.rules, *(value for by in self.elements.values() for value in by)}
        return {value for value in found if value is not None}

    def cell(self, value: int | None) -> ChainPart:
        """What matters for a value, or for all others."""
        numbers = sorted({*self.rules.get(value, ()), *self.rules.get(None, ())})
        program = self.part.program
        if self.elements:
            assert isinstance(program, NftProgram)
            sets = dict(program.sets)
            for name, by_value in self.elements.items():
                own = by_value.get(value, ()) if value is not None else ()
                elements = (*own, *by_value.get(None, ()))
                sets[name] = attrs.evolve(sets[name], elements=elements)
            program = attrs.evolve(program, sets=sets)
        return attrs.evolve(self.part, program=program, numbers=numbers)


def _run(
    pairs: ChainComparison, setting: ProofContext, index: _Index, value: int | None, field: str
) -> tuple[dict[str, Term], State] | None:
    """Go through what matters for a value; None where a packet may go on with another one."""
    terms, cell = setting.terms, index.cell(value)

    def call(program: Program, chain: str, state: State, where: Term) -> Term | None:
        known = index.part.program if program is cell.program else program
        return pairs.call_equal(known, chain, state, where)

    state = setting.start(call)
    live, back = setting.reachable, terms.false
    for number in cell.numbers:
        live, returned = run_rules(cell.program, cell.chain, (number,), state, live)
        back = terms.any(back, returned)
        kept = terms.equal(state.fields[field], setting.fields[field])
        if not pairs.is_unsat(terms.all(live, terms.not_(kept))):
            return None
    return {"next": live, "back": back, **setting.outcome(state)}, state


def _rule_keys(pairs: ChainComparison, part: ChainPart) -> dict[int, Key]:
    """The fields that a packet must have one value of for anything to come of a rule, by number."""
    setting = attrs.evolve(pairs.setting, hook_reads=WasRead())
    return {
        number: {} if any(True for _ in _lookups_of(part, number))
        else rule_key(setting, part.program, part.chain, number)
        for number in part.numbers
    }  # fmt: skip


def _key(pairs: ChainComparison, conditions: Iterable[Term]) -> Key:
    """The fields of which conditions that hold together compare all bits.

    What else they compare may hang on one of these: where a port stands hangs on the protocol.
    """
    terms, fields = pairs.setting.terms, pairs.setting.fields
    known: Key = {}
    parts = conjuncts(terms.all(*conditions))
    while found := dict(filter(None, map(_compared, parts))):
        known |= found
        here = {fields[name]: terms.const(value, fields[name].width)
                for name, value in found.items()}  # fmt: skip
        parts = conjuncts(terms.all(*(terms.substitute(part, here) for part in parts)))
    return known


def _compared(condition: Term) -> tuple[str, int] | None:
    """The field of which a condition compares all bits, and its value."""
    if condition.kind == "bits":
        word, mask, value = condition.parts
        if word.kind == "variable" and mask == (1 << word.width) - 1:
            return word.parts[0], value
    return None


def _elements(
    pairs: ChainComparison, part: ChainPart, field: str
) -> dict[str, dict[int | None, list[x.Expression]]]:
    """The elements of the sets that rules look up in, by their value of a field.

    Sets that are looked up in elsewhere, too, stay whole, and so do those that a rule comes to
    which may have changed the packet until then.
    """
    program = part.program
    if not isinstance(program, NftProgram):
        return {}
    found: dict[str, dict[int | None, list[x.Expression]]] = {}
    for number in part.numbers:
        for ahead, key, name in _lookups_of(part, number):
            if name not in program.shared and all(isinstance(one, _PLAIN) for one in ahead):
                elements = program.sets[name]
                if len(elements.elements) >= _FEWEST:
                    found[name] = _by_value(pairs, ahead, key, elements, field)
    return found


def _lookups_of(
    part: ChainPart, number: int
) -> Iterator[tuple[tuple[s.Statement, ...], x.Expression, str]]:
    """The keys that a rule looks up in named sets, and their names; first the steps ahead."""
    rule = part.program.rules(part.chain)[number]
    if not isinstance(rule, nft.Rule):
        return
    for place, step in enumerate(rule.statements):
        match step:
            case s.VerdictMap(key, x.SetReference(name)) | s.Match(key, _, x.SetReference(name)):
                yield rule.statements[:place], key, name


def _by_value(
    pairs: ChainComparison,
    ahead: Iterable[s.Statement],
    key: x.Expression,
    elements: nft.Set,
    field: str,
) -> dict[int | None, list[x.Expression]]:
    """A set's elements by their value of a field; None for those that any value may fit."""
    setting = pairs.setting
    view = View(setting.start(None), None, setting.terms.true)
    given = [compare(one, view) for one in ahead if _is_of_header(one)]
    values = evaluate_key(key, view)
    found = defaultdict(list)
    for element in elements.elements:
        wanted = element.key if isinstance(element, x.Pair) else element
        condition = is_element(values, key, wanted, view)
        known = _key(pairs, (condition, *given, *setting.invariants))
        found[known.get(field)].append(element)
    return found


def _is_of_header(step: s.Statement) -> TypeGuard[s.Match]:
    """Whether a step compares a field of a header, or some bits of one, with a value."""
    if not isinstance(step, s.Match) or isinstance(step.right, x.SetReference):
        return False
    left = step.left.left if isinstance(step.left, x.Binary) else step.left
    return isinstance(left, x.Payload)
