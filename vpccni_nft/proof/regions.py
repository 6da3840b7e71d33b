"""Regions of packets that differ in the same way, and conditions that describe them.

A region is all packets that some rules do something to and of which the same things become the
same other things. It is a term, so that it can be excluded exactly; what describes it is a list of
conjunctions of plain comparisons, each made as short as the solver can show that it may be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..model.oracle import OracleKind
from .context import packets_at
from .symbolic import Undecided
from .term import CONDITION, LOG, atoms, postorder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from ..simulate.sample import Packet
    from .context import ProofContext
    from .symbolic import Model, Solver
    from .term import Term
    from .terms import Terms

#: Of how many conjunctions a description may be.
_MOST_PARTS = 8

#: What says where a packet goes.
_OF_ROUTING = {OracleKind.ROUTE, OracleKind.ROUTE_DEVICE}

#: What is no more than a field or a number.
_PLAIN = {"variable", "const"}


@attrs.frozen
class Region:
    """Packets that differ in the same way."""

    rules: frozenset[int]  #: the deciding rules, which all of them fit, by identity
    differs: frozenset[str]  #: what of them differs, by the names of an outcome
    term: Term  #: all of them
    #: Whether what differs has the same values for all of them, by name.
    fixed: Mapping[str, bool]
    #: That logs of other events are not the same: the solver does not know it.
    facts: tuple[Term, ...] = ()


@attrs.frozen
class Description:
    """A region as conjunctions, any of which holds."""

    parts: tuple[tuple[Term, ...], ...]
    is_whole: bool  #: whether every packet of the region fits one of them


def region(
    setting: ProofContext,
    model: Model,
    outcomes: tuple[Mapping[str, Term], Mapping[str, Term]],
    differences: Mapping[str, Term],
    rules: Mapping[int, Term],
) -> Region:
    """The region of a model's packet: ``differences`` are those that count, ``rules`` it fits."""
    terms = setting.terms
    conditions = list(rules.values())
    fixed: dict[str, bool] = {}
    facts: list[Term] = []
    for name, differs in differences.items():
        conditions.append(differs)
        ends = []
        for outcome in outcomes:
            term = outcome.get(name) or setting.fields[name]
            ends.append(leaf(terms, model, term))
            conditions.append(terms.same(term, ends[-1]))
        if ends[0].width == LOG and _events(ends[0]) != _events(ends[1]):
            facts.append(terms.not_(terms.same(*ends)))
        fixed[name] = not any(
            terms.dependence.reads(one).keys() - {"log"} or _asks(one) for one in ends
        )
    term = terms.all(*conditions)
    return Region(frozenset(rules), frozenset(differences), term, fixed, tuple(facts))


def _events(log: Term) -> list[object]:
    """What has happened, the last first, of a log that hangs on nothing."""
    found = []
    while log.kind == "then":
        found.append(log.parts[0])
        log = log.terms[0]
    return found


def leaf(terms: Terms, model: Model, term: Term) -> Term:
    """What a word or log comes to in a model, with what of the packet goes into it."""
    if term.width == CONDITION:
        return terms.true if model.holds(term) else terms.false
    done: dict[Term, Term] = {}
    waiting = [term]
    while waiting:
        one = waiting[-1]
        if one in done:
            waiting.pop()
            continue
        if one.kind == "ite":
            condition, then, otherwise = one.terms
            parts = [then if model.holds(condition) else otherwise]
        else:
            parts = [part for part in one.terms if part.width != CONDITION]
        missing = [part for part in parts if part not in done]
        if missing:
            waiting.extend(missing)
            continue
        waiting.pop()
        if one.kind == "ite":
            done[one] = done[parts[0]]
        else:
            known = {part: done[part] for part in parts if done[part] is not part}
            done[one] = terms.substitute(one, known) if known else one
    return done[term]


def describe(
    setting: ProofContext, solver: Solver, region: Term, facts: Iterable[Term]
) -> Description:
    """Conjunctions that cover a region, and nothing else. Raises GaveUp."""
    terms, given = setting.terms, (*packets_at(setting), *facts)
    parts: list[tuple[Term, ...]] = []
    try:
        for _ in range(_MOST_PARTS):
            others = (terms.not_(terms.all(*part)) for part in parts)
            model = solver.find(terms.all(region, *others), given)
            if model is None:
                return Description(tuple(parts), is_whole=True)
            if not (part := _part(setting, solver, model, region, given)):
                break
            parts.append(part)
        else:
            others = (terms.not_(terms.all(*part)) for part in parts)
            done = solver.find(terms.all(region, *others), given) is None
            return Description(tuple(parts), is_whole=done)
    except Undecided:
        pass
    return Description(tuple(parts), is_whole=False)


