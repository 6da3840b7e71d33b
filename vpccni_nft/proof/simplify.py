"""A conjunction without what its conditions say of each other.

Comparisons of one word are joined, and what others imply is left out: of alternatives that a
conjunction denies, too, but only so deep, and of so many parts.
"""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .term import Term
    from .terms import Terms

#: How deep a condition is looked into for what others say already, and how many parts of it.
_DEPTH = 4
_MOST_PARTS = 100


def simplified(terms: Terms, conditions: dict[Term, None]) -> dict[Term, None]:
    """The same conjunction: atoms of one word joined, and what the others imply left out."""
    others: dict[Term, None] = {}
    joined: dict[Term, tuple[int, int]] = {}
    for one in _ranges(terms, conditions):
        if one is terms.false:
            return {terms.false: None}
        if atom := _known_bits(one):
            word, mask, value = atom
            known, bits = joined.get(word, (0, 0))
            if (bits ^ value) & known & mask:
                return {terms.false: None}
            joined[word] = (known | mask, bits | value)
        else:
            others[one] = None
    atoms = dict.fromkeys(terms.bits(word, *bits) for word, bits in joined.items())
    every = {**atoms, **others}
    kept = [_reduced(terms, one, every, joined) for one in others]
    return {**atoms, **dict.fromkeys(one for one in kept if one is not terms.true)}


def _ranges(terms: Terms, conditions: dict[Term, None]) -> Iterable[Term]:
    """The same conditions, the bounds of each word joined."""
    compared: dict[Term, list[Term]] = {}
    others: list[Term] = []
    for one in conditions:
        atom = one.parts[0] if one.kind == "not" else one
        if atom.kind in {"up to", "bits"}:
            compared.setdefault(atom.parts[0], []).append(one)
        else:
            others.append(one)
    for word, comparisons_ in compared.items():
        others += _range(terms, word, comparisons_) if len(comparisons_) > 1 else comparisons_
    return others


def _range(terms: Terms, word: Term, conditions: Iterable[Term]) -> Iterator[Term]:
    """Comparisons of a word with constants, the bounds joined: a range can be some bits."""
    first, last = 0, (1 << word.width) - 1
    for one in conditions:
        if ends := _ends(one):
            first, last = max(first, ends[0]), min(last, ends[1])
        else:
            yield one
    size = last - first + 1
    if size < 1:
        yield terms.false
    elif size & size - 1 == 0 and first & size - 1 == 0:
        yield terms.bits(word, (1 << word.width) - size, first)
    else:
        yield terms.not_(terms.up_to(word, first - 1))
        yield terms.up_to(word, last)


def _reduced(
    terms: Terms, one: Term, every: dict[Term, None], joined: Mapping[Term, tuple[int, int]]
) -> Term:
    """A condition without what the others say already."""
    if one.kind in {"up to", "in"}:
        return _settled(terms, one, joined) or one
    if one.kind != "not":
        return one
    (inner,) = one.terms
    if inner in every:
        return terms.false
    if inner.kind == "and":
        if terms.left:
            # What is made on the way is looked at from the outside only.
            return terms.not_(_conjunction_under(terms, inner, every, joined, 0))
        terms.left = _MOST_PARTS
        reduced = _conjunction_under(terms, inner, every, joined, _DEPTH)
        terms.left = 0
        return terms.not_(reduced)
    settled = _settled(terms, inner, joined)
    return one if settled is None else terms.not_(settled)


def _under(
    terms: Terms,
    term: Term,
    others: dict[Term, None],
    joined: Mapping[Term, tuple[int, int]],
    depth: int,
) -> Term:
    """A condition, where others hold: without what they say already."""
    if term in others:
        return terms.true
    if (term.negation or terms.not_(term)) in others:
        return terms.false
    settled = _settled(terms, term, joined)
    if settled is not None or not depth or terms.left <= 1:
        return settled or term
    terms.left -= 1
    if term.kind == "not":
        return terms.not_(_under(terms, term.parts[0], others, joined, depth - 1))
    if term.kind == "and":
        return _conjunction_under(terms, term, others, joined, depth - 1)
    return term


def _conjunction_under(
    terms: Terms,
    term: Term,
    others: dict[Term, None],
    joined: Mapping[Term, tuple[int, int]],
    depth: int,
) -> Term:
    parts = [_under(terms, part, others, joined, depth) for part in term.terms]
    return term if all(map(is_, parts, term.parts)) else terms.all(*parts)


def _settled(terms: Terms, atom: Term, joined: Mapping[Term, tuple[int, int]]) -> Term | None:
    """Whether an atom is true or false where some bits of words are known."""
    if atom.kind == "in":
        return _settled_in(terms, atom, joined)
    if atom.kind not in {"bits", "up to"}:
        return None
    word = atom.parts[0]
    if word not in joined:
        return None
    known, bits = joined[word]
    if atom.kind == "bits":
        _, mask, value = atom.parts
        if (bits ^ value) & known & mask:
            return terms.false
        return terms.true if not mask & ~known else None
    if known != (1 << word.width) - 1:
        return None
    return terms.true if bits <= atom.parts[1] else terms.false


def _settled_in(terms: Terms, atom: Term, joined: Mapping[Term, tuple[int, int]]) -> Term | None:
    key = []
    for word in atom.terms:
        known, bits = joined.get(word, (0, 0))
        if known != (1 << word.width) - 1:
            return None
        key.append(bits)
    return terms.true if tuple(key) in atom.parts[0].by_key else terms.false


def _known_bits(condition: Term) -> tuple[Term, int, int] | None:
    """What a condition says of some bits of a word: that one bit is not set is said by a "not"."""
    negated = condition.kind == "not"
    (atom,) = condition.terms if negated else (condition,)
    if atom.kind != "bits":
        return None
    word, mask, value = atom.parts
    if negated:
        return (word, mask, 0) if value == mask and mask & mask - 1 == 0 else None
    return word, mask, value


def _ends(condition: Term) -> tuple[int, int] | None:
    """The first and the last value that a comparison of a word with constants lets it have."""
    negated = condition.kind == "not"
    (atom,) = condition.terms if negated else (condition,)
    everything = (1 << atom.terms[0].width) - 1
    if atom.kind == "up to":
        limit = atom.parts[1]
        return (limit + 1, everything) if negated else (0, limit)
    _, mask, value = atom.parts
    step = mask & -mask
    if mask != everything + 1 - step:  # not the first bits, so no row of values
        return None
    if not negated:
        return value, value + step - 1
    if not value:
        return step, everything
    return (0, value - 1) if value == mask else None
