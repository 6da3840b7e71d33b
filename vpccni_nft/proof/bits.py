"""Words whose bits are those of other words: masks, and words put together of them.

``(mark & ~0x80) | (ct mark & 0x80)`` has 31 bits of one word and one of another. Whether two such
words are equal is a question about bits of each, where no bit of one word meets one of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .term import Term

#: Words that are made of bits of others.
OF_BITS = frozenset({"masked", "bvand", "bvor", "bvxor"})

#: Of how many pieces a word is at most.
_MOST = 8


@attrs.frozen
class Piece:
    """Some bits of a word: those of another word in the same places, or constants."""

    mask: int
    word: Term | None  #: None: constants
    flipped: int  #: what is turned round of the word's bits; of constants, their values

    def under(self, mask: int) -> Piece:
        """The part of it under a mask."""
        return Piece(self.mask & mask, self.word, self.flipped & mask)


#: All bits of a word, each in one piece.
Pieces = tuple[Piece, ...]


def pieces_of(term: Term) -> Pieces | None:
    """What a word is made of; None where a bit hangs on more than one other bit."""
    known: dict[Term, Pieces | None] = {}  # words that are made of one another share much
    waiting = [term]
    while waiting:
        one = waiting[-1]
        if missing := [part for part in _made_of(one) if part not in known]:
            waiting += missing
        else:
            known[waiting.pop()] = _pieces(one, known)
    return known[term]


def _made_of(term: Term) -> tuple[Term, ...]:
    """The words that a word has bits of."""
    return term.terms if term.kind in OF_BITS else ()


def _pieces(term: Term, known: Mapping[Term, Pieces | None]) -> Pieces | None:
    full = (1 << term.width) - 1
    match term.kind:
        case "const":
            return (Piece(full, None, term.parts[0]),)
        case "masked":
            inner, free, flipped = term.parts
            if (found := known[inner]) is None:
                return None
            turned = tuple(
                attrs.evolve(one.under(free), flipped=(one.flipped ^ flipped) & one.mask & free)
                for one in found
                if one.mask & free
            )
            rest = Piece(full & ~free, None, flipped & ~free)
            return (*turned, rest) if rest.mask else turned
        case "bvand" | "bvor" | "bvxor":
            one, other = (known[part] for part in term.terms)
            return None if one is None or other is None else _joined(term.kind, one, other)
    return (Piece(full, term, 0),)


def _joined(kind: str, one: Pieces, other: Pieces) -> Pieces | None:
    found: list[Piece] = []
    for left, right in _meetings(one, other):
        if left.word is not None and right.word is not None:
            return None
        known, free = (left, right) if left.word is None else (right, left)
        ones = known.flipped
        match kind:
            case "bvxor":
                found.append(attrs.evolve(free, flipped=free.flipped ^ ones))
            case "bvand":
                found += _where(free, ones, free.mask & ~ones, 0)
            case _:
                found += _where(free, free.mask & ~ones, ones, ones)
    return tuple(found) if len(found) <= _MOST else None


def _where(free: Piece, stays: int, gone: int, values: int) -> Iterator[Piece]:
    """The bits of a piece that stay, and the others as constants."""
    if stays & free.mask:
        yield free.under(stays)
    if gone & free.mask:
        yield Piece(gone & free.mask, None, values & gone & free.mask)


def _meetings(one: Pieces, other: Pieces) -> Iterator[tuple[Piece, Piece]]:
    """The bits of two words that stand in the same places, piece by piece."""
    for left in one:
        for right in other:
            if mask := left.mask & right.mask:
                yield left.under(mask), right.under(mask)


def comparisons(left: Term, right: Term) -> list[tuple[Piece, Piece]] | None:
    """Which pieces must be equal for two words to be equal, those left out that are one.

    The second one of a pair has constants, where either has. None where a bit of either word hangs
    on more than one other bit.
    """
    mine, theirs = pieces_of(left), pieces_of(right)
    if mine is None or theirs is None:
        return None
    return [
        (other, one) if one.word is None else (one, other)
        for one, other in _meetings(mine, theirs)
        if one != other
    ]
