"""Which bits of which variables a term hangs on, and which bits of a field are new.

A rule that reads the bit 0x80 of the mark hangs on no rule that sets the bit 0x4000; and where it
sets a bit, the others are what they were. Neither is known of words as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .bits import OF_BITS, pieces_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .term import Term

#: The bits of variables, by their names; of what is no word there are none.
Bits = dict[str, int]


@attrs.frozen
class BitChange:
    """What a word has become of another one."""

    mask: int  #: the bits that may be others
    reads: Mapping[str, int]  #: what it hangs on which of them are, and what they are
    is_whole: bool = True  #: whether all of them are new ones, wherever one is


_NO_CHANGE = BitChange(0, {})


class Dependence:
    """Looks into terms, and keeps what it has seen of them."""

    def __init__(self) -> None:
        self._reads: dict[tuple[Term, int], Bits] = {}
        self._changes: dict[tuple[Term, Term], BitChange] = {}

    def reads(self, term: Term, wanted: int | None = None) -> Bits:
        """The bits that a term hangs on, or those that its wanted bits hang on."""
        first = (term, _whole(term) if wanted is None else wanted)
        known, waiting = self._reads, [first]
        while waiting:
            one = waiting[-1]
            if one in known:
                waiting.pop()
                continue
            parts = list(_parts(*one))
            if missing := [part for part in parts if part not in known]:
                waiting += missing
                continue
            waiting.pop()
            if one[0].kind == "variable":
                known[one] = {str(one[0].parts[0]): one[1]}
            else:
                known[one] = joined(*(known[part] for part in parts))
        return known[first]

    def change(self, term: Term, before: Term) -> BitChange:
        """Which bits of a word may not be those of another one, and what that hangs on."""
        known, waiting = self._changes, [term]
        while waiting:
            one = waiting[-1]
            if (one, before) in known:
                waiting.pop()
                continue
            if missing := [part for part in _made_of(one) if (part, before) not in known]:
                waiting += missing
                continue
            waiting.pop()
            known[one, before] = self._change(one, before)
        return known[term, before]

    def _change(self, term: Term, before: Term) -> BitChange:
        if term is before:
            return _NO_CHANGE
        if term.kind == "ite":
            condition, *ways = term.terms
            changes = [self._changes[way, before] for way in ways]
            mask = changes[0].mask | changes[1].mask
            if not mask:
                return _NO_CHANGE
            hangs_on = joined(self.reads(condition), *(one.reads for one in changes))
            is_whole = all(one.is_whole and one.mask == mask for one in changes)
            return BitChange(mask, hangs_on, is_whole)
        pieces = pieces_of(term)
        if pieces is None:
            return BitChange(_whole(term), self.reads(term))
        mask, reads, is_whole = 0, [], True
        for piece in pieces:
            word = piece.word
            if word is None:
                mask |= piece.mask
            elif word is term:
                return BitChange(_whole(term), self.reads(term))
            else:
                inner = self._changes.get((word, before)) or self._change(word, before)
                changed = piece.mask & (inner.mask | piece.flipped)
                mask |= changed
                if inner.mask & piece.mask:
                    reads.append(inner.reads)
                    is_whole = is_whole and inner.is_whole
                if turned := piece.mask & piece.flipped:
                    reads.append(self.reads(word, turned))
        return BitChange(mask, joined(*reads), is_whole)


def joined(*some: Mapping[str, int]) -> Bits:
    """All bits of some."""
    found = dict(some[0]) if some else {}
    for one in some[1:]:
        for name, mask in one.items():
            found[name] = found.get(name, 0) | mask
    return found


def _whole(term: Term) -> int:
    """All bits of a word; what is no word has none."""
    return (1 << term.width) - 1 if term.width > 0 else 0


def _parts(term: Term, wanted: int) -> Iterator[tuple[Term, int]]:
    """What some bits of a term are made of: terms and their bits."""
    if term.kind in OF_BITS and (pieces := pieces_of(term)) is not None:
        for piece in pieces:
            if piece.word is not None and piece.mask & wanted:
                yield piece.word, piece.mask & wanted
        return
    match term.kind:
        case "bits":
            yield term.parts[0], term.parts[1]
        case "bvand" | "bvor" | "bvxor":
            yield from ((part, wanted) for part in term.terms)
        case "ite":
            condition, then, otherwise = term.terms
            yield condition, _whole(condition)
            yield from ((then, wanted), (otherwise, wanted))
        case "extract":
            yield term.parts[0], wanted << term.parts[1]
        case "concat":
            high, low = term.terms
            for part, bits in ((high, wanted >> low.width), (low, wanted & _whole(low))):
                if bits:
                    yield part, bits
        case "bvadd":
            yield from ((part, (1 << wanted.bit_length()) - 1) for part in term.terms)
        case _:
            yield from ((part, _whole(part)) for part in term.terms)


def _made_of(term: Term) -> Iterator[Term]:
    """The words that a word is one of, or has bits of in their places."""
    if term.kind == "ite":
        yield from term.terms[1:]
    elif term.kind in OF_BITS:
        for piece in pieces_of(term) or ():
            if piece.word is not None and piece.word is not term:
                yield piece.word