def fits(setting: ProofContext, description: Description, packet: Packet) -> bool:
    """Whether a packet is one of a description; of one that is not whole, it may be another one."""
    if not description.is_whole:
        return True
    terms, fields = setting.terms, packet.at_entry
    known = {
        term: terms.const(fields[field], term.width)
        for field, term in setting.fields.items()
        if term.kind == "variable"
    }
    return any(
        _holds(terms, terms.substitute(terms.all(*one), known), packet) for one in description.parts
    )


def _holds(terms: Terms, condition: Term, packet: Packet) -> bool:
    """Whether a condition holds in a packet's world: its fields are numbers already."""
    while condition not in {terms.true, terms.false}:
        done: dict[Term, None] = {}
        answers = {}
        for one in postorder(condition, done):
            done[one] = None
            if one.kind == "ask" and all(word.kind == "const" for word in one.terms):
                question = one.parts[0], tuple(word.parts[0] for word in one.terms)
                answers[one] = terms.const(packet.answers[question], one.width)
        if not answers:
            return True  # of what no one but the solver knows
        condition = terms.substitute(condition, answers)
    return condition is terms.true


def _part(
    setting: ProofContext, solver: Solver, model: Model, region: Term, given: Collection[Term]
) -> tuple[Term, ...] | None:
    """The shortest conjunction around a packet that no packet outside the region fits."""
    terms, outside = setting.terms, setting.terms.not_(region)
    plain: dict[Term, None] = {}
    others: list[Term] = []
    for atom in atoms(region):
        if _is_plain(atom):
            plain[atom] = None
            continue
        others.append(atom)
        if LOG not in {word.width for word in atom.terms}:
            known = {word: leaf(terms, model, word) for word in atom.terms}
            resolved = atoms(terms.substitute(atom, known))
            plain |= dict.fromkeys(one for one in resolved if _is_plain(one))
    literals = [one if model.holds(one) else terms.not_(one) for one in plain]
    literals.sort(key=_worth)
    found = solver.least(literals, outside, given)
    if found is None:
        words = dict.fromkeys(word for atom in others for word in _words(atom))
        exact = [_equals(terms, word, model) for word in words]
        found = solver.least([*exact, *literals], outside, given)
    return found


def _equals(terms: Terms, word: Term, model: Model) -> Term:
    return terms.equal(word, terms.const(model.value(word), word.width))


def _is_plain(atom: Term) -> bool:
    """Whether a comparison is of fields, or of what the node answers about them."""
    waiting = list(atom.terms)
    while waiting:
        word = waiting.pop()
        if word.kind in {"concat", "extract", "masked"}:
            waiting.extend(word.terms)
        elif not _is_word(word):
            return False
    return True


def _is_word(word: Term) -> bool:
    """Whether a word is a field, a number, or what the node answers about such.

    Where a packet is routed to is one, too, whatever has been done to the packet until then.
    """
    if word.kind == "ask" and word.parts[0].kind in _OF_ROUTING:
        return True
    return word.kind in _PLAIN or (word.kind == "ask" and all(map(_is_of_field, word.terms)))


def _is_of_field(word: Term) -> bool:
    """Whether a word is a number, or some bits of a field."""
    return word.kind in _PLAIN or (word.kind == "masked" and word.terms[0].kind in _PLAIN)


def _words(atom: Term) -> Iterator[Term]:
    """The fields and plain answers that a comparison hangs on."""
    done: dict[Term, None] = {}
    for one in postorder(atom, done):
        done[one] = None
        if one.width > 0 and one.kind != "const" and _is_word(one):
            yield one


def _asks(term: Term) -> bool:
    done: dict[Term, None] = {}
    for one in postorder(term, done):
        done[one] = None
        if one.kind in {"ask", "result"}:
            return True
    return False


def _worth(literal: Term) -> tuple[bool, bool]:
    """What is left out first has the smallest: answers of the node, then what is not so."""
    atom = literal.terms[0] if literal.kind == "not" else literal
    return all(word.kind != "ask" for word in atom.terms), literal.kind != "not"
