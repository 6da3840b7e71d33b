"""Hypothesis draws the kinds of values that matches and targets declare."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..extensions import kinds
from ..extensions.kinds import ValueKind

if TYPE_CHECKING:
    from ..core.values import Family


def strategy(kind: object, family: Family) -> SearchStrategy[Any]:
    """The values of a kind in a family; what is no kind is the only value."""
    if not isinstance(kind, ValueKind):
        return st.just(kind)
    match kind:
        case kinds.Build(make, arguments, fields):
            return st.builds(
                make,
                *(strategy(one, family) for one in arguments),
                **{name: strategy(one, family) for name, one in fields.items()},
            )
        case kinds.Mapped(inner, function):
            return strategy(inner, family).map(function)
        case kinds.Filtered(inner, predicate):
            return strategy(inner, family).filter(predicate)
        case kinds.Then(inner, function):
            return strategy(inner, family).flatmap(lambda value: strategy(function(value), family))
        case _:
            return _made_once(kind, family)


@functools.cache
def _made_once(kind: ValueKind, family: Family) -> SearchStrategy[Any]:
    """Of the kinds that many others have in them."""
    match kind:
        case kinds.Integers(low, high):
            return st.integers(low, high)
        case kinds.Among(values):
            return st.sampled_from(tuple(values))
        case kinds.OneOf(several):
            return st.one_of(*(strategy(one, family) for one in several))
        case kinds.OfFamily(of):
            return strategy(of(family), family)
        case kinds.Several(inner, smallest, largest, unique):
            lists = st.lists(
                strategy(inner, family), min_size=smallest, max_size=largest, unique=unique
            )
            return lists.map(tuple)
        case kinds.Some(values, smallest):
            chosen = st.sets(st.sampled_from(values), min_size=smallest)
            return chosen.map(lambda those: tuple(one for one in values if one in those))
        case kinds.Octets(smallest, largest):
            return st.binary(min_size=smallest, max_size=largest)
        case kinds.Quoted(largest, smallest):
            return _texts(largest, smallest)
        case kinds.Unquoted(largest, smallest):
            return _words(largest, smallest)
    raise TypeError(kind)


def _as_read(text: str, largest: int) -> str:
    """As much of a text as fits in so many bytes, as ``Source`` reads it."""
    return text.encode("utf-8", "surrogateescape")[:largest].decode("utf-8", "surrogateescape")


#: Lone surrogates stand for bytes that are no text.
_ANY = st.one_of(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\n"), st.just("\udcff")
)
_PLAIN = st.sampled_from("abcdefghixyzABCXYZ0123456789-_")
_ODD = st.sampled_from("-_.,:;/!*+?#$@&|~^%=<>(){}[]'`\\é☃")


@functools.cache
def _texts(largest: int, smallest: int) -> SearchStrategy[str]:
    several = (
        st.text(chars, max_size=largest) for chars in (_PLAIN, _ANY, st.sampled_from("a \"'"))
    )
    return (
        st.one_of(*several)
        .map(lambda text: _as_read(text, largest))
        .filter(lambda text: len(text) >= smallest)
    )


@functools.cache
def _words(largest: int, smallest: int) -> SearchStrategy[str]:
    unquoted = _ANY.filter(lambda char: not char.isspace() and char != '"')
    several = (
        st.text(chars, min_size=smallest, max_size=largest)
        for chars in (_PLAIN, st.one_of(_PLAIN, _ODD), unquoted)
    )
    return st.one_of(*several).map(lambda text: _as_read(text, largest))
